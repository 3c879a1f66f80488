//! A full disk by its name: which errors mean one, and how much room the data folder has.

use std::error::Error;
use std::io::ErrorKind;
use std::path::Path;

use job_specs::units::size;

/// With less room than this we are not ready: the database alone writes that much at a time.
const FULL: u64 = 16 << 20;

/// Bytes that are free at a path for us; `None` where nobody can say.
pub(crate) fn free(path: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(path).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Why the data folder takes nothing; `None`: it has room.
pub(crate) fn trouble(folder: &Path) -> Option<String> {
    let room = free(folder).filter(|free| *free < FULL)?;
    Some(format!("the disk of the coordinator is full ({} free)", size(room)))
}

/// Whether an error, or what it came of, is a full disk or quota.
pub(crate) fn is_full(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let is_io = error.downcast_ref::<std::io::Error>();
        if is_io.is_some_and(|error| matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)) {
            return true;
        }
        let text = error.to_string();
        // SQLite's, PostgreSQL's, and what others hand on as words only.
        let words = [
            "database or disk is full",
            "No space left on device",
            "Disk quota exceeded",
        ];
        if words.iter().any(|words| text.contains(words)) {
            return true;
        }
        next = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::LogError;

    #[test]
    fn a_full_disk_is_known_however_deep_it_is() {
        let full = || std::io::Error::from_raw_os_error(28);
        let error = LogError::Io {
            what: "write a log",
            error: full(),
        };
        assert!(is_full(&error) && is_full(&full()));
        assert!(is_full(&std::io::Error::other("(code: 13) database or disk is full")));
        let other = std::io::Error::from_raw_os_error(2);
        assert!(!is_full(&other));
        assert_eq!(free(Path::new("/no/such/folder")), None);
    }
}
