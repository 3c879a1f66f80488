//! Wake-ups: what a write sends to others once it is committed. They carry no data; whoever wakes reads the store. So a
//! lost one costs time and never truth. Coordinators that share a PostgreSQL send them to each other by NOTIFY, after the
//! commit and not in it: a commit that notifies takes a lock of the whole database.

use std::collections::HashSet;
use std::time::Duration;

use protocol::ids::AttemptId;
use sqlx::postgres::{PgListener, PgPool};
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;

/// Something that may interest a waiting agent or an open page.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Change {
    /// There may be a job to take, or something to cancel.
    Queue,
    /// This build, or one of its jobs, is not what it was.
    Build(i64),
    /// This attempt has news: events, or its end.
    Attempt(AttemptId),
    /// An agent came, went, or drains.
    Agents,
    /// A session or API token was revoked.
    Access,
    /// There may be something to tell a forge.
    Outbox,
    /// Wake-ups may have been missed: look at everything.
    All,
}

/// The channel of NOTIFY.
const CHANNEL: &str = "drover_changes";
/// How often PostgreSQL is asked for queued jobs, in case a notification was lost.
const POLL: Duration = Duration::from_secs(1);
/// A receiver that is further behind than this looks at everything.
const KEPT: usize = 1_024;

impl Change {
    fn to_payload(&self) -> String {
        match self {
            Change::Queue => "queue".into(),
            Change::Build(number) => format!("build:{number}"),
            Change::Attempt(id) => format!("attempt:{id}"),
            Change::Agents => "agents".into(),
            Change::Access => "access".into(),
            Change::Outbox => "outbox".into(),
            Change::All => "all".into(),
        }
    }

    fn from_payload(text: &str) -> Change {
        match text.split_once(':') {
            Some(("build", number)) => number.parse().map_or(Change::All, Change::Build),
            Some(("attempt", id)) => Change::Attempt(AttemptId(id.to_owned())),
            _ if text == "queue" => Change::Queue,
            _ if text == "agents" => Change::Agents,
            _ if text == "access" => Change::Access,
            _ if text == "outbox" => Change::Outbox,
            // A newer coordinator's word.
            _ => Change::All,
        }
    }
}

/// Where changes are published, here and to other coordinators.
#[derive(Clone)]
pub(super) struct Changes {
    here: broadcast::Sender<Change>,
    elsewhere: Option<mpsc::UnboundedSender<Change>>,
}

impl Changes {
    /// For one process alone.
    pub(super) fn local() -> Changes {
        Changes {
            here: broadcast::Sender::new(KEPT),
            elsewhere: None,
        }
    }

    /// For several; the receiver is for [`notify_others`].
    pub(super) fn shared() -> (Changes, mpsc::UnboundedReceiver<Change>) {
        let (elsewhere, receiver) = mpsc::unbounded_channel();
        (
            Changes {
                elsewhere: Some(elsewhere),
                ..Changes::local()
            },
            receiver,
        )
    }

    pub(super) fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.here.subscribe()
    }

    /// Publishes to everybody, each thing once.
    pub(super) fn publish(&self, changes: Vec<Change>) {
        let mut published = HashSet::new();
        for change in changes {
            if !published.insert(change.clone()) {
                continue;
            }
            if let Some(elsewhere) = &self.elsewhere {
                let _ = elsewhere.send(change.clone());
            }
            self.publish_here(change);
        }
    }

    /// Publishes to this process alone. Nobody may be listening.
    fn publish_here(&self, change: Change) {
        let _ = self.here.send(change);
    }
}

/// Notifies the other coordinators; what comes while one notification is on its way goes with the next, each once.
pub(super) async fn notify_others(
    pool: PgPool,
    from: String,
    mut changes: mpsc::UnboundedReceiver<Change>,
    stop: CancellationToken,
) {
    let mut waiting = Vec::new();
    loop {
        tokio::select! {
            received = changes.recv_many(&mut waiting, KEPT) => if received == 0 { return },
            () = stop.cancelled() => return,
        }
        let payloads: HashSet<String> = waiting.drain(..).map(|change| change.to_payload()).collect();
        let payload = payloads.into_iter().fold(from.clone(), |all, one| all + " " + &one);
        // A payload holds 8,000 bytes.
        let payload = if payload.len() < 7_900 {
            payload
        } else {
            format!("{from} all")
        };
        let sent = sqlx::query("select pg_notify($1, $2)")
            .bind(CHANNEL)
            .bind(payload)
            .execute(&pool)
            .await;
        if let Err(error) = sent {
            tracing::warn!(%error, "other coordinators were not notified; they poll");
        }
    }
}

/// Hears what other coordinators notify, until `stop`; polls too.
pub(super) async fn listen_to_others(pool: PgPool, me: String, changes: Changes, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let heard = tokio::select! {
            heard = listen(&pool, &me, &changes) => heard,
            () = stop.cancelled() => return,
        };
        if let Err(error) = heard {
            tracing::warn!(%error, "lost the connection that hears other coordinators; trying again");
        }
        tokio::select! {
            () = tokio::time::sleep(POLL) => {}
            () = stop.cancelled() => return,
        }
    }
}

async fn listen(pool: &PgPool, me: &str, changes: &Changes) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    changes.publish_here(Change::All);
    let mut poll = tokio::time::interval(POLL);
    poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            notification = listener.try_recv() => match notification? {
                Some(notification) => receive(notification.payload(), me, changes),
                None => changes.publish_here(Change::All),
            },
            _ = poll.tick() => {
                let ready = "select lane from jobs where status = 'queued' and blocked_by_max_parallel = 0
                             and blocked_by_group = 0 and blocked_by_approval = 0 order by lane limit 1";
                if sqlx::query(ready).fetch_optional(pool).await?.is_some() {
                    changes.publish_here(Change::Queue);
                }
            }
        }
    }
}

fn receive(payload: &str, me: &str, changes: &Changes) {
    let mut words = payload.split(' ');
    if words.next() != Some(me) {
        words.for_each(|word| changes.publish_here(Change::from_payload(word)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_survives_the_wire() {
        let all = [
            Change::Queue,
            Change::Build(7),
            Change::Attempt(AttemptId("a".into())),
            Change::Agents,
            Change::All,
        ];
        for change in all {
            assert_eq!(Change::from_payload(&change.to_payload()), change);
        }
        assert_eq!(Change::from_payload("something new"), Change::All);
    }
}
