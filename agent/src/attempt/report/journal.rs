//! What happened in an attempt, kept in its folder: a restarted agent goes on with the next number, reports nothing
//! twice, and knows which steps are over.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use protocol::attempt::{ArtifactOutcome, AttemptEvent, CacheOutcome, EventKind, Micros, ServiceState, StepOutcome};
use tokio::sync::mpsc;

use crate::clock::now;
use crate::lock::lock;
use crate::logs::mask::Masker;

/// The journal of one attempt; clones share it.
#[derive(Clone)]
pub struct Journal(Arc<Mutex<Inner>>);

struct Inner {
    file: File,
    recorded: Vec<AttemptEvent>,
    masker: Arc<Masker>,
    events: mpsc::UnboundedSender<AttemptEvent>,
}

impl Journal {
    /// Opens it; what is in it already is sent to `events` again, with the numbers it had.
    pub fn open(path: &Path, masker: Arc<Masker>, events: mpsc::UnboundedSender<AttemptEvent>) -> io::Result<Journal> {
        let text = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            other => other?,
        };
        let mut recorded = Vec::new();
        let mut whole = 0;
        for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
            let Ok(event) = serde_json::from_str::<AttemptEvent>(line) else {
                break;
            };
            send(&events, &event);
            recorded.push(event);
            whole += line.len();
        }
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        file.set_len(whole as u64)?;
        Ok(Journal(Arc::new(Mutex::new(Inner {
            file,
            recorded,
            masker,
            events,
        }))))
    }

    /// Records that `kind` happened at `at`, unless that is known already.
    pub fn record(&self, at: Micros, kind: EventKind) {
        let mut inner = lock(&self.0);
        let kind = masked(kind, &inner.masker);
        if !is_news(&inner.recorded, &kind) {
            return;
        }
        let event = AttemptEvent {
            seq: inner.recorded.len() as u64,
            at,
            kind,
        };
        let mut line = serde_json::to_vec(&event).expect("an event is plain data");
        line.push(b'\n');
        if let Err(error) = inner.file.write_all(&line) {
            tracing::error!(%error, "cannot write the journal of an attempt; a restart would not know of this event");
        }
        send(&inner.events, &event);
        inner.recorded.push(event);
    }

    /// Records that `kind` happens now.
    pub fn record_now(&self, kind: EventKind) {
        self.record(now(), kind);
    }

    /// When the attempt began, if it has.
    pub fn started_at(&self) -> Option<Micros> {
        self.find(|event| matches!(event.kind, EventKind::Started).then_some(event.at))
    }

    /// When the step began, if it has.
    pub fn step_started_at(&self, index: usize) -> Option<Micros> {
        self.find(|event| matches!(event.kind, EventKind::StepStarted { step } if step == index).then_some(event.at))
    }

    /// The try of the step that is under way or to come, from 1.
    pub fn tries(&self, index: usize) -> u32 {
        let inner = lock(&self.0);
        let retried = inner.recorded.iter().filter_map(|event| match event.kind {
            EventKind::StepRetried { step, number, .. } if step == index => Some(number),
            _ => None,
        });
        retried.max().unwrap_or(1)
    }

    /// How the step ended, if it has.
    pub fn step_outcome(&self, index: usize) -> Option<StepOutcome> {
        self.find(|event| match &event.kind {
            EventKind::StepFinished { step, outcome } if *step == index => Some(outcome.clone()),
            _ => None,
        })
    }

    /// What came of an artifact, if that is known.
    pub fn artifact(&self, name: &str) -> Option<ArtifactOutcome> {
        self.find(|event| match &event.kind {
            EventKind::Artifact { name: known, outcome } if known == name => Some(outcome.clone()),
            _ => None,
        })
    }

    /// Whether a cache was found under its very key, or is kept already: it need not be kept (again).
    pub fn has_cache(&self, key: &str) -> bool {
        self.find(|event| match &event.kind {
            EventKind::Cache { key: known, outcome } if known == key => match outcome {
                CacheOutcome::Restored { from, .. } => (from == key).then_some(()),
                CacheOutcome::Saved { .. } => Some(()),
                CacheOutcome::Missed | CacheOutcome::Trouble { .. } => None,
            },
            _ => None,
        })
        .is_some()
    }

    fn find<T>(&self, wanted: impl Fn(&AttemptEvent) -> Option<T>) -> Option<T> {
        lock(&self.0).recorded.iter().find_map(wanted)
    }
}

/// The step that runs in the attempt whose journal this is, if one does.
pub fn running_step(path: &Path) -> Option<usize> {
    let text = std::fs::read_to_string(path).ok()?;
    let mut running = None;
    for event in text
        .lines()
        .map_while(|line| serde_json::from_str::<AttemptEvent>(line).ok())
    {
        match event.kind {
            EventKind::StepStarted { step } => running = Some(step),
            EventKind::StepFinished { step, .. } if running == Some(step) => running = None,
            _ => {}
        }
    }
    running
}

/// The listener may be gone (a lost lease); the journal goes on.
fn send(events: &mpsc::UnboundedSender<AttemptEvent>, event: &AttemptEvent) {
    if events.send(event.clone()).is_err() {
        tracing::debug!(seq = event.seq, "nobody listens to this attempt any more");
    }
}

/// The event without secrets: what a probe printed, or a sentence that quotes it, may hold one.
fn masked(mut kind: EventKind, masker: &Masker) -> EventKind {
    match &mut kind {
        EventKind::StepFinished { outcome, .. } => {
            outcome.reason = outcome.reason.as_deref().map(|reason| masker.mask(reason));
        }
        EventKind::StepRetried { reason, .. } => *reason = masker.mask(reason),
        EventKind::Service { state, .. } => match state {
            ServiceState::Unhealthy { output } => *output = masker.mask(output),
            ServiceState::Ready { probe, .. } => *probe = masker.mask(probe),
            ServiceState::Pulling
            | ServiceState::Starting
            | ServiceState::Running
            | ServiceState::Exited { .. }
            | ServiceState::Stopped => {}
        },
        EventKind::Cache { outcome, .. } => {
            if let CacheOutcome::Trouble { why } = outcome {
                *why = masker.mask(why);
            }
        }
        EventKind::Artifact { outcome, .. } => {
            if let ArtifactOutcome::Lost { why } = outcome {
                *why = masker.mask(why);
            }
        }
        EventKind::Started | EventKind::Phase { .. } | EventKind::StepStarted { .. } | EventKind::Other => {}
    }
    kind
}

/// Whether the event adds something to what is recorded. After a restart the stack reports its states from the start.
fn is_news(recorded: &[AttemptEvent], new: &EventKind) -> bool {
    let mut earlier = recorded.iter().rev().map(|event| &event.kind);
    match new {
        EventKind::Service { service, state } => {
            let last = earlier.find_map(|kind| match kind {
                EventKind::Service { service: other, state } if other == service => Some(state),
                _ => None,
            });
            last.is_none_or(|last| is_next(last, state))
        }
        EventKind::StepFinished { step, .. } => {
            !earlier.any(|kind| matches!(kind, EventKind::StepFinished { step: other, .. } if other == step))
        }
        EventKind::StepRetried { step, number, .. } => !earlier.any(|kind| {
            matches!(kind, EventKind::StepRetried { step: other, number: known, .. } if other == step && known >= number)
        }),
        EventKind::Other => false,
        EventKind::Cache { key, outcome } => !earlier.any(|kind| match kind {
            EventKind::Cache {
                key: other,
                outcome: known,
            } => other == key && same_kind(known, outcome),
            _ => false,
        }),
        EventKind::Artifact { name, outcome } => !earlier.any(|kind| match kind {
            EventKind::Artifact {
                name: other,
                outcome: known,
            } => other == name && same_kind(known, outcome),
            _ => false,
        }),
        EventKind::Started | EventKind::Phase { .. } | EventKind::StepStarted { .. } => {
            !earlier.any(|kind| kind == new)
        }
    }
}

/// Whether the same came of it, whatever the figures.
fn same_kind<T>(known: &T, new: &T) -> bool {
    std::mem::discriminant(known) == std::mem::discriminant(new)
}

/// Whether a service that was in state `last` can newly be in state `next`.
fn is_next(last: &ServiceState, next: &ServiceState) -> bool {
    use ServiceState as S;
    let rank = |state: &S| match state {
        S::Pulling => 0,
        S::Starting => 1,
        S::Running => 2,
        S::Ready { .. } | S::Unhealthy { .. } => 3,
        S::Exited { .. } => 4,
        S::Stopped => 5,
    };
    match (last, next) {
        (S::Ready { .. }, S::Unhealthy { .. }) | (S::Unhealthy { .. }, S::Ready { .. }) => true,
        // It ended, and is started again.
        (S::Exited { .. }, S::Starting) => true,
        // It was to be started, and then its image was not there.
        (S::Starting, S::Pulling) => true,
        // A task: ready because it exited with 0.
        (S::Exited { .. }, S::Ready { .. }) => true,
        _ => rank(next) > rank(last),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seqs(events: &mut mpsc::UnboundedReceiver<AttemptEvent>) -> Vec<u64> {
        std::iter::from_fn(|| events.try_recv().ok())
            .map(|event| event.seq)
            .collect()
    }

    #[test]
    fn a_second_life_goes_on_with_the_next_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events");
        let (sender, mut events) = mpsc::unbounded_channel();
        let journal = Journal::open(&path, Arc::default(), sender).unwrap();
        journal.record(5, EventKind::Started);
        journal.record(6, EventKind::StepStarted { step: 0 });
        assert_eq!(seqs(&mut events), [0, 1]);
        drop(journal);
        // The first life ended in the middle of a line.
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"seq\":2,\"at").unwrap();

        let (sender, mut events) = mpsc::unbounded_channel();
        let journal = Journal::open(&path, Arc::default(), sender).unwrap();
        journal.record(9, EventKind::Started);
        journal.record(9, EventKind::StepStarted { step: 0 });
        journal.record(9, EventKind::StepStarted { step: 1 });
        assert_eq!(seqs(&mut events), [0, 1, 2]);
        assert_eq!(journal.started_at(), Some(5));
        assert_eq!(journal.step_started_at(1), Some(9));
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 3);
    }

    #[test]
    fn a_service_that_is_watched_again_tells_only_what_is_new() {
        use ServiceState as S;
        let ready = S::Ready {
            warning: None,
            after_ms: 5,
            probe: "tcp 6379".into(),
        };
        let unhealthy = S::Unhealthy { output: "no".into() };
        assert!(is_next(&S::Starting, &S::Running) && is_next(&S::Running, &ready));
        assert!(!is_next(&ready, &S::Running) && !is_next(&ready, &ready));
        assert!(is_next(&ready, &unhealthy) && is_next(&unhealthy, &ready));
        assert!(is_next(&ready, &S::Stopped));
    }
}
