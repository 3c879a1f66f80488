//! The limit of a log, pure: its beginning is written, its last records are kept in memory and come at the end, and
//! the log says what is missing between them. Shared, so that a gate and an agent that writes a log itself do the same.

use std::collections::VecDeque;

use crate::units::size;

/// At most so much of the end is kept, bytes.
const MOST_TAIL: u64 = 4 << 20;
/// Length of a record's header; the same as `protocol::record::HEADER_LEN`.
const HEADER_LEN: usize = 13;
/// The kind of a record of our own.
const SYSTEM: u8 = 2;

/// What is admitted to one log.
#[derive(Debug, Default)]
pub struct Cap {
    /// Bytes of the log; 0: it has no limit.
    limit: u64,
    /// Bytes of the log so far.
    len: u64,
    /// The last records, once the beginning is full.
    tail: VecDeque<Vec<u8>>,
    tail_len: u64,
    /// Bytes of output in records that are in neither.
    missing: u64,
    state: State,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Beginning,
    Full,
    Ended,
}

/// What becomes of a record.
#[derive(Debug, PartialEq, Eq)]
pub enum Admitted {
    /// It is to be written.
    Yes,
    /// It is not; this is to be written in its place.
    No(Vec<u8>),
}

/// No log is longer than this, whatever was tried again in it; 0: it has no limit.
pub fn most(limit: u64) -> u64 {
    limit
        .saturating_mul(2)
        .saturating_add(if limit > 0 { 1 << 20 } else { 0 })
}

/// Bytes of the end that are kept of a log of that limit.
fn tail_of(limit: u64) -> u64 {
    (limit / 8).min(MOST_TAIL)
}

/// Whether a log of that length may lack something that [`Cap::end`] adds.
pub fn is_full(limit: u64, len: u64) -> bool {
    limit > 0 && len.saturating_add(2 * 64 * 1024) >= limit - tail_of(limit)
}

impl Cap {
    /// For a log that has `len` bytes; a `limit` of 0 is none.
    pub fn new(limit: u64, len: u64) -> Cap {
        Cap {
            limit,
            len,
            ..Cap::default()
        }
    }

    /// Takes a record, header and body, made at that time.
    pub fn admit(&mut self, record: &[u8], at: i64) -> Admitted {
        let head = self.limit - tail_of(self.limit);
        match self.state {
            State::Ended => Admitted::No(Vec::new()),
            State::Beginning if self.limit == 0 || self.len + record.len() as u64 <= head => {
                self.len += record.len() as u64;
                Admitted::Yes
            }
            State::Beginning => {
                self.state = State::Full;
                let room = usize::try_from(head.saturating_sub(self.len)).unwrap_or(0);
                let (mut begin, rest) = split(record, room);
                begin.extend(line(&self.words(), at));
                self.len += begin.len() as u64;
                self.keep(rest);
                Admitted::No(begin)
            }
            State::Full => {
                self.keep(record.to_vec());
                Admitted::No(Vec::new())
            }
        }
    }

    fn words(&self) -> String {
        format!(
            "the limit of this log is {}: of what follows only the last {} are kept, and come at its end",
            size(self.limit),
            size(tail_of(self.limit))
        )
    }

    /// Adds a record to the end, and drops what is too much at its beginning.
    fn keep(&mut self, record: Vec<u8>) {
        self.tail_len += record.len() as u64;
        self.tail.push_back(record);
        // What is tried again in the same log has its end, too, but not without bound.
        let room = tail_of(self.limit).min((2 * self.limit).saturating_sub(self.len));
        while self.tail_len > room {
            let Some(oldest) = self.tail.pop_front() else { break };
            let excess = usize::try_from(self.tail_len - room).unwrap_or(usize::MAX);
            let rest = without_begin(&oldest, excess, self.tail.is_empty());
            self.tail_len -= (oldest.len() - rest.len()) as u64;
            let body = |record: &[u8]| record.len().saturating_sub(HEADER_LEN) as u64;
            self.missing += body(&oldest) - body(&rest);
            if !rest.is_empty() {
                self.tail.push_front(rest);
            }
        }
    }

    /// Nothing comes any more: what is still to be written.
    pub fn end(&mut self, at: i64) -> Vec<u8> {
        self.state = State::Ended;
        let mut rest = Vec::new();
        if self.missing > 0 {
            rest = line(&format!("{} of output are missing here", size(self.missing)), at);
        }
        rest.extend(self.tail.drain(..).flatten());
        rest
    }
}

/// A record as two, the first of at most `most` bytes and, if that can be, whole lines; it may be empty.
fn split(record: &[u8], most: usize) -> (Vec<u8>, Vec<u8>) {
    let body = &record[HEADER_LEN..];
    let room = most.saturating_sub(HEADER_LEN).min(body.len());
    let lines = body[..room].iter().rposition(|&byte| byte == b'\n').map(|end| end + 1);
    match lines.unwrap_or(room) {
        0 => (Vec::new(), record.to_vec()),
        at => (of(record, &body[..at]), of(record, &body[at..])),
    }
}

/// A record without at least the first `excess` bytes of its body, from the beginning of a line on; empty when nothing
/// is left. The only one is cut within its line if it has no other.
fn without_begin(record: &[u8], excess: usize, is_only: bool) -> Vec<u8> {
    let Some(rest) = record[HEADER_LEN..].get(excess..) else {
        return Vec::new();
    };
    let line = rest.iter().position(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    let begin = if line == rest.len() && is_only { 0 } else { line };
    match &rest[begin..] {
        [] => Vec::new(),
        rest => of(record, rest),
    }
}

/// A record like that one, with another body.
fn of(record: &[u8], body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len()).unwrap_or(0).to_le_bytes();
    [&record[..HEADER_LEN - 4], &len, body].concat()
}

/// A record of our own.
fn line(words: &str, at: i64) -> Vec<u8> {
    let mut record = vec![SYSTEM];
    record.extend_from_slice(&at.to_le_bytes());
    record.extend_from_slice(&u32::try_from(words.len() + 1).unwrap_or(0).to_le_bytes());
    record.extend_from_slice(words.as_bytes());
    record.push(b'\n');
    record
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(text: &str) -> Vec<u8> {
        let mut record = line(text, 7);
        record[0] = 0;
        record
    }

    /// The bodies of the records.
    fn bodies(mut log: &[u8]) -> Vec<String> {
        let mut bodies = Vec::new();
        while !log.is_empty() {
            let len = u32::from_le_bytes(log[9..13].try_into().unwrap()) as usize;
            bodies.push(String::from_utf8_lossy(&log[13..12 + len]).into_owned());
            log = &log[13 + len..];
        }
        bodies
    }

    fn written(cap: &mut Cap, records: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
        let mut log = Vec::new();
        for record in records {
            match cap.admit(&record, 7) {
                Admitted::Yes => log.extend(record),
                Admitted::No(instead) => log.extend(instead),
            }
        }
        log
    }

    #[test]
    fn the_beginning_and_the_end_are_kept_and_the_rest_is_counted() {
        let mut cap = Cap::new(800, 0);
        let mut log = written(&mut cap, (0..100).map(|n| record(&format!("line {n:02}"))));
        log.extend(cap.end(7));
        let lines = bodies(&log);
        let begin: Vec<String> = (0..33).map(|n| format!("line {n:02}")).collect();
        assert_eq!(lines[..33], begin, "700 bytes of 21 each");
        assert_eq!(
            lines[33],
            "the limit of this log is 800 B: of what follows only the last 100 B are kept, and come at its end"
        );
        assert_eq!(lines[34], "504 B of output are missing here", "63 lines of 8 bytes");
        assert_eq!(lines[35..], ["line 96", "line 97", "line 98", "line 99"]);
        assert!(written(&mut cap, [record("late")]).is_empty(), "it has ended");
    }

    #[test]
    fn one_large_record_has_its_beginning_and_its_end_kept_too() {
        let text: String = (0..100).map(|n| format!("line {n:02}\n")).collect();
        let mut large = record(text.trim_end());
        let mut cap = Cap::new(800, 0);
        let mut log = written(&mut cap, [large.clone()]);
        log.extend(cap.end(7));
        let said = bodies(&log);
        assert_eq!((said.len(), &said[0]), (4, &text[..85 * 8 - 1].to_owned()));
        assert_eq!(said[2], "40 B of output are missing here");
        assert_eq!(said[3], text[90 * 8..].trim_end());
        // One line without an end.
        large = record(&"x".repeat(2_000));
        let mut cap = Cap::new(800, 0);
        let mut log = written(&mut cap, [large]);
        log.extend(cap.end(7));
        let lens: Vec<usize> = bodies(&log).iter().map(String::len).collect();
        assert_eq!((lens[0], lens.len()), (686, 4));
    }

    #[test]
    fn what_fits_is_left_alone() {
        for limit in [0, 800] {
            let mut cap = Cap::new(limit, 0);
            let all: Vec<Vec<u8>> = (0..33).map(|n| record(&format!("line {n:02}"))).collect();
            assert_eq!(written(&mut cap, all.clone()), all.concat());
            assert!(cap.end(7).is_empty());
        }
        // One more goes to the end, and nothing is missing.
        let mut cap = Cap::new(800, 33 * 21);
        let log = written(&mut cap, [record("line 33")]);
        assert_eq!(
            (bodies(&log).len(), bodies(&cap.end(7))),
            (1, vec!["line 33".to_owned()])
        );
    }

    #[test]
    fn a_log_that_goes_on_after_its_end_stays_within_twice_its_limit() {
        let mut len = 0;
        for _ in 0..100 {
            let mut cap = Cap::new(800, len);
            len += written(&mut cap, (0..100).map(|n| record(&format!("line {n:02}")))).len() as u64;
            len += cap.end(7).len() as u64;
        }
        assert!(len < 2 * 800 + 100 * 200, "{len}");
        assert!(is_full(800, 700) && !is_full(0, u64::MAX) && !is_full(64 << 20, 50 << 20));
    }
}
