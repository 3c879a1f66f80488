//! Line assembly: chunk records of a gate's file in, line records without secrets out. A pure function of the bytes, so
//! that a restarted agent makes the same records again and goes on at any offset.
//!
//! Each source has its own line; records stand in the order in which their last byte came. A line keeps the time of the
//! chunk that brought its first byte, also in all its pieces when it is longer than [`record::MAX_LEN`].

use std::sync::Arc;

use memchr::{memchr, memchr_iter, memrchr};
use protocol::attempt::Micros;
use protocol::record::{self, HEADER_LEN, MAX_LEN, Record, Source};

use crate::logs::mask::{MASK, Masker, Next};

/// Makes lines of chunks; see [`protocol::record`] for both.
pub struct LineAssembler {
    masker: Arc<Masker>,
    /// The beginning of a chunk record whose end is still to come.
    input: Vec<u8>,
    stdout: Line,
    stderr: Line,
    system: Line,
    /// Bytes of whole chunk records so far, to name the place of a damage.
    taken: u64,
    last_at: Micros,
    damaged: bool,
}

/// The line of one source that is being put together.
struct Line {
    source: Source,
    /// The time of its first byte; `None` when it has none.
    at: Option<Micros>,
    /// What may still be part of a secret.
    raw: Vec<u8>,
    /// What is masked already and waits to be a record.
    masked: Vec<u8>,
    /// Short lines of secrets that may come next.
    expected: Vec<Next>,
}

impl LineAssembler {
    /// One for one log.
    pub fn new(masker: Arc<Masker>) -> LineAssembler {
        LineAssembler {
            masker,
            input: Vec::new(),
            stdout: Line::new(Source::Stdout),
            stderr: Line::new(Source::Stderr),
            system: Line::new(Source::System),
            taken: 0,
            last_at: 0,
            damaged: false,
        }
    }

    /// Takes the next bytes of the file, cut anywhere, and appends the line records they complete to `out`.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if self.damaged {
            return;
        }
        if self.input.is_empty() {
            let taken = self.chunks(bytes, out);
            self.input.extend_from_slice(&bytes[taken..]);
        } else {
            let mut input = std::mem::take(&mut self.input);
            input.extend_from_slice(bytes);
            let taken = self.chunks(&input, out);
            input.drain(..taken);
            self.input = input;
        }
    }

    /// Nothing that still comes will be taken.
    pub fn is_damaged(&self) -> bool {
        self.damaged
    }

    /// The file is at its end: appends what was held, marked as without a line end. A chunk record that was cut short
    /// (its writer was killed) counts as far as it goes.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let mut cut = std::mem::take(&mut self.input);
        if cut.len() > HEADER_LEN && !self.damaged {
            let len = u32::try_from(cut.len() - HEADER_LEN).expect("less than a whole record");
            cut[9..HEADER_LEN].copy_from_slice(&len.to_le_bytes());
            self.chunks(&cut, out);
        }
        let mut lines = [&mut self.stdout, &mut self.stderr, &mut self.system];
        lines.sort_by_key(|line| line.at); // stable: standard output first when the times are equal
        for line in lines {
            line.end(&self.masker, LineEnd::Missing, out);
        }
    }

    /// Takes all whole chunk records; how many bytes that was.
    fn chunks(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> usize {
        let mut taken = 0;
        loop {
            match record::decode(&bytes[taken..]) {
                // Nobody writes an empty one: it is a hole in the file.
                Ok(Some((chunk, _))) if chunk.bytes.is_empty() => {
                    self.damage(0, out);
                    return bytes.len();
                }
                Ok(Some((chunk, len))) => {
                    self.chunk(&chunk, out);
                    taken += len;
                    self.taken += len as u64;
                }
                Ok(None) => return taken,
                Err(bad) => {
                    self.damage(bad.offset, out);
                    return bytes.len();
                }
            }
        }
    }

    fn chunk(&mut self, chunk: &Record<'_>, out: &mut Vec<u8>) {
        self.last_at = chunk.at;
        let line = match chunk.source {
            Source::Stdout => &mut self.stdout,
            Source::Stderr => &mut self.stderr,
            Source::System => &mut self.system,
        };
        line.push(chunk.at, chunk.bytes, &self.masker, out);
    }

    /// Somebody wrote into the file: says where, and takes no more.
    fn damage(&mut self, offset: usize, out: &mut Vec<u8>) {
        let place = self.taken + offset as u64;
        self.cut_off(
            &format!("This log was damaged at byte {place}, probably by the job itself; the rest cannot be read."),
            out,
        );
    }

    /// Takes no more, and says why.
    pub fn cut_off(&mut self, text: &str, out: &mut Vec<u8>) {
        self.damaged = true;
        let record = Record {
            source: Source::System,
            at: self.last_at,
            continues: false,
            bytes: text.as_bytes(),
        };
        record.encode(out);
    }
}

/// How a line came to its end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LineEnd {
    Newline,
    Missing,
}

impl Line {
    fn new(source: Source) -> Line {
        Line {
            source,
            at: None,
            raw: Vec::new(),
            masked: Vec::new(),
            expected: Vec::new(),
        }
    }

    fn push(&mut self, at: Micros, bytes: &[u8], masker: &Masker, out: &mut Vec<u8>) {
        let mut rest = bytes;
        if self.at.is_some() {
            let Some(end) = memchr(b'\n', rest) else {
                return self.hold(rest, masker, out);
            };
            self.hold(&rest[..end], masker, out);
            self.end(masker, LineEnd::Newline, out);
            rest = &rest[end + 1..];
        }
        let whole = memrchr(b'\n', rest).map_or(0, |end| end + 1);
        self.whole_lines(at, &rest[..whole], masker, out);
        if whole < rest.len() {
            self.at = Some(at);
            self.hold(&rest[whole..], masker, out);
        }
    }

    /// Lines that begin and end here: nothing of them needs to be copied but into their records.
    fn whole_lines(&mut self, at: Micros, bytes: &[u8], masker: &Masker, out: &mut Vec<u8>) {
        let clean = !masker.finds_in(bytes) && self.expected.is_empty() && !masker.knows_short_lines();
        let mut start = 0;
        for end in memchr_iter(b'\n', bytes) {
            let line = &bytes[start..end];
            start = end + 1;
            if clean && line.len() <= MAX_LEN {
                self.record(at, line, LineEnd::Newline, out);
            } else {
                self.at = Some(at);
                self.hold(line, masker, out);
                self.end(masker, LineEnd::Newline, out);
            }
        }
    }

    /// Keeps bytes of an unfinished line. Whenever a fixed number of them is there, all that can be decided becomes
    /// records: after the same byte however the bytes came.
    fn hold(&mut self, mut bytes: &[u8], masker: &Masker, out: &mut Vec<u8>) {
        let keep = masker.longest().max(1);
        let full = MAX_LEN + keep;
        while self.raw.len() + bytes.len() >= full {
            let (now, later) = bytes.split_at(full - self.raw.len());
            self.raw.extend_from_slice(now);
            bytes = later;
            let done = masker.mask_until(&self.raw, full - keep, &mut self.masked);
            self.raw.drain(..done);
            self.cut(out);
        }
        self.raw.extend_from_slice(bytes);
    }

    /// The line is over, if there is one: what is held becomes its last record.
    fn end(&mut self, masker: &Masker, end: LineEnd, out: &mut Vec<u8>) {
        let Some(at) = self.at else { return };
        if masker.hides_short(&self.raw, &mut self.expected) {
            self.masked.extend_from_slice(MASK.as_bytes());
            self.masked.extend(self.raw.last().filter(|&&last| last == b'\r'));
        } else {
            masker.mask_whole(&self.raw, &mut self.masked);
        }
        self.cut(out);
        self.record(at, &self.masked, end, out);
        self.raw.clear();
        self.masked.clear();
        // A huge line must not cost memory for ever.
        self.raw.shrink_to(MAX_LEN);
        self.masked.shrink_to(MAX_LEN);
        self.at = None;
    }

    /// Makes records of all that is more than one record holds.
    fn cut(&mut self, out: &mut Vec<u8>) {
        let mut start = 0;
        while self.masked.len() - start > MAX_LEN {
            let len = character_boundary(&self.masked[start..]);
            self.record(
                self.at.unwrap_or_default(),
                &self.masked[start..start + len],
                LineEnd::Missing,
                out,
            );
            start += len;
        }
        self.masked.drain(..start);
    }

    fn record(&self, at: Micros, bytes: &[u8], end: LineEnd, out: &mut Vec<u8>) {
        let record = Record {
            source: self.source,
            at,
            continues: end == LineEnd::Missing,
            bytes,
        };
        record.encode(out);
    }
}

/// At most [`MAX_LEN`] of these bytes, which are more, without cutting a character of UTF-8.
fn character_boundary(bytes: &[u8]) -> usize {
    let is_inside = |byte: u8| byte & 0b1100_0000 == 0b1000_0000;
    let mut len = MAX_LEN;
    while len > MAX_LEN - 3 && is_inside(bytes[len]) {
        len -= 1;
    }
    if is_inside(bytes[len]) { MAX_LEN } else { len }
}

#[cfg(test)]
mod tests;
