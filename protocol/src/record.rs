//! Log records, the one format from the gate's file to the browser's line: a header of 13 bytes (kind, time, length,
//! little endian), then the bytes. In a gate's file a record is a chunk as read from the pipe, never an empty one; on the
//! wire and in the store it is one line without its line feed, so that the records of a log give back every byte.

use crate::attempt::Micros;

/// Length of a record's header.
pub const HEADER_LEN: usize = 13;
/// No record is longer than this (bytes after the header); longer lines are cut into several, each marked
/// [`Record::continues`].
pub const MAX_LEN: usize = 64 * 1024;

const STDERR: u8 = 1;
const SYSTEM: u8 = 2;
const CONTINUES: u8 = 0x80;

/// Who said it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// Drover itself.
    System,
}

/// One record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Who said it.
    pub source: Source,
    /// When.
    pub at: Micros,
    /// As a line: the next record of the same source goes on with it (it was longer than [`MAX_LEN`], or is the last
    /// and had no line end). As a chunk: never set.
    pub continues: bool,
    /// What.
    pub bytes: &'a [u8],
}

/// A file or body that is not made of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a log record at byte {offset}")]
pub struct BadRecord {
    /// Where.
    pub offset: usize,
}

impl<'a> Record<'a> {
    /// A whole line as people see it: a carriage return before its end is none of it.
    pub fn shown(&self) -> &'a [u8] {
        match self.bytes {
            [line @ .., b'\r'] if !self.continues => line,
            line => line,
        }
    }

    /// Appends the record to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let kind = match self.source {
            Source::Stdout => 0,
            Source::Stderr => STDERR,
            Source::System => SYSTEM,
        };
        out.push(if self.continues { kind | CONTINUES } else { kind });
        out.extend_from_slice(&self.at.to_le_bytes());
        let len = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        out.extend_from_slice(&len.to_le_bytes());
        out.extend_from_slice(self.bytes);
    }
}

/// Takes the first whole record off `bytes`: the record and its length with header. `Ok(None)`: there is no whole
/// one yet.
pub fn decode(bytes: &[u8]) -> Result<Option<(Record<'_>, usize)>, BadRecord> {
    let Some(header) = bytes.first_chunk::<HEADER_LEN>() else {
        return Ok(None);
    };
    let source = match header[0] & !CONTINUES {
        0 => Source::Stdout,
        STDERR => Source::Stderr,
        SYSTEM => Source::System,
        _ => return Err(BadRecord { offset: 0 }),
    };
    let at = Micros::from_le_bytes(*header[1..9].first_chunk().expect("8 of 13 bytes"));
    let len = u32::from_le_bytes(*header[9..13].first_chunk().expect("4 of 13 bytes")) as usize;
    if len > MAX_LEN {
        return Err(BadRecord { offset: 9 });
    }
    let Some(body) = bytes.get(HEADER_LEN..HEADER_LEN + len) else {
        return Ok(None);
    };
    let record = Record {
        source,
        at,
        continues: header[0] & CONTINUES != 0,
        bytes: body,
    };
    Ok(Some((record, HEADER_LEN + len)))
}

/// Every whole record of `bytes`, then what is wrong with the rest, if anything is.
pub fn records(bytes: &[u8]) -> Records<'_> {
    Records { bytes, offset: 0 }
}

/// See [`records`]. [`Records::offset`] tells how many bytes were taken.
#[derive(Debug, Clone)]
pub struct Records<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl Records<'_> {
    /// Bytes of whole records taken so far.
    pub fn offset(&self) -> usize {
        self.offset
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, BadRecord>;

    fn next(&mut self) -> Option<Self::Item> {
        match decode(&self.bytes[self.offset..]) {
            Ok(Some((record, len))) => {
                self.offset += len;
                Some(Ok(record))
            }
            Ok(None) => None,
            Err(bad) => {
                let offset = self.offset + bad.offset;
                self.offset = self.bytes.len();
                Some(Err(BadRecord { offset }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        let lines = [
            Record {
                source: Source::Stdout,
                at: 1,
                continues: false,
                bytes: b"hi",
            },
            Record {
                source: Source::Stderr,
                at: -2,
                continues: true,
                bytes: b"",
            },
            Record {
                source: Source::System,
                at: i64::MAX,
                continues: false,
                bytes: &[255, 0, 10],
            },
        ];
        let mut bytes = Vec::new();
        lines.iter().for_each(|line| line.encode(&mut bytes));
        let back: Vec<_> = records(&bytes).map(|r| r.expect("well formed")).collect();
        assert_eq!(back, lines);
        assert_eq!(
            records(&bytes[..bytes.len() - 1]).count(),
            2,
            "half a record is no record"
        );
    }

    #[test]
    fn garbage_is_named_by_its_place() {
        let mut bytes = Vec::new();
        Record {
            source: Source::Stdout,
            at: 0,
            continues: false,
            bytes: b"x",
        }
        .encode(&mut bytes);
        bytes.extend_from_slice(&[9; 20]);
        let last = records(&bytes).last().expect("two items");
        assert_eq!(last, Err(BadRecord { offset: 14 }));
    }
}
