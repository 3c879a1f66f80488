//! Reports to the coordinator what happens in one attempt, in order, a few times a second at most: each report is a
//! transaction there.

use std::time::Duration;

use protocol::attempt::AttemptEvent;
use protocol::lease::{Events, LeaseRef};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::coordinator::Backoff;
use crate::coordinator::{CallError, Coordinator};

/// The first event waits this long for company.
const GATHER: Duration = Duration::from_millis(5);
/// Between two reports.
const BETWEEN: Duration = Duration::from_millis(100);

/// Reports the events of one attempt.
#[derive(Clone)]
pub struct EventReporter {
    /// To whom.
    pub coordinator: Coordinator,
    /// Of which attempt, under which epoch.
    pub held: LeaseRef,
    /// The attempt is over.
    pub ended: CancellationToken,
}

impl EventReporter {
    /// Sends events until the attempt is over. What was not sent by then is given back: it goes with the result.
    pub async fn run(&self, mut events: mpsc::UnboundedReceiver<AttemptEvent>) -> Result<Vec<AttemptEvent>, CallError> {
        let mut unsent: Vec<AttemptEvent> = Vec::new();
        let mut due = Instant::now();
        let mut backoff = Backoff::default();
        loop {
            tokio::select! {
                biased;
                event = events.recv() => match event {
                    Some(event) => {
                        if unsent.is_empty() {
                            due = due.max(Instant::now() + GATHER);
                        }
                        unsent.push(event);
                        continue;
                    }
                    None => return Ok(unsent),
                },
                () = self.ended.cancelled(), if !events.is_closed() => {
                    events.close();
                    continue;
                }
                () = sleep_until(due), if !unsent.is_empty() => {}
            }
            due = Instant::now() + BETWEEN;
            match self.send(&unsent).await {
                Ok(()) => {
                    unsent.clear();
                    backoff = Backoff::default();
                }
                Err(CallError::Away(why)) => {
                    tracing::debug!(attempt.id = %self.held.attempt, %why, "events wait for the coordinator");
                    tokio::select! {
                        () = sleep(backoff.next_wait()) => {}
                        () = self.ended.cancelled() => {}
                    }
                }
                Err(other) => return Err(other),
            }
        }
    }

    async fn send(&self, events: &[AttemptEvent]) -> Result<(), CallError> {
        let events = Events {
            epoch: self.held.epoch,
            events: events.to_vec(),
        };
        self.coordinator.events(&self.held.attempt, &events).await
    }
}
