//! Lines of a service's log: the last ones for a failure, and each as it comes for `ready: log`.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::record::{self, Source};
use regex::Regex;
use rustix::fs::{Mode, OFlags};

use super::spec::MaskHook;
use crate::logs::lines::LineAssembler;
use crate::logs::mask::Masker;
use crate::logs::tail::{Tailed, Watcher};

/// Lines in a failure.
const LAST_LINES: usize = 50;
const READ: usize = 64 * 1024;

/// The last lines of a log, as text. A log that cannot be read has none.
pub(super) async fn last_lines(log: PathBuf, mask: Option<MaskHook>) -> Vec<String> {
    let read = tokio::task::spawn_blocking(move || read_last(&log));
    let lines = match read.await {
        Ok(Ok(lines)) => lines,
        Ok(Err(error)) => {
            tracing::debug!(%error, "a service has no log");
            Vec::new()
        }
        Err(_) => Vec::new(),
    };
    match mask {
        Some(mask) => lines.iter().map(|line| mask(line)).collect(),
        None => lines,
    }
}

/// The folder belongs to the service: its log may be a link to anywhere, or no file at all.
fn open(log: &Path) -> std::io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(log, flags, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Err(std::io::ErrorKind::InvalidInput.into());
    }
    Ok(file)
}

/// From its begin: records have no mark by which one could find the last ones.
fn read_last(log: &Path) -> std::io::Result<Vec<String>> {
    let mut file = open(log)?;
    let mut assembler = LineAssembler::new(Arc::new(Masker::default()));
    let mut last = VecDeque::with_capacity(LAST_LINES);
    let (mut bytes, mut lines) = (vec![0; READ], Vec::new());
    loop {
        let len = file.read(&mut bytes)?;
        if len == 0 {
            assembler.finish(&mut lines);
        } else {
            assembler.push(&bytes[..len], &mut lines);
        }
        for line in text_of(&lines) {
            if last.len() == LAST_LINES {
                last.pop_front();
            }
            last.push_back(line);
        }
        lines.clear();
        if len == 0 {
            return Ok(last.into());
        }
    }
}

/// Waits until a line that the service itself has written matches, from that byte of the log on. Errors: the log cannot
/// be followed.
pub(super) async fn wait_for_line(watcher: &Watcher, log: &Path, from: u64, pattern: &Regex) -> std::io::Result<()> {
    let mut tail = watcher.follow(log, from)?;
    let mut assembler = LineAssembler::new(Arc::new(Masker::default()));
    let (mut bytes, mut lines) = (Vec::new(), Vec::new());
    loop {
        let tailed = tail.next(&mut bytes).await?;
        assembler.push(&bytes, &mut lines);
        bytes.clear();
        if own_text_of(&lines).any(|line| pattern.is_match(&line)) {
            return Ok(());
        }
        lines.clear();
        if tailed == Tailed::Eof {
            std::future::pending::<()>().await; // nobody says `finish`; the race has other runners
        }
    }
}

fn text_of(lines: &[u8]) -> impl Iterator<Item = String> + '_ {
    let records = record::records(lines).filter_map(Result::ok);
    records.map(|line| String::from_utf8_lossy(line.bytes).into_owned())
}

/// Without what was said about it: the output of its build.
fn own_text_of(lines: &[u8]) -> impl Iterator<Item = String> + '_ {
    let records = record::records(lines).filter_map(Result::ok);
    let own = records.filter(|line| line.source != Source::System);
    own.map(|line| String::from_utf8_lossy(line.bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::record::Record;

    #[test]
    fn the_last_fifty_lines_are_kept_also_when_the_last_has_no_end() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let text: String = (0..100).map(|n| format!("line {n}\n")).collect::<String>() + "half";
        let mut bytes = Vec::new();
        for chunk in text.as_bytes().chunks(7) {
            Record {
                source: Source::Stdout,
                at: 1,
                continues: false,
                bytes: chunk,
            }
            .encode(&mut bytes);
        }
        std::fs::write(&log, bytes).unwrap();
        let lines = read_last(&log).unwrap();
        assert_eq!(lines.len(), LAST_LINES);
        assert_eq!((lines[0].as_str(), lines[49].as_str()), ("line 51", "half"));
    }

    #[test]
    fn a_log_that_is_a_link_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let (log, secret) = (folder.path().join("log"), folder.path().join("secret"));
        std::fs::write(&secret, "x").unwrap();
        std::os::unix::fs::symlink(&secret, &log).unwrap();
        assert!(read_last(&log).is_err());
    }
}
