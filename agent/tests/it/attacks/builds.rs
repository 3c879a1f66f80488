//! What builds leave for others, and what they fetch from the position of the machine.

use agent::engine::Policy;
use job_specs::model::ServiceSpec;
use protocol::ids::StreamId;

use super::{Victim, building, fork, inline, run, trusted};
use crate::layers::{Layers, docker};
use crate::stage::{Stage, job, service, step};

#[tokio::test(flavor = "multi_thread")]
async fn layers_of_a_fork_are_used_by_nobody_and_it_uses_those_of_nobody() {
    let stage = Stage::new(1).await;
    let unique = uuid::Uuid::now_v7().simple();
    let name = format!("drover-test/cached:{unique}");
    // the step says when it really ran
    let dockerfile = format!("FROM busybox\nRUN echo {unique} ran && echo hello > /mark\nRUN cat /mark\n");
    let spec = || job(vec![building(&dockerfile, &[&name], false)]);
    let ran = format!("{unique} ran");
    let was_built = |log: Vec<&str>| log.contains(&ran.as_str());

    let story = run(&stage, fork(&stage, "victim", spec())).await;
    assert!(was_built(story.step(0)), "{:?}", story.step(0));
    let all = docker(&["images", "-aq", "--filter", "label=drover.untrusted"]);
    let mine = all
        .lines()
        .filter(|id| docker(&["history", "--no-trunc", id]).contains(&unique.to_string()));
    assert_eq!(mine.count(), 0, "nothing is left of it");

    let story = run(&stage, trusted(&stage, "other", spec())).await;
    assert!(was_built(story.step(0)), "not the fork's: {:?}", story.step(0));
    let story = run(&stage, trusted(&stage, "other", spec())).await;
    assert!(!was_built(story.step(0)), "its own: {:?}", story.step(0));
    let story = run(&stage, fork(&stage, "victim", spec())).await;
    assert!(was_built(story.step(0)), "not the others': {:?}", story.step(0));

    let last = docker(&["images", "-q", "--no-trunc", "--filter", "dangling=true"]);
    for id in last.lines() {
        if docker(&["history", "--no-trunc", id]).contains(&unique.to_string()) {
            Layers::of(id).remove(&[]);
        }
    }
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_of_a_fork_does_not_see_the_services_of_its_job() {
    let stage = Stage::new(1).await;
    let look = "FROM busybox\nRUN nslookup tools.example.com 127.0.0.11 || echo nobody; nc -w 2 tools.example.com 80 || echo nothing\n";
    let mut spec = job(vec![building(look, &["drover-test/look:1"], false)]);
    spec.services = vec![ServiceSpec {
        aliases: vec!["tools.example.com".into()],
        command: Some(
            ["nc", "-ll", "-p", "80", "-e", "echo", "EVIL"]
                .map(String::from)
                .to_vec(),
        ),
        ..service("tool", "busybox")
    }];
    let story = run(&stage, fork(&stage, "victim", spec)).await;
    assert_eq!(story.message(), "Passed", "{:?}", story.step(0));
    let log = story.step(0);
    assert!(log.iter().any(|line| line.ends_with("nothing")), "{log:?}");
    assert!(!log.contains(&"EVIL"), "{log:?}");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_builder_fetches_nothing_from_the_machine() {
    let stage = Stage::under(1, Policy::default()).await;
    let victim = Victim::listen("127.0.0.1");
    let url = format!("http://127.0.0.1:{}/creds", victim.port);
    let dockerfiles = [
        format!("FROM busybox\nADD {url} /x\nRUN cat /x\n"),
        format!("FROM busybox\nARG U={url}\nADD ${{U}} /x\n"),
        format!(
            "FROM busybox\nENV H=127.0.0.1\nADD [\"http://$H:{}/\", \"/x\"]\n",
            victim.port
        ),
        format!("FROM busybox AS one\nONBUILD ADD {url} /x\nFROM one\nRUN cat /x\n"),
        format!(
            "# escape=`\nFROM busybox\nADD http:`\n//localhost:{}/ /x\n",
            victim.port
        ),
        format!("FROM 127.0.0.1:{}/app:1\n", victim.port),
        format!("FROM busybox\nCOPY --from=localhost:{}/app:1 /a /b\n", victim.port),
    ];
    for dockerfile in &dockerfiles {
        for spec in [job(vec![building(dockerfile, &["x:1"], false)]), {
            let mut spec = job(vec![step("true")]);
            spec.services = vec![ServiceSpec {
                build: Some(inline(dockerfile)),
                ..service("web", "")
            }];
            spec
        }] {
            for input in [trusted(&stage, "app", spec.clone()), fork(&stage, "app", spec)] {
                let story = run(&stage, input).await;
                let message = story.message();
                assert!(
                    message.starts_with("Failed") && message.contains(" of `dockerfile_inline`: "),
                    "{dockerfile}: {message}"
                );
            }
        }
    }
    // for a fork no URL at all
    let anywhere = "FROM busybox\nADD http://192.0.2.1/x /x\n";
    let message = run(
        &stage,
        fork(&stage, "app", job(vec![building(anywhere, &["x:1"], false)])),
    )
    .await
    .message();
    assert!(message.contains("not trusted fetches nothing by `ADD`"), "{message}");
    assert_eq!(victim.visits(), 0);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn registries_of_the_machine_are_neither_asked_nor_pushed_to() {
    let stage = Stage::under(1, Policy::default()).await;
    let victim = Victim::listen("127.0.0.1");
    let name = format!("127.0.0.1:{}/app:1", victim.port);
    let in_it = job_specs::model::StepSpec {
        image: name.clone(),
        ..step("true")
    };
    let mut beside = job(vec![step("true")]);
    beside.services = vec![service("web", &name)];
    let push = job(vec![building("FROM busybox\n", &[&name], true)]);
    for spec in [job(vec![in_it]), beside, push] {
        for input in [trusted(&stage, "app", spec.clone()), fork(&stage, "app", spec)] {
            let is_trusted = input.trusted;
            let message = run(&stage, input).await.message();
            let pushes = message.contains("pushes no image");
            let refused = message.contains(&format!("`--allow-local 127.0.0.1:{}`", victim.port));
            assert!(
                message.starts_with("Failed") && (refused || pushes && !is_trusted),
                "{message}"
            );
        }
    }
    assert_eq!(victim.visits(), 0);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_pushes_nowhere() {
    let stage = Stage::new(1).await;
    let victim = Victim::listen("127.0.0.1");
    let name = format!("127.0.0.1:{}/app:1", victim.port);
    let spec = job(vec![building("FROM busybox\n", &[&name], true)]);
    let story = run(&stage, fork(&stage, "app", spec)).await;
    assert!(story.message().contains("pushes no image"), "{}", story.message());
    assert_eq!(victim.visits(), 0, "{:?}", story.log(&StreamId::job()));
    stage.close().await;
}
