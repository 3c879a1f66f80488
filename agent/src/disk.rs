//! A full disk by its name: which errors mean one, and what is said of it to people, with place and room.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use protocol::attempt::{AttemptResult, Verdict};
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use walkdir::WalkDir;

/// With less room than this nothing works, bytes.
const FULL: u64 = 1 << 20;
/// Between two looks at the room while a step runs.
const LOOK: Duration = Duration::from_secs(2);
/// So many looks in a row that find no room: nobody will make some.
const PATIENCE: u32 = 5;

/// Bytes that are free at a path; `None` where nobody can say.
pub fn free(path: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(path).ok()?;
    // What is set aside for root is there for steps, too: they run as root.
    let blocks = if rustix::process::geteuid().is_root() {
        stat.f_bfree
    } else {
        stat.f_bavail
    };
    Some(blocks.saturating_mul(stat.f_frsize))
}

/// What one job may take by default: half of the disk at that path, shared among so many jobs, but not less than 10 GiB.
/// `None` where nobody can say.
pub fn share(path: &Path, jobs: u32) -> Option<u64> {
    const LEAST: u64 = 10 << 30;
    let stat = rustix::fs::statvfs(path).ok()?;
    let half = stat.f_blocks.saturating_mul(stat.f_frsize) / 2;
    Some((half / u64::from(jobs.max(1))).max(LEAST))
}

/// Bytes that the folders take on their disks: holes in files take nothing, a file with several names counts once, other
/// file systems below do not count, and no link is followed. What cannot be looked at, or goes meanwhile, is left out.
pub async fn used(folders: Vec<PathBuf>) -> u64 {
    let counted = spawn_blocking(move || folders.iter().map(|folder| used_by(folder)).sum());
    counted.await.unwrap_or(0)
}

fn used_by(folder: &Path) -> u64 {
    const BLOCK: u64 = 512;
    let mut several = BTreeSet::new();
    let entries = WalkDir::new(folder).same_file_system(true).into_iter();
    let metadata = entries.filter_map(|entry| entry.ok()?.metadata().ok());
    let counts = metadata.filter(|found| found.is_dir() || found.nlink() < 2 || several.insert(found.ino()));
    counts.map(|found| found.blocks() * BLOCK).sum()
}

/// Whether a sentence tells of a full disk or quota: ours, git's and the engine's errors end in these words.
pub fn is_named_in(sentence: &str) -> bool {
    let sentence = sentence.to_ascii_lowercase();
    let words = ["no space left on device", "disk quota exceeded", "not enough space"];
    words.iter().any(|words| sentence.contains(words))
}

/// The result with what is said of a full disk: when its sentence tells of one, or when there is no room at `folder`
/// now, where a step that failed has written.
pub fn explain(mut result: AttemptResult, folder: &Path) -> AttemptResult {
    let Some(reason) = &mut result.reason else {
        return result;
    };
    let is_full = free(folder).is_some_and(|free| free < FULL);
    let matters = !matches!(result.verdict, Verdict::Passed | Verdict::Cancelled);
    if matters && (is_full || is_named_in(&reason.sentence)) && !reason.sentence.contains(IS_FULL) {
        let words = if is_full { full_at(folder) } else { engines() };
        reason.sentence = format!("{}; {words}", reason.sentence);
    }
    result
}

/// How every such sentence goes on after the disk's name.
const IS_FULL: &str = " is full";

/// What is said of a folder without room.
pub fn full_at(folder: &Path) -> String {
    let room = free(folder).map_or("no room".to_owned(), job_specs::units::size);
    format!(
        "the disk of agent {}{IS_FULL} ({room} free in {})",
        host(),
        folder.display()
    )
}

/// Our own has room: it is another, mostly that of the engine.
fn engines() -> String {
    format!(
        "a disk of agent {}, mostly that of its container engine,{IS_FULL}",
        host()
    )
}

fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Waits until there has been no room at a folder for some time; for ever while there is.
pub async fn until_full(folder: &Path) {
    let mut seen = 0;
    while seen < PATIENCE {
        sleep(LOOK).await;
        match free(folder) {
            Some(free) if free < FULL => seen += 1,
            _ => seen = 0,
        }
    }
}

/// An error with what is said of a full disk, if that is its reason.
pub fn describe(error: &io::Error, folder: &Path) -> String {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => format!("{error}; {}", full_at(folder)),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use protocol::attempt::ReasonCode;

    use super::*;

    #[test]
    fn what_folders_take_is_what_they_take_on_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let empty = used_by(folder.path());
        std::fs::create_dir(at("below")).unwrap();
        std::fs::write(at("below/one"), vec![1; 1 << 20]).unwrap();
        std::fs::hard_link(at("below/one"), at("same")).unwrap();
        std::fs::File::create(at("holes")).unwrap().set_len(1 << 40).unwrap();
        std::os::unix::fs::symlink("/", at("link")).unwrap();
        let taken = used_by(folder.path()) - empty;
        assert!((1 << 20..(1 << 20) + (64 << 10)).contains(&taken), "{taken}");
        assert_eq!(used_by(&at("no such folder")), 0);
        assert!(share(folder.path(), 1_000_000) == Some(10 << 30));
    }

    #[test]
    fn a_full_disk_is_distinguished_from_other_troubles() {
        let folder = tempfile::tempdir().unwrap();
        let said = |verdict, sentence: &str| {
            let result = AttemptResult::because(verdict, ReasonCode::Infrastructure, sentence);
            explain(result, folder.path()).reason.unwrap().sentence
        };
        let full = said(Verdict::Errored, "write /layer: No space left on device");
        assert!(
            full.contains("; a disk of agent ") && full.ends_with(", is full"),
            "{full}"
        );
        assert_eq!(
            said(Verdict::Failed, "step `a` exited with 1"),
            "step `a` exited with 1"
        );
        let error = io::Error::from_raw_os_error(28);
        assert!(describe(&error, folder.path()).contains("(os error 28); the disk of agent "));
        assert_eq!(free(Path::new("/no/such/folder")), None);
    }
}
