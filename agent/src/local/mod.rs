//! Jobs on this machine, now, without a coordinator: what `drover run` is. The same attempts on the same engine, in
//! the order of their `needs`; what is left in the engine is removed by a reaper process behind the result.

use std::collections::BTreeMap;
use std::path::PathBuf;

use job_specs::model::{Env, JobSpec};
use protocol::attempt::{AttemptEvent, AttemptResult};
use protocol::ids::StreamId;
use protocol::lease::SecretValue;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// What to run here.
#[derive(Debug, Clone)]
pub struct LocalRun {
    /// The working tree; each job gets its own copy of it.
    pub tree: PathBuf,
    /// How people call it.
    pub repository: String,
    /// The cells to run. A need that is not among them counts as met.
    pub jobs: Vec<JobSpec>,
    /// `DROVER_*` variables for every step.
    pub env: Env,
    /// Values for the secrets that steps name.
    pub secrets: BTreeMap<String, SecretValue>,
    /// Jobs at once; at least 1.
    pub slots: usize,
    /// A folder for the gate and, while it runs, the attempts: `~/.cache/drover`.
    pub data: PathBuf,
    /// How to start the reaper: program and arguments that end in [`reap_main`].
    pub reaper: Vec<String>,
}

/// What happens in a local run, in order for each job.
#[derive(Debug)]
pub enum LocalEvent {
    /// Something happened in a job (an index into [`LocalRun::jobs`]).
    Attempt {
        /// Which.
        job: usize,
        /// What.
        event: AttemptEvent,
    },
    /// Whole lines of a log.
    Lines {
        /// Which job.
        job: usize,
        /// Which log.
        stream: StreamId,
        /// Records as [`protocol::record::records`] reads them.
        records: Vec<u8>,
    },
    /// A job is over; all of its lines came before.
    Finished {
        /// Which.
        job: usize,
        /// How.
        outcome: LocalOutcome,
    },
}

/// How a job of a local run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LocalOutcome {
    /// It ran.
    Ran(AttemptResult),
    /// It did not run.
    Skipped {
        /// Why, for people.
        reason: String,
    },
}

/// Runs the jobs; the outcomes are in the order of `run.jobs`. When it returns, all events are sent and the results
/// are known; containers are removed by the reaper, so the caller may exit at once. Errors: the engine cannot be
/// reached, or the folders cannot be made.
pub async fn run(
    _run: LocalRun,
    _events: mpsc::UnboundedSender<LocalEvent>,
    _cancel: CancellationToken,
) -> anyhow::Result<Vec<LocalOutcome>> {
    anyhow::bail!("not built yet")
}

/// The reaper (`drover __reap`): reads what to remove from standard input, waits for its end (the run is over or was
/// killed), then removes everything of that run.
pub fn reap_main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
