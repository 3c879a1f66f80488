//! What the agent writes down of each lease before it acts on it, so that it knows after a crash what it held.

use std::fs;
use std::io;
use std::path::Path;

use protocol::lease::{Held, Lease};

use crate::attempt::folder::AttemptFolder;
use crate::disk::write_whole;

/// The lease in the attempt's folder, without its secrets.
const FILE: &str = "attempt.json";

/// Writes the lease down; makes the attempt's folder.
pub fn write(folder: &AttemptFolder, lease: &Lease) -> io::Result<()> {
    folder.create()?;
    let lease = Lease {
        secrets: Default::default(),
        ..lease.clone()
    };
    write_whole(&folder.path().join(FILE), &serde_json::to_vec_pretty(&lease)?)
}

/// The lease of an attempt, if its folder is there.
pub fn read(folder: &AttemptFolder) -> Option<Lease> {
    let text = fs::read(folder.path().join(FILE)).ok()?;
    serde_json::from_slice(&text).ok()
}

/// What was held, by the folders under `attempts`. A folder without a lease in it is of no use and is removed.
pub fn find(attempts: &Path) -> io::Result<Vec<Held>> {
    let mut held = Vec::new();
    for entry in fs::read_dir(attempts)? {
        let folder = entry?.path();
        let lease = fs::read(folder.join(FILE)).ok();
        match lease.and_then(|text| serde_json::from_slice::<Lease>(&text).ok()) {
            Some(lease) => held.push(Held {
                attempt: lease.attempt,
                epoch: lease.epoch,
                resume: true,
            }),
            None => fs::remove_dir_all(&folder)?,
        }
    }
    Ok(held)
}
