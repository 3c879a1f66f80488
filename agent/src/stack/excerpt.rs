//! Lines of a service's log: the last ones for a failure, and each as it comes for `ready: log`.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::record::{self, Source};
use regex::Regex;

use super::spec::MaskHook;
use crate::logs::lines::LineAssembler;
use crate::logs::mask::Masker;
use crate::logs::tail::{self, Tailed, Watcher};

/// Lines in a failure.
const LAST_LINES: usize = 50;
/// Lines of one shape among them.
const ALIKE: usize = 5;
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

/// From its begin: records have no mark by which one could find the last ones.
fn read_last(log: &Path) -> std::io::Result<Vec<String>> {
    let mut file = tail::open_plain(log)?;
    let mut assembler = LineAssembler::new(Arc::new(Masker::default()));
    let mut last = LastLines::default();
    let (mut bytes, mut lines) = (vec![0; READ], Vec::new());
    loop {
        let len = match assembler.is_damaged() {
            true => 0,
            false => file.read(&mut bytes)?,
        };
        if len == 0 {
            assembler.finish(&mut lines);
        } else {
            assembler.push(&bytes[..len], &mut lines);
        }
        text_of(&lines, |_| true).for_each(|line| last.push(line));
        lines.clear();
        if len == 0 {
            return Ok(last.into_lines());
        }
    }
}

/// The last lines. Of lines that differ only in their numbers, as each probe of a health check may leave one, the last
/// few are kept: they would push out what else was said.
#[derive(Default)]
struct LastLines {
    kept: VecDeque<Kept>,
}

struct Kept {
    text: String,
    shape: u64,
    /// How many lines of that shape were left out just before it.
    left_out: usize,
}

impl LastLines {
    fn push(&mut self, text: String) {
        let shape = shape(&text);
        let mut alike = self.kept.iter().enumerate().filter(|(_, kept)| kept.shape == shape);
        let first = alike.next().map(|(at, _)| at);
        let second = alike.next().map(|(at, _)| at);
        let mut left_out = 0;
        if let (Some(first), count) = (first, 1 + usize::from(second.is_some()) + alike.count())
            && count >= ALIKE
            && has_words(&text)
        {
            let removed = self.kept.remove(first).map_or(0, |kept| kept.left_out) + 1;
            match second.and_then(|second| self.kept.get_mut(second - 1)) {
                Some(next) => next.left_out += removed,
                None => left_out = removed,
            }
        } else if self.kept.len() == LAST_LINES {
            self.kept.pop_front();
        }
        self.kept.push_back(Kept { text, shape, left_out });
    }

    fn into_lines(self) -> Vec<String> {
        let line = |kept: Kept| match kept.left_out {
            0 => kept.text,
            1 => format!("{} (and one more line like this)", kept.text),
            more => format!("{} (and {more} more lines like this)", kept.text),
        };
        self.kept.into_iter().map(line).collect()
    }
}

/// The same for lines that differ only in their numbers.
fn shape(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut in_number = false;
    for letter in text.chars() {
        let is_digit = letter.is_ascii_digit();
        if !is_digit {
            letter.hash(&mut hasher);
        } else if !in_number {
            '0'.hash(&mut hasher);
        }
        in_number = is_digit;
    }
    hasher.finish()
}

/// It says more than a number and what that counts.
fn has_words(text: &str) -> bool {
    let words = text
        .split_whitespace()
        .filter(|word| word.chars().filter(|c| c.is_alphabetic()).count() > 1);
    words.count() > 2
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
        if text_of(&lines, |source| source != Source::System).any(|line| pattern.is_match(&line)) {
            return Ok(());
        }
        lines.clear();
        if tailed == Tailed::Eof {
            std::future::pending::<()>().await; // nobody says `finish`; the race has other runners
        }
    }
}

fn text_of(lines: &[u8], counts: fn(Source) -> bool) -> impl Iterator<Item = String> + '_ {
    let records = record::records(lines).filter_map(Result::ok);
    let records = records.filter(move |line| counts(line.source));
    records.map(|line| String::from_utf8_lossy(line.shown()).into_owned())
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
    fn lines_that_probes_leave_do_not_push_out_what_went_wrong() {
        let mut last = LastLines::default();
        last.push("2026-11-26 10:00:00.001 UTC [1] LOG:  starting".into());
        last.push("2026-11-26 10:00:00.002 UTC [1] ERROR:  disk is full".into());
        for n in 0..400 {
            let second = n % 60;
            last.push(format!(
                "2026-11-26 10:00:{second:02}.{n} UTC [{n}] FATAL:  role \"root\" does not exist"
            ));
        }
        last.push("bye".into());
        let lines = last.into_lines();
        assert_eq!(lines[0], "2026-11-26 10:00:00.001 UTC [1] LOG:  starting");
        assert_eq!(
            lines[2],
            "2026-11-26 10:00:35.395 UTC [395] FATAL:  role \"root\" does not exist (and 395 more lines like this)"
        );
        assert_eq!(lines.iter().filter(|line| line.contains("FATAL")).count(), ALIKE);
        assert_eq!((lines.len(), lines.last().map(String::as_str)), (8, Some("bye")));
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
