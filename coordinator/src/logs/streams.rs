//! The streams that were used of late: a few numbers each, so that an append need not find out where its stream ends.
//! One lock per stream: what two callers do to one stream is done one after the other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use protocol::ids::AttemptId;

use super::files::Files;
use super::stream::Stream;
use super::{Extent, LogError, LogKey};

/// So many are known at once, and a few more while they are used.
const KNOWN: usize = 512;

/// `None`: not looked at since it was last unsure, or it does not exist.
type Slot = Arc<Mutex<Option<Stream>>>;

#[derive(Default)]
pub(super) struct Streams {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    slots: HashMap<LogKey, (u64, Slot)>,
    uses: u64,
}

impl Known {
    fn slot(&mut self, key: &LogKey) -> Slot {
        self.uses += 1;
        let uses = self.uses;
        let (used, slot) = self.slots.entry(key.clone()).or_default();
        *used = uses;
        let slot = slot.clone();
        if self.slots.len() > KNOWN {
            let idle = self.slots.iter().filter(|(_, (_, slot))| Arc::strong_count(slot) == 1);
            if let Some(oldest) = idle.min_by_key(|(_, (used, _))| *used).map(|(key, _)| key.clone()) {
                self.slots.remove(&oldest);
            }
        }
        slot
    }
}

impl Streams {
    fn slot(&self, key: &LogKey) -> Slot {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).slot(key)
    }

    /// Does `work` with a stream that exists.
    pub(super) fn read<T>(
        &self,
        key: &LogKey,
        files: Files,
        work: impl FnOnce(&Stream) -> Result<T, LogError>,
    ) -> Result<T, LogError> {
        let slot = self.slot(key);
        let mut known = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_none() {
            *known = Stream::open(files)?;
        }
        let result = work(known.as_ref().ok_or(LogError::NotFound)?);
        forget_if_unsure(&mut known, &result);
        result
    }

    /// Does `work` with a stream that may be new; tells how far it has come.
    pub(super) fn write<T>(
        &self,
        key: &LogKey,
        files: Files,
        work: impl FnOnce(&mut Stream) -> Result<T, LogError>,
    ) -> Result<(T, Extent), LogError> {
        let slot = self.slot(key);
        let mut known = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_none() {
            *known = Stream::open(files.clone())?;
        }
        let stream = known.get_or_insert_with(|| Stream::empty(files));
        let result = work(stream).map(|value| (value, stream.extent()));
        forget_if_unsure(&mut known, &result);
        result
    }

    /// Forgets attempts whose files are gone.
    pub(super) fn forget(&self, attempts: &[AttemptId]) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.slots.retain(|key, _| !attempts.contains(&key.attempt));
    }
}

/// After a failure of the disk only the files know where the stream ends.
fn forget_if_unsure<T>(known: &mut Option<Stream>, result: &Result<T, LogError>) {
    if let Err(LogError::Io { .. } | LogError::Damaged(_)) = result {
        *known = None;
    }
}
