//! What the agent writes down of each lease before it acts on it, so that it knows after a crash what it held.

use std::fs;
use std::io;
use std::path::Path;

use protocol::ids::AttemptId;
use protocol::lease::{Lease, LeaseRef};
use protocol::work::{AttemptWork, Work};

use crate::attempt::folder::AttemptFolder;
use crate::files::{read_note, write_whole};

/// The lease in the attempt's folder, without its secrets.
const FILE: &str = "attempt.json";

/// Writes the lease down; makes the attempt's folder.
pub fn write(folder: &AttemptFolder, epoch: i64, work: &AttemptWork) -> io::Result<()> {
    folder.create()?;
    let work = AttemptWork {
        secrets: Default::default(),
        ..work.clone()
    };
    let lease = Lease {
        epoch,
        work: Work::Attempt(Box::new(work)),
    };
    write_whole(&folder.path().join(FILE), &serde_json::to_vec_pretty(&lease)?)
}

/// The attempt and the epoch of its lease, if its folder is there.
pub fn read(folder: &AttemptFolder) -> Option<(i64, AttemptWork)> {
    let lease: Lease = read_note(&folder.path().join(FILE))?;
    match lease.work {
        Work::Attempt(work) => Some((lease.epoch, *work)),
        Work::Stack(_) => None,
    }
}

/// What an agent had before it was started again.
#[derive(Debug, Default)]
pub struct Leftovers {
    /// Attempts whose leases it asks for again.
    pub attempts: Vec<LeaseRef>,
    /// Attempts that are over, and whose leftovers are stacks.
    pub stacks: Vec<EndedAttempt>,
}

/// An attempt that is over, and what it left is a stack.
#[derive(Debug)]
pub struct EndedAttempt {
    /// Which.
    pub attempt: AttemptId,
    /// Memory that its job asks for, bytes.
    pub memory: u64,
}

impl Leftovers {
    /// Every attempt of which something is left.
    pub fn owners(&self) -> impl Iterator<Item = &AttemptId> {
        let attempts = self.attempts.iter().map(|held| &held.attempt);
        attempts.chain(self.stacks.iter().map(|stack| &stack.attempt))
    }
}

/// What is left, by the folders under `attempts`. A folder without a lease in it is of no use and is removed.
pub fn find(attempts: &Path) -> io::Result<Leftovers> {
    let mut left = Leftovers::default();
    for entry in fs::read_dir(attempts)? {
        let path = entry?.path();
        let folder = AttemptFolder::at(path.clone());
        match read(&folder) {
            Some((_, work)) if folder.stack().is_some() => left.stacks.push(EndedAttempt {
                memory: work.spec.asked_memory(),
                attempt: work.attempt,
            }),
            Some((epoch, work)) => left.attempts.push(LeaseRef {
                attempt: work.attempt,
                epoch,
                resume: true,
            }),
            None => fs::remove_dir_all(&path)?,
        }
    }
    Ok(left)
}
