//! Names and images of others.

use agent::attempt::folder::AttemptFolder;
use job_specs::model::{RegistryLogin, ServiceSpec, StepAction, StepSpec};

use super::{building, fork, inline, run, trusted};
use crate::docker_registry::DockerRegistry;
use crate::layers::{Layers, docker};
use crate::stage::{EmptyImage, Stage, job, secrets, service, step};

/// A name that is on the machine, for an image that can run.
struct HostImage(String);

impl HostImage {
    fn new() -> HostImage {
        let name = format!("drover-test/base:{}", uuid::Uuid::now_v7().simple());
        docker(&["tag", "busybox", &name]);
        HostImage(name)
    }
}

impl Drop for HostImage {
    fn drop(&mut self) {
        docker(&["rmi", &self.0]);
    }
}

fn in_image(image: &str, script: &str) -> StepSpec {
    StepSpec {
        image: image.into(),
        ..step(script)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_that_builds_an_image_under_a_name_of_the_machine_has_it_for_itself() {
    let stage = Stage::new(1).await;
    let base = HostImage::new();
    let before = docker(&["inspect", "-f", "{{.Id}}", &base.0]);
    let evil = format!("FROM busybox\nRUN echo evil > /mark # {}\n", base.0);
    let look = "cat /mark 2>/dev/null || echo clean";

    let spec = job(vec![building(&evil, &[&base.0], false), in_image(&base.0, look)]);
    let story = run(&stage, fork(&stage, "victim", spec)).await;
    assert_eq!(story.message(), "Passed", "{:?}", story.step(0));
    assert_eq!(story.step(1), ["evil"], "its own build is its own image");

    let mut spec = job(vec![in_image(&base.0, look)]);
    let built = ServiceSpec {
        image: base.0.clone(),
        build: Some(inline(&evil)),
        run_once: true,
        command: Some(vec!["cat".into(), "/mark".into()]),
        ..service("evil", "")
    };
    let twin = ServiceSpec {
        run_once: true,
        command: Some(vec!["cat".into(), "/mark".into()]),
        ..service("twin", &base.0)
    };
    spec.services = vec![built, twin];
    let story = run(&stage, fork(&stage, "victim", spec)).await;
    assert_eq!(
        story.message(),
        "Passed",
        "{:?}",
        story.log(&protocol::ids::StreamId::job())
    );
    assert_eq!(story.step(0), ["evil"]);
    assert_eq!(story.log(&protocol::ids::StreamId::service("twin")), ["evil"]);

    assert_eq!(docker(&["inspect", "-f", "{{.Id}}", &base.0]), before);
    let story = run(&stage, trusted(&stage, "other", job(vec![in_image(&base.0, look)]))).await;
    assert_eq!(story.step(0), ["clean"]);
    stage.close().await; // and nothing of the builds is left
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_job_built_is_for_nobody_else_not_even_by_its_id() {
    let stage = Stage::new(1).await;
    let name = format!("drover-test/mine:{}", uuid::Uuid::now_v7().simple());
    let secret = format!("FROM busybox\nRUN echo private > /mark # {name}\n");
    let owner = trusted(&stage, "other", job(vec![building(&secret, &[&name], false)]));
    let folder = AttemptFolder::of(&stage.context.attempts, &owner.attempt);
    let story = run(&stage, owner).await;
    assert_eq!(story.message(), "Passed");
    let outputs = std::fs::read_to_string(folder.step(0).join("outputs")).unwrap();
    let id = outputs.lines().find_map(|line| line.strip_prefix("IMAGE_ID=")).unwrap();
    let short = &id["sha256:".len()..][..12];

    for image in [name.as_str(), id, short] {
        let spec = job(vec![in_image(image, "cat /mark")]);
        let story = run(&stage, fork(&stage, "victim", spec)).await;
        assert_ne!(story.message(), "Passed", "{image}");
        assert!(story.step(0).is_empty(), "{image}: {:?}", story.step(0));

        let from = format!("FROM {image}\nRUN cat /mark\n");
        let story = run(
            &stage,
            fork(&stage, "victim", job(vec![building(&from, &["x:1"], false)])),
        )
        .await;
        assert_ne!(story.message(), "Passed", "{image}");
        assert!(!story.step(0).contains(&"private"), "{image}: {:?}", story.step(0));
    }
    Layers::of(id).remove(&[]);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_was_fetched_with_a_login_is_for_those_who_have_one() {
    let registry = DockerRegistry::start("ci", "s3cr3t");
    let stage = Stage::new(1).await;
    let name = format!("{}/team/app:1", registry.address);
    let with_login = |step: StepSpec| match step.action {
        StepAction::Image(mut image) => {
            image.login = Some(RegistryLogin {
                user: "ci".into(),
                secret: "REGISTRY".into(),
            });
            StepSpec {
                action: StepAction::Image(image),
                ..step
            }
        }
        _ => step,
    };
    let input = |spec| {
        let mut input = trusted(&stage, "owner", spec);
        input.secrets = secrets(&[("REGISTRY", "s3cr3t")]);
        input
    };
    let unique = format!("FROM busybox\nRUN echo private > /mark # {name}\n");
    let publish = with_login(building(&unique, &[&name], true));
    assert_eq!(run(&stage, input(job(vec![publish]))).await.message(), "Passed");
    let names = docker(&["images", "-q", &name]);
    assert!(names.trim().is_empty(), "its name is gone again: {names}");

    let never = StepSpec {
        skip: Some("only its login counts".into()),
        ..with_login(building("FROM busybox\n", &[&name], false))
    };
    let look = || in_image(&name, "cat /mark");
    let story = run(&stage, input(job(vec![look(), never]))).await;
    assert_eq!((story.message().as_str(), story.step(0)), ("Passed", vec!["private"]));

    for stranger in [
        fork(&stage, "owner", job(vec![look()])),
        trusted(&stage, "stranger", job(vec![look()])),
        trusted(
            &stage,
            "stranger",
            job(vec![building(&format!("FROM {name}\n"), &["x:1"], false)]),
        ),
    ] {
        let story = run(&stage, stranger).await;
        assert!(story.message().contains("refuses image"), "{}", story.message());
        assert!(!story.step(0).contains(&"private"), "{:?}", story.step(0));
    }
    drop(registry);
    let story = run(&stage, trusted(&stage, "owner", job(vec![look()]))).await;
    assert_eq!(story.message(), "Passed", "who has fetched it needs no registry");
    Layers::of(&name).remove(&[&name]);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agents_own_images_are_run_by_nobody() {
    let stage = Stage::new(1).await;
    let anchor = docker(&["images", "--format", "{{.Repository}}:{{.Tag}}", "drover/anchor"]);
    let anchor = anchor.lines().next().unwrap().to_owned();
    for spec in [
        job(vec![in_image(&anchor, "true")]),
        job(vec![building(&format!("FROM {anchor}\n"), &["x:1"], false)]),
    ] {
        let story = run(&stage, trusted(&stage, "app", spec)).await;
        assert!(story.message().contains("reserved"), "{}", story.message());
    }
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn images_of_the_machine_are_for_whom_its_owner_says() {
    use agent::engine::{HostImages, Policy};
    let policy = Policy {
        host_images: HostImages::Trusted,
        ..Policy::default()
    };
    let stage = Stage::under(1, policy).await;
    let image = EmptyImage::new();
    let spec = || {
        job(vec![StepSpec {
            action: StepAction::Entrypoint(vec!["/.drover/gate".into(), "--help".into()]),
            image: image.name.clone(),
            ..StepSpec::default()
        }])
    };
    let message = run(&stage, fork(&stage, "app", spec())).await.message();
    assert!(message.contains("image"), "{message}");
    let message = run(&stage, trusted(&stage, "app", spec())).await.message();
    assert!(
        !message.contains("cannot be pulled") && !message.contains("does not exist"),
        "{message}"
    );
    stage.close().await;
}
