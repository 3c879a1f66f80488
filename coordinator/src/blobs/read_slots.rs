//! Who looks into archives: a few at once, since each look holds a thread. Who lets a look wait by not reading what it
//! asked for loses its slot as soon as somebody else wants one.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::BlobError;

/// ReadSlots at once, of the whole process.
const MOST: usize = 8;
/// A slot is waited for so long.
const PATIENCE: Duration = Duration::from_secs(30);
/// Who has let a look wait for so long may lose it to somebody else,
const STALLED: Duration = Duration::from_secs(1);
/// and after this time in any case.
const STALLED_FOR_GOOD: Duration = Duration::from_secs(300);

/// The taken of this process.
pub(super) static SLOTS: ReadSlots = ReadSlots::new(MOST);

/// Turns that are taken.
pub(super) struct ReadSlots {
    most: usize,
    open: Mutex<Open>,
    freed: Notify,
}

struct Open {
    next: u64,
    taken: BTreeMap<u64, Taken>,
}

struct Taken {
    stalled: Option<Instant>,
    cut: CancellationToken,
}

/// Leave to look, until it is dropped.
pub(super) struct ReadSlot {
    slots: &'static ReadSlots,
    number: u64,
    cut: CancellationToken,
    runtime: Handle,
}

impl ReadSlots {
    const fn new(most: usize) -> ReadSlots {
        let open = Open {
            next: 0,
            taken: BTreeMap::new(),
        };
        ReadSlots {
            most,
            open: Mutex::new(open),
            freed: Notify::const_new(),
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A slot, if need be that of somebody who does not read.
    ///
    /// # Errors
    /// `Crowded`: all are in use, for too long.
    pub async fn acquire(&'static self) -> Result<ReadSlot, BlobError> {
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            let freed = self.freed.notified();
            if let Some(slot) = self.take() {
                return Ok(slot);
            }
            // Nobody tells when somebody has stalled for long enough.
            let _ = tokio::time::timeout(STALLED / 2, freed).await;
        }
        Err(BlobError::Crowded)
    }

    fn take(&'static self) -> Option<ReadSlot> {
        let mut open = self.open();
        if open.taken.len() >= self.most {
            let stalled = open
                .taken
                .iter()
                .filter_map(|(number, taken)| Some((taken.stalled?, *number)));
            let (since, number) = stalled.min()?;
            if since.elapsed() < STALLED {
                return None;
            }
            if let Some(lost) = open.taken.remove(&number) {
                lost.cut.cancel();
            }
        }
        let (number, cut) = (open.next, CancellationToken::new());
        open.next += 1;
        let taken = Taken {
            stalled: None,
            cut: cut.clone(),
        };
        open.taken.insert(number, taken);
        Some(ReadSlot {
            slots: self,
            number,
            cut,
            runtime: Handle::current(),
        })
    }
}

impl ReadSlot {
    /// Hands on a part of what is read, from blocking code; false when nobody takes it.
    pub fn send(&self, to: &mpsc::Sender<io::Result<Bytes>>, part: io::Result<Bytes>) -> bool {
        let part = match to.try_send(part) {
            Ok(()) => return true,
            Err(mpsc::error::TrySendError::Closed(_)) => return false,
            Err(mpsc::error::TrySendError::Full(part)) => part,
        };
        self.stalls(Some(Instant::now()));
        let sent = self.runtime.block_on(async {
            tokio::select! {
                sent = to.send(part) => sent.is_ok(),
                () = self.cut.cancelled() => false,
                () = tokio::time::sleep(STALLED_FOR_GOOD) => false,
            }
        });
        self.stalls(None);
        sent
    }

    fn stalls(&self, since: Option<Instant>) {
        if let Some(taken) = self.slots.open().taken.get_mut(&self.number) {
            taken.stalled = since;
        }
    }
}

impl Drop for ReadSlot {
    fn drop(&mut self) {
        self.slots.open().taken.remove(&self.number);
        self.slots.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn until(is_so: impl Fn() -> bool) {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_does_not_read_loses_its_turn_and_who_reads_keeps_it() {
        static TWO: ReadSlots = ReadSlots::new(2);
        let busy = TWO.acquire().await.unwrap();
        let slow = TWO.acquire().await.unwrap();
        let (sender, mut receiver) = mpsc::channel(1);
        let sending = tokio::task::spawn_blocking(move || {
            let mut sent = 0;
            while slow.send(&sender, Ok(Bytes::from_static(b"part"))) {
                sent += 1;
            }
            sent
        });
        until(|| TWO.open().taken[&1].stalled.is_some()).await;
        let third = TWO.acquire().await.unwrap();
        assert_eq!(sending.await.unwrap(), 1, "what the channel holds");
        assert!(
            receiver.recv().await.is_some() && receiver.recv().await.is_none(),
            "it broke off"
        );
        assert!(!busy.cut.is_cancelled(), "who does not stall is not disturbed");
        drop(third);
        TWO.acquire().await.unwrap();
    }
}
