//! What goes when there is too much: whole attempts, oldest first, never one that runs. An attempt's id says when it
//! began, so no file must be opened to know its age.

use std::collections::HashSet;
use std::path::Path;

use protocol::attempt::Micros;
use protocol::ids::AttemptId;

use super::files::io;
use super::folders::{self, Folders};
use super::{LogError, Retention};

/// Removes what is too old, and then the oldest until the rest is small enough; gives what was removed.
pub(super) fn retain(
    folders: &Folders,
    keep: Retention,
    now: Micros,
    running: &[AttemptId],
) -> Result<Vec<AttemptId>, LogError> {
    folders.sweep()?;
    let running: HashSet<&AttemptId> = running.iter().collect();
    let mut attempts = Vec::new();
    for (attempt, folder) in folders.attempts()? {
        let (began, len) = (began(&attempt, &folder)?, len(&folder)?);
        attempts.push((began, len, attempt, folder));
    }
    attempts.sort();
    let mut total: u64 = attempts.iter().map(|(_, len, ..)| len).sum();
    let oldest = keep
        .max_age
        .and_then(|age| now.checked_sub(i64::try_from(age.as_micros()).ok()?));
    let mut removed = Vec::new();
    for (began, len, attempt, folder) in attempts {
        let is_too_old = oldest.is_some_and(|oldest| began < oldest);
        let is_too_much = keep.max_bytes.is_some_and(|most| total > most);
        if (is_too_old || is_too_much) && !running.contains(&attempt) {
            folders::remove(&folder)?;
            total -= len;
            removed.push(attempt);
        }
    }
    Ok(removed)
}

/// When an attempt began: a version 7 UUID says so; else when its folder was last changed.
fn began(attempt: &AttemptId, folder: &Path) -> Result<Micros, LogError> {
    let timestamp = uuid::Uuid::parse_str(attempt.as_str())
        .ok()
        .and_then(|id| id.get_timestamp());
    if let Some((secs, nanos)) = timestamp.map(|timestamp| timestamp.to_unix()) {
        return Ok(i64::try_from(secs).unwrap_or(i64::MAX).saturating_mul(1_000_000) + i64::from(nanos / 1_000));
    }
    let changed = folder
        .metadata()
        .and_then(|metadata| metadata.modified())
        .map_err(io("look at a folder of logs"))?;
    let since = changed.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Ok(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

fn len(folder: &Path) -> Result<u64, LogError> {
    let files = folders::list(folder)?;
    // One that is gone by now has no length any more.
    Ok(files
        .iter()
        .map(|file| file.metadata().map_or(0, |metadata| metadata.len()))
        .sum())
}
