//! Caches and artifacts at the coordinator, on good and bad roads.

use job_specs::model::{ArtifactSpec, CacheSpec, JobSpec, Need};
use protocol::ids::StreamId;

use super::Site;
use crate::stage::{job, message, step};

fn with_artifact(script: &str) -> JobSpec {
    JobSpec {
        artifacts: vec![ArtifactSpec {
            name: "my binary/1".into(),
            paths: vec!["out".into()],
            ..ArtifactSpec::default()
        }],
        caches: vec![CacheSpec {
            key: "cargo 1/x".into(),
            fallback: vec!["cargo".into()],
            paths: vec!["/var/cache/things".into()],
        }],
        ..job(vec![step(script)])
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_job_keeps_the_next_one_finds() {
    let site = Site::new().await;
    site.coordinator.change(|truth| truth.broken_uploads = 2);
    let agent = site.agent(site.config());
    let first = site.queue(with_artifact(
        "mkdir out; echo app > out/app; seq 100000 > out/numbers; echo c > /var/cache/things/c",
    ));
    assert_eq!(message(&site.coordinator.finished(&first).await), "Passed");
    let mut next = with_artifact("cat out/app /var/cache/things/c; wc -l < out/numbers");
    next.needs = vec![Need {
        job: "build".into(),
        artifacts: true,
        ..Need::default()
    }];
    let second = site.queue(next);
    assert_eq!(message(&site.coordinator.finished(&second).await), "Passed");
    agent.drain().await;
    {
        let truth = site.coordinator.truth();
        let kept: Vec<&String> = truth.archives.keys().collect();
        assert_eq!(kept, ["artifacts/my binary/1", "caches/cargo 1/x"]);
        assert_eq!(truth.lines(&second, &StreamId::step(0)), ["app", "c", "100000"]);
    }
    site.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artifact_over_the_quota_fails_the_job_and_says_so() {
    let site = Site::new().await;
    site.coordinator.change(|truth| truth.artifact_bytes = 1_000);
    let agent = site.agent(site.config());
    let attempt = site.queue(with_artifact("mkdir out; head -c 2000000 /dev/urandom > out/app"));
    let result = site.coordinator.finished(&attempt).await;
    assert_eq!(
        message(&result),
        "Failed ArtifactNotKept: artifact `my binary/1` cannot be kept: it is larger than 1000 B, which is what one \
         artifact may have"
    );
    agent.drain().await;
    assert!(site.coordinator.truth().archives.is_empty(), "nor is its cache");
    site.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_cache_is_no_cache_and_a_damaged_artifact_is_our_fault() {
    let site = Site::new().await;
    site.coordinator
        .change(|truth| drop(truth.archives.insert("caches/cargo 1/x".into(), b"no archive".to_vec())));
    let agent = site.agent(site.config());
    let attempt = site.queue(with_artifact("ls /var/cache/things; mkdir out; echo 1 > out/1"));
    assert_eq!(message(&site.coordinator.finished(&attempt).await), "Passed");
    let lines = site.coordinator.truth().lines(&attempt, &StreamId::job());
    let said = "cache cargo 1/x: not restored: the archive is damaged";
    assert!(lines.iter().any(|line| line.starts_with(said)), "{lines:?}");

    site.coordinator
        .change(|truth| drop(truth.archives.insert("artifacts/a".into(), b"no archive".to_vec())));
    let mut next = job(vec![step("true")]);
    next.needs = vec![Need {
        job: "build".into(),
        artifacts: true,
        ..Need::default()
    }];
    let attempt = site.queue(next);
    let sentence = message(&site.coordinator.finished(&attempt).await);
    assert!(
        sentence.starts_with(
            "Errored Infrastructure: the artifact `a` of build cannot be unpacked: the archive is damaged"
        ),
        "{sentence}"
    );
    agent.drain().await;
    site.assert_clean().await;
}
