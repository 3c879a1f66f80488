//! One agent's engine, pool and folders for a test, job specifications in few words, and the look at what is left.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use agent::attempt::folder::AttemptFolder;
use agent::attempt::retained::Retained;
use agent::attempt::{self, AttemptContext, AttemptInput, Code, Outlet, StreamNews};
use agent::blobs::{Blobs, Folder};
use agent::checkout::Mirrors;
use agent::engine::{Engine, EngineConfig, Limits, LocalAccess, Policy};
use agent::logs::lines::LineAssembler;
use agent::logs::tail::Watcher;
use agent::sandbox::{Pool, PoolConfig};
use job_specs::model::{JobSpec, ServiceSpec, Shell, StepAction, StepSpec, WhenStatus};
use protocol::attempt::{AttemptEvent, AttemptResult, EventKind, StepOutcome, StepStatus};
use protocol::ids::{AttemptId, StreamId};
use protocol::record;
use protocol::work::SecretValue;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// An agent without a coordinator.
pub struct Stage {
    pub context: AttemptContext,
    pub folder: TempDir,
    tree: PathBuf,
    stop: CancellationToken,
}

/// What an attempt reported.
pub struct Story {
    pub result: AttemptResult,
    pub outputs: BTreeMap<String, String>,
    pub events: Vec<AttemptEvent>,
    pub news: Vec<StreamNews>,
    logs: BTreeMap<StreamId, Vec<String>>,
}

impl Stage {
    /// With so many warm sandboxes.
    pub async fn new(slots: usize) -> Stage {
        // where tests have their registries
        let registries = LocalAccess::Only(vec!["127.0.0.1".parse().unwrap()]);
        let policy = Policy {
            local: registries,
            ..Policy::default()
        };
        Stage::under(slots, policy).await
    }

    /// On a machine whose owner says what jobs may do there.
    pub async fn under(slots: usize, policy: Policy) -> Stage {
        let folder = tempfile::tempdir().unwrap();
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let config = EngineConfig {
            agent: format!("test-{}", AttemptId::generate()),
            data: folder.path().join("data"),
            socket: None,
            limits: Limits {
                disk_bytes: policy.most.disk_bytes,
                ..Limits::default()
            },
            policy,
        };
        let engine = Engine::connect(config, tasks.clone(), stop.clone()).await.unwrap();
        let pool_config = PoolConfig {
            slots,
            ..PoolConfig::default()
        };
        let pool = Pool::start(&engine, pool_config, tasks.clone(), stop.clone())
            .await
            .unwrap();
        let tree = folder.path().join("tree");
        std::fs::create_dir(&tree).unwrap();
        std::fs::write(tree.join("hello"), "hello from the tree\n").unwrap();
        Stage {
            context: AttemptContext {
                engine,
                pool,
                mirrors: Mirrors::new(folder.path().join("mirrors")),
                attempts: folder.path().join("attempts"),
                tasks,
                shutdown: CancellationToken::new(),
                retained: Retained::default(),
            },
            folder,
            tree,
            stop,
        }
    }

    /// An attempt at that job, with the stage's own tree.
    pub fn input(&self, spec: JobSpec) -> AttemptInput {
        AttemptInput {
            attempt: AttemptId::generate(),
            number: 1,
            repository: "demo".into(),
            code: Code::Tree(self.tree.clone()),
            blobs: Blobs::Folder(self.blobs(&spec)),
            spec,
            env: env(&[("DROVER", "true")]),
            secrets: BTreeMap::new(),
            trusted: true,
        }
    }

    /// Where a job's caches and artifacts are, as in a local run.
    pub fn blobs(&self, spec: &JobSpec) -> Folder {
        let folder = self.folder.path();
        Folder::new(&folder.join("data"), &folder.join("run"), "demo", spec)
    }

    /// Runs the job to its end, removal included.
    pub async fn run(&self, spec: JobSpec) -> Story {
        self.run_input(self.input(spec), CancellationToken::new()).await
    }

    /// Runs it to its end, removal included.
    pub async fn run_input(&self, input: AttemptInput, cancel: CancellationToken) -> Story {
        let (events, mut message) = mpsc::unbounded_channel();
        let (streams, mut news) = mpsc::unbounded_channel();
        let over = attempt::run(&self.context, input.clone(), Outlet { events, streams }, cancel).await;
        let events = std::iter::from_fn(|| message.try_recv().ok()).collect();
        let news: Vec<_> = std::iter::from_fn(|| news.try_recv().ok()).collect();
        let logs = self.logs(&input, &news);
        over.removal.await.unwrap();
        Story {
            result: over.result,
            outputs: over.outputs,
            events,
            news,
            logs,
        }
    }

    fn logs(&self, input: &AttemptInput, news: &[StreamNews]) -> BTreeMap<StreamId, Vec<String>> {
        let folder = AttemptFolder::of(&self.context.attempts, &input.attempt);
        let closed = news.iter().filter_map(|news| match news {
            StreamNews::Closed { stream, len } => Some((stream, *len)),
            StreamNews::Opened { .. } => None,
        });
        closed
            .map(|(stream, len)| {
                let chunks = std::fs::read(folder.log(stream)).unwrap_or_default();
                let mut lines = Vec::new();
                let mut assembler = LineAssembler::new(Arc::new(input.masker()));
                assembler.push(&chunks[..usize::try_from(len).unwrap()], &mut lines);
                assembler.finish(&mut lines);
                (stream.clone(), texts(&lines))
            })
            .collect()
    }

    /// Waits until a log of the attempt has the text.
    pub async fn said(&self, input: &AttemptInput, stream: &StreamId, text: &str) {
        let log = AttemptFolder::of(&self.context.attempts, &input.attempt).log(stream);
        let (watcher, mut said) = (Watcher::new(), Vec::new());
        let mut tail = watcher.follow(&log, 0).unwrap();
        while !String::from_utf8_lossy(&said).contains(text) {
            tail.next(&mut said).await.unwrap();
        }
    }

    /// Every file that is kept of an attempt besides its logs, with its text.
    pub fn kept(&self, input: &AttemptInput) -> Vec<(String, String)> {
        let folder = AttemptFolder::of(&self.context.attempts, &input.attempt);
        let files = [
            "events",
            "ended",
            "step-0/script",
            "step-0/status",
            "step-1/script",
            "step-1/status",
        ];
        let text = |file: &str| std::fs::read_to_string(folder.path().join(file)).ok();
        files
            .into_iter()
            .filter_map(|file| Some((file.to_owned(), text(file)?)))
            .collect()
    }

    /// Stops everything; nothing with this agent's label may be left.
    pub async fn close(self) {
        self.context.pool.stop().await;
        let left = self.context.engine.list_owned().await.unwrap();
        assert!(left.is_empty(), "left in the engine: {left:?}");
        self.stop.cancel();
        self.context.tasks.close();
        self.context.tasks.wait().await;
    }
}

impl Story {
    /// The lines of a step.
    pub fn step(&self, index: usize) -> Vec<&str> {
        self.log(&StreamId::step(index))
    }

    /// The lines of a log.
    pub fn log(&self, stream: &StreamId) -> Vec<&str> {
        self.logs
            .get(stream)
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect()
    }

    /// Verdict, reason code and sentence.
    pub fn message(&self) -> String {
        message(&self.result)
    }

    /// How each step ended, in the order in which they did.
    pub fn steps(&self) -> Vec<(usize, StepStatus)> {
        let finished = self.events.iter().filter_map(|event| match &event.kind {
            EventKind::StepFinished { step, outcome } => Some((*step, outcome.status)),
            _ => None,
        });
        finished.collect()
    }

    /// How that step ended.
    pub fn outcome(&self, index: usize) -> &StepOutcome {
        let found = self.events.iter().find_map(|event| match &event.kind {
            EventKind::StepFinished { step, outcome } if *step == index => Some(outcome),
            _ => None,
        });
        found.expect("it ended")
    }

    /// When something first happened.
    pub fn at(&self, wanted: impl Fn(&EventKind) -> bool) -> i64 {
        let found = self.events.iter().find(|event| wanted(&event.kind));
        found.expect("it happened").at
    }
}

/// `Failed StepFailed: step …` or `Passed`.
pub fn message(result: &AttemptResult) -> String {
    match &result.reason {
        None => format!("{:?}", result.verdict),
        Some(reason) => format!("{:?} {:?}: {}", result.verdict, reason.code, reason.sentence),
    }
}

/// The text of each record.
pub fn texts(records: &[u8]) -> Vec<String> {
    let texts = record::records(records).map(|line| String::from_utf8_lossy(line.unwrap().bytes).into_owned());
    texts.collect()
}

/// A job with those steps, in busybox.
pub fn job(steps: Vec<StepSpec>) -> JobSpec {
    JobSpec {
        name: "test".into(),
        image: "busybox".into(),
        steps,
        timeout_secs: 600,
        ..JobSpec::default()
    }
}

/// A step that runs a script, named by its first line.
pub fn step(script: &str) -> StepSpec {
    StepSpec {
        name: script.lines().next().unwrap_or_default().to_owned(),
        action: StepAction::Run {
            script: script.to_owned(),
            shell: Shell::Sh,
        },
        image: "busybox".into(),
        ..StepSpec::default()
    }
}

/// A step that runs only when the job stands badly.
pub fn after_failure(script: &str) -> StepSpec {
    StepSpec {
        when: WhenStatus {
            success: false,
            failure: true,
        },
        ..step(script)
    }
}

/// A service with nothing but an image.
pub fn service(name: &str, image: &str) -> ServiceSpec {
    ServiceSpec {
        name: name.into(),
        image: image.into(),
        ..ServiceSpec::default()
    }
}

/// Names and values.
pub fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// Secrets.
pub fn secrets(pairs: &[(&str, &str)]) -> BTreeMap<String, SecretValue> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), SecretValue((*value).to_owned())))
        .collect()
}

/// An image without any file in it; removed at the end.
pub struct EmptyImage {
    pub name: String,
}

impl EmptyImage {
    pub fn new() -> EmptyImage {
        let name = format!("drover-test/empty:{}", AttemptId::generate());
        let import = format!("tar -c -T /dev/null | docker import -c 'ENV PATH=/bin' - {name}");
        let done = Command::new("sh")
            .args(["-c", &import])
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(done.success());
        EmptyImage { name }
    }
}

impl Drop for EmptyImage {
    fn drop(&mut self) {
        let removed = Command::new("docker")
            .args(["rmi", &self.name])
            .stdout(Stdio::null())
            .status();
        assert!(removed.is_ok_and(|status| status.success()));
    }
}
