//! Jobs on this machine without a coordinator, and the reaper that cleans up behind them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use agent::engine;
use agent::local::{self, LocalEvent, LocalOutcome, LocalRun};
use job_specs::model::{JobSpec, Resources};
use job_specs::status::JobStatus;
use protocol::ids::StreamId;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::stage::{job, secrets, step, texts};

/// With this variable the test binary is a reaper.
const REAPER: &str = "DROVER_TEST_IS_REAPER";

/// Not a test of its own: what the runs of the others start as their reaper.
#[test]
fn the_reaper() {
    if std::env::var_os(REAPER).is_some() {
        local::reap_main();
    }
}

/// A folder for a run, and a pipe that ends when its reaper is done.
struct Files {
    folder: TempDir,
}

impl Files {
    fn new() -> Files {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("tree");
        std::fs::create_dir(&tree).unwrap();
        std::fs::write(tree.join("hello"), "hello\n").unwrap();
        let made = Command::new("mkfifo")
            .arg(folder.path().join("reaped"))
            .status()
            .unwrap();
        assert!(made.success());
        Files { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, jobs: Vec<JobSpec>) -> LocalRun {
        let me = std::env::current_exe().unwrap();
        let script = format!(
            "{REAPER}=1 '{}' --exact local::the_reaper --nocapture; echo done > '{}'",
            me.display(),
            self.path("reaped").display()
        );
        LocalRun {
            tree: self.path("tree"),
            repository: "here".into(),
            jobs,
            met: Vec::new(),
            source: None,
            hold: None,
            env: Default::default(),
            secrets: secrets(&[("TOKEN", "s3cr3t-t0ken")]),
            slots: 2,
            data: self.path("data"),
            reaper: vec!["sh".into(), "-c".into(), script],
        }
    }

    /// Waits until the reaper is done; nothing is left.
    async fn reaped(&self) {
        let fifo = self.path("reaped");
        tokio::task::spawn_blocking(move || std::fs::read_to_string(fifo).unwrap())
            .await
            .unwrap();
        let runs: Vec<_> = std::fs::read_dir(self.path("data/runs")).unwrap().collect();
        assert!(runs.is_empty(), "{runs:?}");
    }
}

/// What the run of a place calls itself in the engine.
fn label(data: &Path) -> String {
    let run = std::fs::read_dir(data.join("runs")).unwrap().next().unwrap().unwrap();
    format!("local-{}", run.file_name().to_str().unwrap())
}

fn named(name: &str, needs: &[&str], script: &str) -> JobSpec {
    JobSpec {
        name: name.into(),
        needs: needs.iter().map(|&need| need.into()).collect(),
        ..job(vec![step(script)])
    }
}

fn statuses(outcomes: &[LocalOutcome]) -> Vec<JobStatus> {
    outcomes.iter().map(|outcome| outcome.status).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_run_in_the_order_of_their_needs() {
    let files = Files::new();
    let mut secret = named("test", &["build"], "cat hello; echo $TOKEN; seq 1 3000");
    secret.steps[0].secrets = vec!["TOKEN".into()];
    let jobs = vec![
        named("deploy", &["test", "lint"], "echo never"),
        secret,
        named("build", &[], "echo built"),
        named("lint", &[], "exit 1"),
    ];
    let (events, mut message) = mpsc::unbounded_channel();
    let outcomes = local::run(files.run(jobs), events, CancellationToken::new())
        .await
        .unwrap()
        .outcomes;
    use JobStatus::{Failed, Passed, Skipped};
    assert_eq!(statuses(&outcomes), [Skipped, Passed, Passed, Failed]);

    let (mut lines, mut ended) = (Vec::new(), Vec::new());
    while let Ok(event) = message.try_recv() {
        match event {
            LocalEvent::Lines {
                job: 1,
                stream,
                records,
            } if stream == StreamId::step(0) => {
                assert!(!ended.contains(&1), "all lines come before the end");
                lines.extend(texts(&records));
            }
            LocalEvent::Finished { job, .. } => ended.push(job),
            _ => {}
        }
    }
    let numbers = (1..=3000).map(|n: u32| n.to_string());
    let expected = ["hello".to_owned(), "•••".to_owned()].into_iter().chain(numbers);
    assert!(lines.into_iter().eq(expected));
    let place_of = |job| ended.iter().position(|&ended| ended == job).unwrap();
    assert!(place_of(2) < place_of(1));
    files.reaped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_ends_what_runs_and_what_waits() {
    let files = Files::new();
    let jobs = vec![named("a", &[], "echo on; sleep 1000"), named("b", &["a"], "echo never")];
    let (events, mut message) = mpsc::unbounded_channel();
    let cancel = CancellationToken::new();
    let run = tokio::spawn(local::run(files.run(jobs), events, cancel.clone()));
    while let Some(event) = message.recv().await {
        if matches!(event, LocalEvent::Lines { stream, .. } if stream == StreamId::step(0)) {
            cancel.cancel();
        }
    }
    let outcomes = run.await.unwrap().unwrap().outcomes;
    assert_eq!(statuses(&outcomes), [JobStatus::Cancelled; 2]);
    files.reaped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_leaves_nothing() {
    let files = Files::new();
    let runner = tokio::runtime::Runtime::new().unwrap();
    let (events, mut message) = mpsc::unbounded_channel();
    let mut spec = named("a", &[], "echo on; sleep 1000");
    spec.resources = Resources {
        memory_bytes: Some(64 << 20),
        ..Resources::default()
    };
    let run = local::run(files.run(vec![spec]), events, CancellationToken::new());
    runner.spawn(run);
    while let Some(event) = message.recv().await {
        if matches!(event, LocalEvent::Lines { stream, .. } if stream == StreamId::step(0)) {
            break;
        }
    }
    let label = label(&files.path("data"));
    runner.shutdown_background();
    files.reaped().await;
    assert_eq!(engine::reap(None, &label).await.unwrap().containers, 0);
    let listed = Command::new("docker")
        .args([
            "network",
            "ls",
            "-q",
            "--filter",
            &format!("label=drover.agent={label}"),
        ])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(listed.stdout.is_empty());
}
