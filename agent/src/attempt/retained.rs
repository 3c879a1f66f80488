//! The attempts whose containers an agent retains after their failure: which, for how long, and how many at once. They
//! need no slot: the next job runs beside them. Whether they stay and until when is not decided here: by the coordinator, to
//! which they are a stack, or by `drover run`. That they are one stands in the attempt's folder, so a restarted agent keeps
//! them.

use std::any::Any;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use protocol::attempt::{AttemptResult, Micros, Verdict};
use protocol::ids::{AttemptId, StackId};
use protocol::work::StackReport;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::folder::AttemptFolder;
use crate::clock::now;
use crate::files::{read_note, unless_gone, write_note};
use crate::lock::lock;

/// Whatever the coordinator says, or if it never says anything again, nothing is retained longer than this after its
/// attempt's end: the containers' labels, which no engine lets us change, name this time as their last.
pub const AT_MOST: Duration = Duration::from_secs(12 * 3600);

/// The stacks of attempts that an agent retains; clones share them.
#[derive(Clone, Default)]
pub struct Retained(Arc<Inner>);

#[derive(Default)]
struct Inner {
    stacks: Mutex<BTreeMap<StackId, Entry>>,
    /// The agent ends: what is retained stays for its next start.
    leaving: CancellationToken,
    /// What must live as long as this process does, so that no sweep takes it.
    left: Mutex<Vec<Box<dyn Any + Send>>>,
    /// What attempts leave is retained however they ended.
    always: bool,
    limits: RetainLimits,
    /// Whose attempts are retained or will be in a moment.
    claims: Mutex<BTreeMap<AttemptId, String>>,
}

/// How many attempts are retained at once: each keeps its containers, its memory and a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetainLimits {
    /// By the agent.
    pub agent: usize,
    /// Of one repository.
    pub repository: usize,
}

impl Default for RetainLimits {
    fn default() -> RetainLimits {
        RetainLimits {
            agent: 8,
            repository: 3,
        }
    }
}

struct Entry {
    attempt: AttemptId,
    epoch: i64,
    released: CancellationToken,
}

/// The stack that an attempt's leftovers are, as it stands in the attempt's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetainedStack {
    /// Which.
    pub stack: StackId,
    /// Under which epoch the agent has it.
    pub epoch: i64,
    /// It is removed then even when nobody says so, by the agent's clock.
    pub last: Micros,
    /// Whose job it was.
    pub repository: String,
}

impl RetainedStack {
    /// From now on, for that time at most.
    pub fn new(stack: StackId, epoch: i64, at_most: Duration, repository: &str) -> RetainedStack {
        let at_most = i64::try_from(at_most.min(AT_MOST).as_micros()).unwrap_or(i64::MAX);
        RetainedStack {
            stack,
            epoch,
            last: now().saturating_add(at_most),
            repository: repository.to_owned(),
        }
    }
}

/// An attempt that is over, and whose leftovers somebody is to decide about. Without a decision they stay as they are,
/// for the agent's next start.
pub struct Retain {
    /// What each use is to give them, seconds.
    pub secs: u64,
    decision: oneshot::Sender<Decision>,
}

/// What becomes of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// They are that stack.
    Retain(RetainedStack),
    /// They are removed.
    Remove,
}

impl Retain {
    /// The question, and where its answer comes out.
    pub(super) fn ask(secs: u64) -> (Retain, oneshot::Receiver<Decision>) {
        let (decision, decided) = oneshot::channel();
        (Retain { secs, decision }, decided)
    }

    /// Decides.
    pub fn decide(self, decision: Decision) {
        if self.decision.send(decision).is_err() {
            tracing::debug!("what an attempt left is gone before its decision");
        }
    }
}

/// How the time of what is retained ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetainEnd {
    /// Everything is to be removed.
    Over,
    /// The agent ends; everything stays for its next start.
    HandedOver,
}

impl Retained {
    /// None yet; those of attempts that pass too if `always`.
    pub fn after(always: bool) -> Retained {
        Retained(Arc::new(Inner {
            always,
            ..Inner::default()
        }))
    }

    /// No more at once than that.
    pub fn limited(limits: RetainLimits) -> Retained {
        Retained(Arc::new(Inner {
            limits,
            ..Inner::default()
        }))
    }

    /// There is room for that attempt, and it is the attempt's from now on, until it is over.
    ///
    /// # Errors
    /// Why there is none, as the end of a sentence.
    pub(super) fn claim(&self, attempt: &AttemptId, repository: &str) -> Result<(), String> {
        let mut claims = lock(&self.0.claims);
        let RetainLimits { agent, repository: own } = self.0.limits;
        let of_repository = claims.values().filter(|whose| *whose == repository).count();
        if self.0.always || claims.contains_key(attempt) {
            return Ok(());
        }
        if of_repository >= own {
            return Err(format!(
                "those of {of_repository} jobs of `{repository}` stay on this agent already, which is the most"
            ));
        }
        if claims.len() >= agent {
            return Err(format!(
                "those of {} jobs stay on this agent already, which is the most",
                claims.len()
            ));
        }
        claims.insert(attempt.clone(), repository.to_owned());
        Ok(())
    }

    /// Whether what an attempt leaves that ended so is retained.
    pub fn is_due(&self, result: &AttemptResult) -> bool {
        match result.verdict {
            Verdict::Failed | Verdict::TimedOut => true,
            Verdict::Passed => self.0.always,
            Verdict::Errored | Verdict::Cancelled => false,
        }
    }

    /// Every stack that is there and is to stay.
    pub fn list(&self) -> Vec<StackReport> {
        let stacks = lock(&self.0.stacks);
        let staying = stacks.iter().filter(|(_, entry)| !entry.released.is_cancelled());
        let report = |(stack, entry): (&StackId, &Entry)| StackReport {
            stack: stack.clone(),
            epoch: entry.epoch,
        };
        staying.map(report).collect()
    }

    /// Whose leftovers the stack is.
    pub fn attempt_of(&self, stack: &StackId) -> Option<AttemptId> {
        lock(&self.0.stacks).get(stack).map(|entry| entry.attempt.clone())
    }

    /// Removes a stack. One that is not there is fine.
    pub fn release(&self, stack: &StackId) {
        if let Some(entry) = lock(&self.0.stacks).get(stack) {
            entry.released.cancel();
        }
    }

    /// Removes every stack.
    pub fn release_all(&self) {
        lock(&self.0.stacks).values().for_each(|entry| entry.released.cancel());
    }

    /// The agent ends: what is retained stays as it is.
    pub fn leave(&self) {
        self.0.leaving.cancel();
    }

    /// Waits for the decision, and retains what the attempt left until its time is over or the agent ends.
    pub(super) async fn wait(
        &self,
        attempt: &AttemptId,
        folder: &AttemptFolder,
        decision: oneshot::Receiver<Decision>,
    ) -> RetainEnd {
        match decision.await {
            Ok(Decision::Retain(stack)) => self.keep(attempt, folder, stack).await,
            Ok(Decision::Remove) => {
                lock(&self.0.claims).remove(attempt);
                RetainEnd::Over
            }
            Err(_) => RetainEnd::HandedOver,
        }
    }

    /// Retains what the attempt left until it is released, its last time is over, or the agent ends.
    pub(super) async fn keep(&self, attempt: &AttemptId, folder: &AttemptFolder, stack: RetainedStack) -> RetainEnd {
        if let Err(error) = folder.set_stack(Some(&stack)) {
            tracing::warn!(%error, attempt.id = %attempt, "a restart would not know of what is retained");
        }
        // one from before a restart has not claimed its place yet
        lock(&self.0.claims)
            .entry(attempt.clone())
            .or_insert_with(|| stack.repository.clone());
        let released = CancellationToken::new();
        let entry = Entry {
            attempt: attempt.clone(),
            epoch: stack.epoch,
            released: released.clone(),
        };
        lock(&self.0.stacks).insert(stack.stack.clone(), entry);
        let rest = Duration::from_micros(u64::try_from(stack.last - now()).unwrap_or(0));
        let end = tokio::select! {
            () = self.0.leaving.cancelled() => RetainEnd::HandedOver,
            () = released.cancelled() => RetainEnd::Over,
            () = tokio::time::sleep(rest) => RetainEnd::Over,
        };
        lock(&self.0.stacks).remove(&stack.stack);
        lock(&self.0.claims).remove(attempt);
        if end == RetainEnd::Over
            && let Err(error) = folder.set_stack(None)
        {
            tracing::warn!(%error, attempt.id = %attempt, "cannot note that nothing is retained any more");
        }
        end
    }

    /// Keeps something as long as this process lives.
    pub(super) fn leave_behind(&self, what: impl Any + Send) {
        lock(&self.0.left).push(Box::new(what));
    }
}

impl AttemptFolder {
    fn stack_file(&self) -> PathBuf {
        self.path().join("stack")
    }

    /// The stack that it is, if its attempt is over and retained.
    pub fn stack(&self) -> Option<RetainedStack> {
        read_note(&self.stack_file())
    }

    /// Notes that it is one, or no more.
    fn set_stack(&self, stack: Option<&RetainedStack>) -> io::Result<()> {
        match stack {
            Some(stack) => write_note(&self.stack_file(), stack),
            None => unless_gone(std::fs::remove_file(self.stack_file())),
        }
    }
}

/// The folder of that container's gate, in the attempt's.
pub(crate) const RETAINED_FOLDER: &str = "retained";
