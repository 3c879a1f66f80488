//! Tells the coordinator what happens in one attempt, in order, a few times a second at most: each telling is a
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
/// Between two tellings.
const BETWEEN: Duration = Duration::from_millis(100);

/// Who tells what to whom.
#[derive(Clone)]
pub struct Report {
    /// To whom.
    pub coordinator: Coordinator,
    /// Of which attempt, under which epoch.
    pub held: LeaseRef,
    /// The attempt is over.
    pub ended: CancellationToken,
}

impl Report {
    /// Tells events until the attempt is over. What was not told by then is given back: it goes with the result.
    pub async fn run(&self, mut events: mpsc::UnboundedReceiver<AttemptEvent>) -> Result<Vec<AttemptEvent>, CallError> {
        let mut untold: Vec<AttemptEvent> = Vec::new();
        let mut due = Instant::now();
        let mut backoff = Backoff::default();
        loop {
            tokio::select! {
                biased;
                event = events.recv() => match event {
                    Some(event) => {
                        if untold.is_empty() {
                            due = due.max(Instant::now() + GATHER);
                        }
                        untold.push(event);
                        continue;
                    }
                    None => return Ok(untold),
                },
                () = self.ended.cancelled(), if !events.is_closed() => {
                    events.close();
                    continue;
                }
                () = sleep_until(due), if !untold.is_empty() => {}
            }
            due = Instant::now() + BETWEEN;
            match self.tell(&untold).await {
                Ok(()) => {
                    untold.clear();
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

    async fn tell(&self, events: &[AttemptEvent]) -> Result<(), CallError> {
        let events = Events {
            epoch: self.held.epoch,
            events: events.to_vec(),
        };
        self.coordinator.events(&self.held.attempt, &events).await
    }
}
