//! Held jobs: after a failure, the services stay, and the failed step's container is made once more without secrets and
//! without a command, for people to look around in. They need no slot: the next job runs beside them. A hold ends when
//! its time is over, each use giving it its full time again, or when it is let go; that it is there stands in the
//! attempt's folder, so a restarted agent keeps it.

use std::any::Any;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use job_specs::model::StepAction;
use protocol::attempt::{AttemptResult, Micros, Verdict};
use protocol::ids::AttemptId;
use protocol::shell::HeldJob;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::folder::AttemptFolder;
use super::job::{Job, Place};
use super::plan::HOLD_LABEL;
use crate::clock::now;
use crate::disk::write_whole;
use crate::engine::{ContainerId, EngineError};
use crate::gate;
use crate::sandbox::open_folder;

/// However often it is used, a job is not held longer than this after its end: its containers' labels, which no engine
/// lets us change, name this time as their last.
pub const AT_MOST: Duration = Duration::from_secs(12 * 3600);

/// The jobs that an agent holds; clones share them.
#[derive(Clone, Default)]
pub struct Holds(Arc<Inner>);

#[derive(Default)]
struct Inner {
    held: Mutex<BTreeMap<AttemptId, Arc<Hold>>>,
    /// The agent ends: what is held stays for its next start.
    leaving: CancellationToken,
    /// What must live as long as this process does, so that no sweep takes it.
    left: Mutex<Vec<Box<dyn Any + Send>>>,
    /// Jobs are held however they ended.
    always: bool,
    most: HoldLimits,
    /// Whose jobs are held or will be in a moment, by attempt.
    places: Mutex<BTreeMap<AttemptId, String>>,
}

/// How many jobs are held at once: each keeps its containers, its memory and a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HoldLimits {
    /// By the agent.
    pub agent: usize,
    /// Of one repository.
    pub repository: usize,
}

impl Default for HoldLimits {
    fn default() -> HoldLimits {
        HoldLimits {
            agent: 8,
            repository: 3,
        }
    }
}

struct Hold {
    folder: AttemptFolder,
    note: Note,
    until: watch::Sender<Micros>,
    users: AtomicUsize,
    let_go: CancellationToken,
    /// It is over: whoever leaves last must not write it down again.
    over: Mutex<bool>,
}

/// What stands in the attempt's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Until when.
    pub until: Micros,
    /// What each use gives it again, seconds.
    pub secs: u64,
    /// Never longer than that.
    pub last: Micros,
    /// Whose job it is; empty in a note of an earlier version.
    #[serde(default)]
    pub repository: String,
}

/// How a hold ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldEnd {
    /// Everything is to be removed.
    Over,
    /// The agent ends; everything stays for its next start.
    Left,
}

impl Note {
    /// From now on, for that time.
    pub fn new(secs: u64, repository: &str) -> Note {
        Note {
            repository: repository.to_owned(),
            until: later(secs),
            secs,
            last: later(AT_MOST.as_secs()),
        }
    }
}

impl Holds {
    /// No job yet; those that pass are held too if `always`.
    pub fn after(always: bool) -> Holds {
        Holds(Arc::new(Inner {
            always,
            ..Inner::default()
        }))
    }

    /// No more at once than that.
    pub fn limited(most: HoldLimits) -> Holds {
        Holds(Arc::new(Inner {
            most,
            ..Inner::default()
        }))
    }

    /// There is room for that attempt, and it is the attempt's from now on, until it is over.
    ///
    /// # Errors
    /// Why there is none, as the end of a sentence.
    pub(super) fn claim(&self, attempt: &AttemptId, repository: &str) -> Result<(), String> {
        let mut places = self.0.places.lock().unwrap_or_else(PoisonError::into_inner);
        let HoldLimits { agent, repository: own } = self.0.most;
        let of_repository = places.values().filter(|held| *held == repository).count();
        if self.0.always || places.contains_key(attempt) {
            return Ok(());
        }
        if of_repository >= own {
            return Err(format!(
                "{of_repository} jobs of `{repository}` are held on this agent, which is the most"
            ));
        }
        if places.len() >= agent {
            return Err(format!(
                "{} jobs are held on this agent, which is the most",
                places.len()
            ));
        }
        places.insert(attempt.clone(), repository.to_owned());
        Ok(())
    }

    /// Whether a job that ended so is held.
    pub fn is_due(&self, result: &AttemptResult) -> bool {
        match result.verdict {
            Verdict::Failed | Verdict::TimedOut => true,
            Verdict::Passed => self.0.always,
            Verdict::Errored | Verdict::Cancelled => false,
        }
    }

    /// Every held job.
    pub fn list(&self) -> Vec<HeldJob> {
        let held = self.0.held.lock().unwrap_or_else(PoisonError::into_inner);
        let job = |(attempt, hold): (&AttemptId, &Arc<Hold>)| HeldJob {
            attempt: attempt.clone(),
            until: *hold.until.borrow(),
        };
        held.iter().map(job).collect()
    }

    /// Lets a job go. One that is not held is fine.
    pub fn release(&self, attempt: &AttemptId) {
        if let Some(hold) = self.find(attempt) {
            hold.let_go.cancel();
        }
    }

    /// Lets every job go.
    pub fn release_all(&self) {
        let held = self.0.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.values().for_each(|hold| hold.let_go.cancel());
    }

    /// The agent ends: what is held stays as it is.
    pub fn leave(&self) {
        self.0.leaving.cancel();
    }

    /// Somebody is in there: while the answer exists the job is held, afterwards for its full time again.
    pub fn enter(&self, attempt: &AttemptId) -> Option<Visit> {
        let hold = self.find(attempt)?;
        hold.users.fetch_add(1, Ordering::AcqRel);
        hold.extend();
        Some(Visit(hold))
    }

    /// Holds the job until its time is over, it is let go, or the agent ends.
    pub(super) async fn keep(&self, attempt: &AttemptId, folder: &AttemptFolder, note: Note) -> HoldEnd {
        let (until, mut ends) = watch::channel(note.until);
        // one from before a restart has no place yet
        let repository = note.repository.clone();
        self.places(|places| {
            places.entry(attempt.clone()).or_insert(repository);
        });
        let hold = Arc::new(Hold {
            folder: folder.clone(),
            note,
            until,
            users: AtomicUsize::new(0),
            let_go: CancellationToken::new(),
            over: Mutex::new(false),
        });
        self.change(|held| drop(held.insert(attempt.clone(), hold.clone())));
        let end = loop {
            let until = *ends.borrow_and_update();
            let rest = Duration::from_micros(u64::try_from(until - now()).unwrap_or(0));
            tokio::select! {
                () = self.0.leaving.cancelled() => break HoldEnd::Left,
                () = hold.let_go.cancelled() => break HoldEnd::Over,
                _ = ends.changed() => {}
                () = tokio::time::sleep(rest) => {
                    if hold.users.load(Ordering::Acquire) == 0 || !hold.extend() {
                        break HoldEnd::Over;
                    }
                }
            }
        };
        self.change(|held| drop(held.remove(attempt)));
        self.places(|places| drop(places.remove(attempt)));
        let mut over = hold.over.lock().unwrap_or_else(PoisonError::into_inner);
        *over = true;
        if end == HoldEnd::Over
            && let Err(error) = folder.set_held(None)
        {
            tracing::warn!(%error, attempt.id = %attempt, "cannot note that a hold is over");
        }
        end
    }

    /// Keeps something as long as this process lives.
    pub(super) fn leave_behind(&self, what: impl Any + Send) {
        let mut left = self.0.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.push(Box::new(what));
    }

    fn find(&self, attempt: &AttemptId) -> Option<Arc<Hold>> {
        let held = self.0.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.get(attempt).cloned()
    }

    fn places(&self, change: impl FnOnce(&mut BTreeMap<AttemptId, String>)) {
        change(&mut self.0.places.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<AttemptId, Arc<Hold>>)) {
        change(&mut self.0.held.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Hold {
    /// Gives it its full time again; false: it was held as long as it may be.
    fn extend(&self) -> bool {
        let over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        if *over {
            return false;
        }
        let until = later(self.note.secs).min(self.note.last);
        self.until.send_replace(until);
        let note = Note {
            until,
            ..self.note.clone()
        };
        if let Err(error) = self.folder.set_held(Some(&note)) {
            tracing::warn!(%error, "cannot note that a hold goes on");
        }
        until > now()
    }
}

/// Somebody is in a held job.
pub struct Visit(Arc<Hold>);

impl Drop for Visit {
    fn drop(&mut self) {
        self.0.users.fetch_sub(1, Ordering::AcqRel);
        self.0.extend();
    }
}

fn later(secs: u64) -> Micros {
    now().saturating_add(i64::try_from(secs.saturating_mul(1_000_000)).unwrap_or(i64::MAX))
}

impl AttemptFolder {
    fn held_file(&self) -> PathBuf {
        self.path().join("held")
    }

    /// Until when it is held, if it is.
    pub fn held(&self) -> Option<Note> {
        let text = std::fs::read(self.held_file()).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Notes that it is held, or no more.
    pub fn set_held(&self, note: Option<&Note>) -> io::Result<()> {
        match note {
            Some(note) => write_whole(&self.held_file(), &serde_json::to_vec(note)?),
            None => match std::fs::remove_file(self.held_file()) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                other => other,
            },
        }
    }
}

/// Makes and starts the container of a step once more, for people to look around in: no secret, no command, the script
/// beside the gate.
pub(super) async fn step_container(job: &Job, index: usize, place: &Place) -> Result<ContainerId, EngineError> {
    let engine = &job.context.engine;
    let io = |source| EngineError::Io {
        what: "make the folder of a held step",
        source,
    };
    let run = job.folder.path().join("hold");
    open_folder(&run).map_err(io)?;
    if let StepAction::Run { script, .. } = &job.step(index).action {
        std::fs::write(run.join(gate::SCRIPT), script).map_err(io)?;
    }
    let image = job.image_of(index).await.map_err(|error| EngineError::Other {
        what: "find the image of a held step",
        detail: error.to_string(),
    })?;
    let mut plan = job.container_in(&run, index, image.id.clone(), place);
    plan.labels.insert(HOLD_LABEL.to_owned(), "true".to_owned());
    plan.tmpfs.clear();
    let container = engine.create(&plan).await?;
    place.anchor_handle.gate().await?;
    engine.start(&container).await?;
    Ok(container)
}
