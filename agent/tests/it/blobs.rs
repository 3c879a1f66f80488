//! Caches and artifacts of jobs on the real engine, kept in a folder as for a local run.

use job_specs::model::{ArtifactSpec, CacheSpec, JobSpec, Need, WhenStatus};
use protocol::attempt::{ArtifactOutcome, CacheOutcome, EventKind, Verdict};
use protocol::ids::StreamId;

use super::stage::{Stage, Story, job, step};

fn artifact(name: &str, paths: &[&str]) -> ArtifactSpec {
    ArtifactSpec {
        name: name.into(),
        paths: paths.iter().map(|&path| path.into()).collect(),
        ..ArtifactSpec::default()
    }
}

fn cache(key: &str, fallback: &[&str], paths: &[&str]) -> CacheSpec {
    let owned = |all: &[&str]| all.iter().map(|&one| one.into()).collect();
    CacheSpec {
        key: key.into(),
        fallback: owned(fallback),
        paths: owned(paths),
    }
}

/// What the job's log says about caches and artifacts, without times and sizes.
fn said(story: &Story) -> String {
    let lines = story.log(&StreamId::job()).into_iter();
    let ours = lines.filter(|line| line.contains("cache ") || line.contains("artifact"));
    let plain = |line: &str| match line.find(" (") {
        Some(end) if line.ends_with(')') => line[..end].to_owned(),
        _ => line.to_owned(),
    };
    ours.map(plain).collect::<Vec<_>>().join("\n")
}

// key: artifacts
#[tokio::test]
async fn an_artifact_of_one_job_is_in_the_workspace_of_the_next() {
    let stage = Stage::new(1).await;
    let mut build = job(vec![step(
        "mkdir -p out/bin && echo hi > out/bin/app && chmod +x out/bin/app && ln -s bin/app out/link && ln -s /etc/passwd out/bad \
         && ln -s /workspace/out/bin/app out/bin/own",
    )]);
    build.name = "build".into();
    build.artifacts = vec![
        artifact("binary", &["out/**", "nowhere/*"]),
        artifact("none", &["*.zip"]),
    ];
    let story = stage.run(build).await;
    assert_eq!(story.result.verdict, Verdict::Passed, "{:?}", story.result);
    let kept = story.events.iter().any(|event| {
        matches!(&event.kind, EventKind::Artifact { name, outcome: ArtifactOutcome::Kept { files: 3, .. } } if name == "binary")
    });
    assert!(kept, "{:?}", story.events);
    let said = said(&story);
    assert!(
        said.contains("warning: artifact binary: nothing matches `nowhere/*`"),
        "{said}"
    );
    assert!(
        said.contains("warning: artifact binary: `out/bad` is a link that leads out of the workspace"),
        "{said}"
    );
    assert!(
        said.contains("warning: artifact none: no file matches its paths; nothing is kept"),
        "{said}"
    );

    let mut test = job(vec![step(
        "test -x out/bin/app && cat out/link && test ! -e out/bad && test $(readlink out/bin/own) = ../../out/bin/app && cat out/bin/own",
    )]);
    test.name = "test".into();
    test.needs = vec![Need {
        job: "build".into(),
        artifacts: true,
        ..Need::default()
    }];
    let story = stage.run(test).await;
    assert_eq!(
        story.result.verdict,
        Verdict::Passed,
        "{} {:?}",
        story.message(),
        story.log(&StreamId::step(0))
    );
    stage.close().await;
}

// key: cache
#[tokio::test]
async fn a_cache_is_there_again_in_every_step_of_the_next_build() {
    let stage = Stage::new(1).await;
    let paths = ["/root/.cargo/registry", "target"];
    let mut first = job(vec![step(
        "mkdir -p target && echo a > target/a && echo b > /root/.cargo/registry/b",
    )]);
    first.caches = vec![cache("cargo-1", &["cargo-"], &paths)];
    let story = stage.run(first).await;
    assert_eq!(story.result.verdict, Verdict::Passed, "{:?}", story.result);
    insta::assert_snapshot!(said(&story), @"
    cache cargo-1: there is none yet
    cache cargo-1: saved
    ");

    let look = "cat target/a /root/.cargo/registry/b";
    let mut second = job(vec![step(look), step(look)]);
    second.caches = vec![cache("cargo-1", &["cargo-"], &paths)];
    let story = stage.run(second).await;
    assert_eq!(
        story.result.verdict,
        Verdict::Passed,
        "{} {:?}",
        story.message(),
        story.log(&StreamId::step(0))
    );
    insta::assert_snapshot!(said(&story), @"cache cargo-1: restored");

    let mut third = job(vec![step(look), step("exit 1")]);
    third.caches = vec![cache("cargo-2", &["npm-", "cargo-"], &paths)];
    let story = stage.run(third).await;
    assert_eq!(story.result.verdict, Verdict::Failed);
    let restored = story.events.iter().any(|event| {
        matches!(&event.kind, EventKind::Cache { outcome: CacheOutcome::Restored { from, .. }, .. } if from == "cargo-1")
    });
    assert!(restored, "{:?}", story.events);
    insta::assert_snapshot!(said(&story), @"cache cargo-2: restored from cargo-1");
    stage.close().await;
}

#[tokio::test]
async fn a_build_that_is_not_trusted_writes_no_cache_and_a_failure_keeps_its_own_artifacts() {
    let stage = Stage::new(1).await;
    let mut spec: JobSpec = job(vec![step(
        "mkdir -p target; echo a > target/a; echo log > core.log; exit 3",
    )]);
    let on_failure = WhenStatus {
        success: false,
        failure: true,
    };
    spec.artifacts = vec![
        artifact("binary", &["target"]),
        ArtifactSpec {
            when: on_failure,
            ..artifact("cores", &["*.log"])
        },
    ];
    let story = stage.run(spec).await;
    assert_eq!(story.result.verdict, Verdict::Failed);
    let names: Vec<&str> = story
        .events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::Artifact { name, .. } => Some(name.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(names, ["cores"]);

    let mut fork = job(vec![step("mkdir -p target; echo a > target/a")]);
    fork.caches = vec![cache("k", &[], &["target"])];
    let mut input = stage.input(fork);
    input.trusted = false;
    let story = stage.run_input(input, Default::default()).await;
    assert_eq!(story.result.verdict, Verdict::Passed);
    assert!(
        said(&story).contains("cache k: not saved: the build is not trusted, so it may only read caches"),
        "{}",
        said(&story)
    );
    stage.close().await;
}

#[tokio::test]
async fn names_of_any_bytes_are_kept_and_come_back() {
    let stage = Stage::new(1).await;
    // a name in Latin-1
    let with_name = |script: &str| step(&format!("name=$(printf 'testu\\347\\365es.txt'); {script}"));
    let caches = || vec![cache("names-1", &[], &["target"])];
    let mut make = job(vec![with_name(
        "mkdir -p out target; echo artifact > out/$name; echo cache > target/$name",
    )]);
    make.name = "make".into();
    make.artifacts = vec![artifact("names", &["out/**"])];
    make.caches = caches();
    let story = stage.run(make).await;
    assert_eq!(story.message(), "Passed", "{}", said(&story));

    let mut take = job(vec![with_name("cat out/$name target/$name")]);
    take.name = "take".into();
    take.needs = vec![Need {
        job: "make".into(),
        artifacts: true,
        ..Need::default()
    }];
    take.caches = caches();
    let story = stage.run(take).await;
    assert_eq!(story.message(), "Passed", "{} {:?}", said(&story), story.step(0));
    assert_eq!(story.step(0), ["artifact", "cache"]);
    stage.close().await;
}
