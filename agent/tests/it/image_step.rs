//! Steps that build an image, name it and push it to a real registry.

use agent::attempt::AttemptInput;
use agent::attempt::folder::AttemptFolder;
use agent::engine::{EngineError, ImageRequest, Login, Logins};
use job_specs::model::{BuildSpec, ImageBuild, JobSpec, RegistryLogin, StepAction, StepSpec};
use protocol::attempt::StepStatus;
use protocol::ids::StreamId;
use protocol::work::SecretValue;
use tokio_util::sync::CancellationToken;

use crate::docker_registry::DockerRegistry;
use crate::layers::{Layers, docker};
use crate::stage::{Stage, job, secrets, step};

/// With characters that must not get lost on the way.
const PASSWORD: &str = "s3cr3t?~>pass";

fn building(dockerfile: &str, tags: &[&str], push: bool) -> StepSpec {
    let image = ImageBuild {
        build: BuildSpec {
            context: ".".into(),
            dockerfile_inline: Some(dockerfile.into()),
            ..BuildSpec::default()
        },
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        push,
        login: Some(RegistryLogin {
            user: "ci".into(),
            secret: "REGISTRY".into(),
        }),
    };
    StepSpec {
        name: "publish".into(),
        action: StepAction::Image(Box::new(image)),
        ..StepSpec::default()
    }
}

fn input(stage: &Stage, spec: JobSpec, password: &str) -> AttemptInput {
    AttemptInput {
        secrets: secrets(&[("REGISTRY", password)]),
        ..stage.input(spec)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_built_named_pushed_and_comes_back_the_same() {
    let registry = DockerRegistry::start("ci", PASSWORD);
    let stage = Stage::new(1).await;
    let unique = uuid::Uuid::now_v7().simple();
    let dockerfile = format!("FROM busybox\nCOPY hello /hello\nRUN echo {unique} {PASSWORD} > /unique\n");
    let tags = ["1.2", "latest"].map(|tag| format!("{}/team/app:{tag}", registry.address));
    let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    let first = input(&stage, job(vec![building(&dockerfile, &tags, true)]), PASSWORD);
    let story = stage.run_input(first.clone(), CancellationToken::new()).await;
    assert_eq!(story.message(), "Passed", "{:?}", story.log(&StreamId::job()));

    let folder = AttemptFolder::of(&stage.context.attempts, &first.attempt);
    let outputs = std::fs::read_to_string(folder.step(0).join("outputs")).unwrap();
    let output = |name: &str| {
        let line = outputs.lines().find_map(|line| line.strip_prefix(&format!("{name}=")));
        line.unwrap_or_else(|| panic!("no {name} in {outputs}")).to_owned()
    };
    let (id, digest) = (output("IMAGE_ID"), output("DIGEST"));
    assert_eq!(output("IMAGE"), format!("{}/team/app@{digest}", registry.address));
    let log = story.step(0);
    assert!(log.iter().any(|line| line.starts_with("Successfully built")), "{log:?}");
    assert!(
        log.iter().any(|line| line.contains(&format!("digest {digest}"))),
        "{log:?}"
    );
    assert!(log.len() < 30, "layers are no news: {log:?}");
    assert!(!log.join("\n").contains(PASSWORD), "{log:?}");
    let all_labels = docker(&["inspect", "-f", "{{json .Config.Labels}}", &id]);
    assert!(!all_labels.contains("drover."), "{all_labels}");

    // gone from here, it comes back from there, for those who may have it
    Layers::of(&id).remove(&tags);
    let engine = &stage.context.engine;
    let refused = engine.ensure_image(tags[0], |_| ()).await.unwrap_err();
    assert!(matches!(refused, EngineError::ImageRefused { .. }), "{refused}");
    assert!(!refused.to_string().contains("responded with status"), "{refused}");
    let mut logins = Logins::default();
    let login = Login {
        user: "ci".into(),
        password: SecretValue(PASSWORD.into()),
    };
    logins.add(tags[0], login);
    let request = ImageRequest::of(tags[0]);
    let back = engine.obtain_image(&request, logins.of(tags[0]), |_| ()).await.unwrap();
    assert_eq!(back.id, id);
    docker(&["rmi", tags[0]]);

    // and a job whose step logs in there runs in it
    let inside = StepSpec {
        image: tags[1].into(),
        ..step("cat /hello")
    };
    let second = job(vec![inside, building("FROM busybox\n", &[tags[1]], false)]);
    let story = stage
        .run_input(input(&stage, second, PASSWORD), CancellationToken::new())
        .await;
    assert_eq!(story.message(), "Passed", "{:?}", story.log(&StreamId::job()));
    assert_eq!(story.step(0), ["hello from the tree"]);
    docker(&["rmi", tags[1]]);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_the_user_s_and_a_silence_is_ours() {
    let registry = DockerRegistry::start("ci", PASSWORD);
    let stage = Stage::new(1).await;
    let mut message = Vec::new();
    let unreachable = "127.0.0.1:1/app:1".to_owned();
    for tag in [format!("{}/app:1", registry.address), unreachable] {
        let publish = job(vec![building("FROM busybox\n", &[&tag], true)]);
        let story = stage
            .run_input(input(&stage, publish, "wrong"), CancellationToken::new())
            .await;
        message.push(story.message().replace(&registry.address, "REGISTRY"));
        let names = docker(&["images", "-q", &tag]);
        assert_eq!(names, "", "the engine forgets the name");
    }
    let mut no_secret = stage.input(job(vec![building("FROM busybox\n", &["x:1"], true)]));
    no_secret.secrets.clear();
    message.push(stage.run_input(no_secret, CancellationToken::new()).await.message());
    let broken = job(vec![building("FROM busybox\nRUN exit 9\n", &["x:1"], true)]);
    message.push(
        stage
            .run_input(input(&stage, broken, PASSWORD), CancellationToken::new())
            .await
            .message(),
    );
    let optional = StepSpec {
        allow_failure: true,
        ..building("FROM busybox\nRUN exit 9\n", &["busybox"], false)
    };
    let user = StepSpec {
        image: "busybox:latest".into(),
        ..step("echo it would run in another image than was meant")
    };
    let in_vain = input(&stage, job(vec![optional, user]), PASSWORD);
    message.push(stage.run_input(in_vain, CancellationToken::new()).await.message());
    insta::assert_snapshot!(message.join("\n"), @r#"
    Failed StepFailed: step `publish`: the registry `REGISTRY` refuses `REGISTRY/app:1`: unauthorized: authentication required; check user `ci` and the secret `REGISTRY`
    Errored Infrastructure: step `publish`: `127.0.0.1:1/app:1` cannot be pushed: Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused
    Failed SecretMissing: the secret `REGISTRY` (step `publish`) does not exist; set it with `drover secret set`
    Failed StepFailed: step `publish`: the image cannot be built: line 2 of `dockerfile_inline` (`RUN exit 9`): The command '/bin/sh -c exit 9' returned a non-zero code: 9
    Failed ImageNotFound: step `echo it would run in another image than was meant`: image `busybox:latest` does not exist: step `publish`, which builds it, did not pass
    "#);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_is_stopped_by_its_limit_and_by_a_cancel() {
    let stage = Stage::new(1).await;
    let marker = uuid::Uuid::now_v7().simple().to_string();
    let dockerfile = format!("FROM busybox\nRUN echo begun; sleep 1000; echo {marker}\n");
    let slow = StepSpec {
        timeout_secs: Some(1),
        ..building(&dockerfile, &["drover-test/slow:1"], false)
    };
    let story = stage
        .run_input(input(&stage, job(vec![slow]), PASSWORD), CancellationToken::new())
        .await;
    assert!(
        story
            .message()
            .starts_with("TimedOut Timeout: step `publish` ran longer"),
        "{}",
        story.message()
    );
    assert_eq!(story.steps(), [(0, StepStatus::TimedOut)]);

    let slow = input(
        &stage,
        job(vec![building(&dockerfile, &["drover-test/slow:1"], false)]),
        PASSWORD,
    );
    let cancel = CancellationToken::new();
    let (story, ()) = tokio::join!(stage.run_input(slow.clone(), cancel.clone()), async {
        stage.said(&slow, &StreamId::step(0), "begun").await;
        cancel.cancel();
    });
    assert_eq!(story.message(), "Cancelled Cancelled: cancelled in step `publish`");
    // the engine ends a build's container when nobody listens any more
    let running = || {
        docker(&[
            "ps",
            "-aq",
            "--no-trunc",
            "--filter",
            "ancestor=busybox",
            "--format",
            "{{.Command}}",
        ])
    };
    while running().contains(&marker) {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    stage.close().await;
}
