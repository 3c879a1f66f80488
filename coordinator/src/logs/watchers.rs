//! Who watches which attempt: a page that is open learns of new lines when they are written. A watcher sees how far
//! each stream has come and reads the lines itself, so a slow one misses nothing and holds nobody up.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use protocol::ids::{AttemptId, StreamId};
use tokio::sync::watch;

use super::{Extent, LogKey};

type Extents = BTreeMap<StreamId, Extent>;

#[derive(Default)]
pub(super) struct Watchers {
    watched: Mutex<HashMap<AttemptId, watch::Sender<Extents>>>,
}

impl Watchers {
    pub(super) fn subscribe(&self, attempt: &AttemptId) -> watch::Receiver<Extents> {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.retain(|_, sender| sender.receiver_count() > 0);
        watched.entry(attempt.clone()).or_default().subscribe()
    }

    /// The stream has come so far; it never goes back.
    pub(super) fn notify(&self, key: &LogKey, extent: Extent) {
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(sender) = watched.get(&key.attempt) else {
            return;
        };
        sender.send_if_modified(|extents| {
            let known = extents.get(&key.stream).copied();
            let best = known.unwrap_or_default();
            let best = Extent {
                lines: best.lines.max(extent.lines),
                eof: best.eof || extent.eof,
            };
            extents.insert(key.stream.clone(), best);
            known != Some(best)
        });
    }
}
