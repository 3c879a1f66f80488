//! Services that are built from the workspace.

use std::collections::BTreeMap;
use std::path::Path;

use agent::attempt::report::reasons::code_of;
use agent::stack::StackSpec;
use futures_util::FutureExt;
use job_specs::model::{BuildSpec, ServiceSpec};
use protocol::attempt::ReasonCode;

use super::{Running, start_in};
use crate::layers::{Layers, docker};
use crate::world::World;

// key: services.build
fn built(name: &str, build: BuildSpec) -> ServiceSpec {
    ServiceSpec {
        name: name.into(),
        build: Some(build),
        run_once: true,
        ..ServiceSpec::default()
    }
}

fn context(folder: &str) -> BuildSpec {
    BuildSpec {
        context: folder.into(),
        ..BuildSpec::default()
    }
}

/// With these files in the workspace, and a link `up` that leads out.
async fn with_files(files: &[(&str, &str)], services: Vec<ServiceSpec>) -> Running {
    let world = World::new().await;
    let workspace = world.data().join("workspace");
    for (path, text) in files {
        let path = workspace.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    std::os::unix::fs::symlink(Path::new(".."), workspace.join("up")).unwrap(); // leads out
    let mut spec = StackSpec::new(world.agent.clone(), services, world.data().join("stack"));
    spec.workspace = Some(std::future::ready(Some(workspace)).boxed().shared());
    start_in(world, spec).await
}

fn images(running: &Running) -> Vec<String> {
    let filter = format!("label=drover.stack={}", running.world.agent);
    let ids = docker(&["images", "-q", "--no-trunc", "--filter", &filter]);
    ids.lines().map(String::from).collect()
}

const DOCKERFILE: &str = r#"# what is served
ARG GREETING=none
FROM busybox AS base
ARG GREETING
COPY . /app
RUN echo "$GREETING" > /greeting

FROM base AS web
CMD ["sh", "-c", "cat /greeting; cd /app; find . -type f | sort"]

FROM base AS unwanted
CMD ["false"]
"#;

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_built_by_its_context_arguments_and_target() {
    let files = [
        ("app/images/web.Dockerfile", DOCKERFILE),
        ("app/.dockerignore", "*.log\nsecret\n!keep.log\n"),
        ("app/main.py", ""),
        ("app/run.log", ""),
        ("app/keep.log", ""),
        ("app/secret/key", ""),
        ("beside", ""),
    ];
    let web = BuildSpec {
        dockerfile: Some("./images/web.Dockerfile".into()),
        args: BTreeMap::from([("GREETING".into(), "hello".into())]),
        target: Some("web".into()),
        labels: BTreeMap::from([("team".into(), "blue".into())]),
        ..context("app")
    };
    let twin = ServiceSpec {
        name: "twin".into(),
        ..built("web", web.clone())
    };
    let running = with_files(&files, vec![built("web", web), twin]).await;
    running.ready().await;
    let log = running.log("web");
    assert!(log.iter().any(|line| line.starts_with("Step 1/")), "{log:?}");
    let said = log.iter().skip_while(|line| *line != "hello");
    let said: Vec<&str> = said.map(String::as_str).collect();
    insta::assert_snapshot!(said.join("\n"), @"
    hello
    ./.dockerignore
    ./images/web.Dockerfile
    ./keep.log
    ./main.py
    ");
    let images = images(&running);
    assert!(!images.is_empty());
    assert_eq!(
        docker(&["inspect", "-f", "{{.Config.Labels.team}}", &images[0]]).trim(),
        "blue"
    );
    let layers: Vec<Layers> = images.iter().map(|image| Layers::of(image)).collect();
    running.close().await; // and finds neither of them left
    assert!(images.iter().all(|image| is_gone(image)));
    layers.into_iter().for_each(|layers| layers.remove(&[]));
}

fn is_gone(image: &str) -> bool {
    let looked = std::process::Command::new("docker")
        .args(["inspect", image])
        .output()
        .unwrap();
    !looked.status.success()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dockerfile_may_stand_in_the_job_file_and_the_image_s_name_is_for_its_stack() {
    let inline = BuildSpec {
        dockerfile_inline: Some("FROM busybox\nCOPY . /app\nCMD find /app -type f\n".into()),
        no_cache: true,
        ..context(".")
    };
    let name = format!("drover-test/named:{}", uuid::Uuid::now_v7().simple());
    let web = ServiceSpec {
        image: name.clone(),
        ..built("web", inline)
    };
    let running = with_files(&[("data", "")], vec![web]).await;
    running.ready().await;
    assert_eq!(running.log("web").last().map(String::as_str), Some("/app/data"));
    assert!(is_gone(&name), "the engine does not know it");
    let layers: Vec<Layers> = images(&running).iter().map(|image| Layers::of(image)).collect();
    running.close().await;
    layers.into_iter().for_each(|layers| layers.remove(&[]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_fails_says_where() {
    let fails = |dockerfile: &str| vec![("Dockerfile".to_owned(), dockerfile.to_owned())];
    let table = [
        (
            ".",
            fails("FROM busybox\n\n# why\nRUN echo compiling && \\\n    exit 3\n"),
        ),
        (".", fails("FROM busybox\nCOPY gone /app\n")),
        (".", fails("FORM busybox\n")),
        (".", Vec::new()),
        ("nowhere", Vec::new()),
        ("up", Vec::new()),
    ];
    let mut message = Vec::new();
    for (folder, files) in table {
        let mut files: Vec<(&str, &str)> = files
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
            .collect();
        files.push(("some/file", ""));
        let running = with_files(&files, vec![built("web", context(folder))]).await;
        let failure = running.failed().await;
        assert_eq!(code_of(&failure), ReasonCode::ImageNotFound, "{failure:?}");
        let last = failure
            .last_lines
            .last()
            .map_or(String::new(), |line| format!(" [{line}]"));
        message.push(failure.sentence() + &last);
        running.close().await;
    }
    insta::assert_snapshot!(message.join("\n"), @"
    the image of service `web` cannot be built: line 4 of `Dockerfile` (`RUN echo compiling &&     exit 3`): The command '/bin/sh -c echo compiling &&     exit 3' returned a non-zero code: 3 [compiling]
    the image of service `web` cannot be built: line 2 of `Dockerfile` (`COPY gone /app`): COPY failed: file not found in build context or excluded by .dockerignore: stat gone: file does not exist [Step 2/2 : COPY gone /app]
    the image of service `web` cannot be built: `Dockerfile`: dockerfile parse error line 1: unknown instruction: FORM
    the image of service `web` cannot be built: there is no `Dockerfile` in its context `.`
    the image of service `web` cannot be built: its context `nowhere` is not in the workspace
    the image of service `web` cannot be built: its context `up` leads out of the workspace by a link
    ");
}
