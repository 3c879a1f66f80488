//! Frames and their index: a frame is at most 256 KiB of whole records as one zstd frame of its own; an index entry
//! says where it is, which lines it has, and which of them look like errors. The frames of a stream one behind the
//! other are a valid `.zst` file, from which a lost index is made again.

use protocol::attempt::Micros;
use protocol::record;

use super::{LogError, marks};

/// Bytes of records in a frame, at most.
pub(super) const FRAME_LEN: usize = 256 * 1024;
/// Fast enough for a step that prints without end, and a tenth of the text's size.
const LEVEL: i32 = 3;

/// One frame, as the index knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Entry {
    /// Where it begins in the `.zst` file.
    pub file_offset: u64,
    /// Its bytes there.
    pub file_len: u64,
    /// Bytes of records before it.
    pub raw_offset: u64,
    /// Bytes of records in it.
    pub raw_len: u64,
    /// Lines before it.
    pub first_line: u64,
    /// Lines in it.
    pub lines: u64,
    /// Time of its first line.
    pub first_at: Micros,
    /// Time of its last line.
    pub last_at: Micros,
    /// Lines that look like errors, counted from the frame's first.
    pub marks: Vec<u32>,
}

/// One thing in an index file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    /// A frame.
    Frame(Entry),
    /// The stream is complete.
    Eof,
}

const FRAME_ITEM: u8 = 1;
const EOF_ITEM: u8 = 2;
const SUM_LEN: usize = 8;

impl Entry {
    /// Bytes of the `.zst` file up to the frame's end.
    pub(super) fn file_end(&self) -> u64 {
        self.file_offset + self.file_len
    }

    /// Bytes of records up to the frame's end.
    pub(super) fn raw_end(&self) -> u64 {
        self.raw_offset + self.raw_len
    }

    /// Lines up to the frame's end.
    pub(super) fn line_end(&self) -> u64 {
        self.first_line + self.lines
    }
}

impl Item {
    /// Appends the item to `out`: its kind, its numbers, and a sum that a torn write does not have.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let begin = out.len();
        match self {
            Item::Eof => out.push(EOF_ITEM),
            Item::Frame(entry) => {
                out.push(FRAME_ITEM);
                let numbers = [
                    entry.file_offset,
                    entry.file_len,
                    entry.raw_offset,
                    entry.raw_len,
                    entry.first_line,
                    entry.lines,
                    entry.first_at.cast_unsigned(),
                    entry.last_at.cast_unsigned(),
                    entry.marks.len() as u64,
                ];
                numbers.iter().for_each(|number| out.extend(number.to_le_bytes()));
                entry.marks.iter().for_each(|mark| out.extend(mark.to_le_bytes()));
            }
        }
        let sum = sum(&out[begin..]);
        out.extend(sum.to_le_bytes());
    }

    /// Takes the first item off `bytes`: the item and its length. `None`: there is no whole and sound one.
    fn decode(bytes: &[u8]) -> Option<(Item, usize)> {
        let (item, len) = match *bytes.first()? {
            EOF_ITEM => (Item::Eof, 1),
            FRAME_ITEM => {
                let mut numbers = [0; 9];
                for (number, bytes) in numbers.iter_mut().zip(bytes.get(1..73)?.chunks_exact(8)) {
                    *number = u64::from_le_bytes(bytes.try_into().ok()?);
                }
                let [
                    file_offset,
                    file_len,
                    raw_offset,
                    raw_len,
                    first_line,
                    lines,
                    first_at,
                    last_at,
                    marks,
                ] = numbers;
                let len = usize::try_from(marks).ok()?.checked_mul(4)?.checked_add(73)?;
                let mark = |bytes: &[u8]| Some(u32::from_le_bytes(bytes.try_into().ok()?));
                let entry = Entry {
                    file_offset,
                    file_len,
                    raw_offset,
                    raw_len,
                    first_line,
                    lines,
                    first_at: first_at.cast_signed(),
                    last_at: last_at.cast_signed(),
                    marks: bytes.get(73..len)?.chunks_exact(4).map(mark).collect::<Option<_>>()?,
                };
                (Item::Frame(entry), len)
            }
            _ => return None,
        };
        let stored = bytes.get(len..len + SUM_LEN)?;
        (stored == sum(&bytes[..len]).to_le_bytes()).then_some((item, len + SUM_LEN))
    }
}

/// FNV-1a: it tells a torn write from a whole one; nobody attacks it.
fn sum(bytes: &[u8]) -> u64 {
    let step = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// What an index file says, as far as it is whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Index {
    /// Oldest first, without a gap.
    pub frames: Vec<Entry>,
    /// Nothing more will come.
    pub eof: bool,
    /// Bytes of the file that are whole.
    pub sound_len: u64,
}

impl Index {
    /// Reads an index file's bytes; what comes after the first unsound item is left out, and so are frames that end
    /// after `file_len` bytes of the `.zst` file.
    pub(super) fn decode(bytes: &[u8], file_len: u64) -> Index {
        let mut index = Index::default();
        let mut rest = bytes;
        while let Some((item, len)) = Item::decode(rest).filter(|_| !index.eof) {
            match item {
                Item::Eof => index.eof = true,
                Item::Frame(entry) => {
                    let fits = entry.file_offset == index.file_end() && entry.raw_offset == index.raw_end();
                    if !fits || entry.file_end() > file_len {
                        break;
                    }
                    index.frames.push(entry);
                }
            }
            index.sound_len += len as u64;
            rest = &rest[len..];
        }
        index
    }

    pub(super) fn file_end(&self) -> u64 {
        self.frames.last().map_or(0, Entry::file_end)
    }

    pub(super) fn raw_end(&self) -> u64 {
        self.frames.last().map_or(0, Entry::raw_end)
    }

    pub(super) fn line_end(&self) -> u64 {
        self.frames.last().map_or(0, Entry::line_end)
    }
}

/// Compresses a frame's records.
pub(super) fn compress(records: &[u8]) -> Result<Vec<u8>, LogError> {
    let failed = |error| LogError::Io {
        what: "compress a log",
        error,
    };
    let mut compressor = zstd::bulk::Compressor::new(LEVEL).map_err(failed)?;
    compressor
        .set_parameter(zstd::zstd_safe::CParameter::ChecksumFlag(true))
        .map_err(failed)?;
    compressor.compress(records).map_err(failed)
}

/// The records of a frame.
pub(super) fn decompress(frame: &[u8]) -> Result<Vec<u8>, LogError> {
    zstd::bulk::decompress(frame, FRAME_LEN).map_err(|error| LogError::Damaged(error.to_string()))
}

/// The length of the whole frame at the beginning of `bytes`, if there is one.
pub(super) fn whole_frame(bytes: &[u8]) -> Option<usize> {
    zstd::zstd_safe::find_frame_compressed_size(bytes)
        .ok()
        .filter(|len| *len <= bytes.len())
}

/// What a run of records holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Scan {
    /// Bytes of whole records.
    pub len: usize,
    /// Lines.
    pub lines: u64,
    /// Time of the first line.
    pub first_at: Option<Micros>,
    /// Time of the last line.
    pub last_at: Option<Micros>,
    /// Lines that look like errors, from the first; at most as many as were asked for.
    pub marks: Vec<u32>,
}

/// Looks through whole records; half a one at the end is left out.
pub(super) fn scan(bytes: &[u8], most_marks: usize) -> Result<Scan, record::BadRecord> {
    let mut scan = Scan::default();
    let mut records = record::records(bytes);
    while let Some(record) = records.next() {
        let record = record?;
        if scan.marks.len() < most_marks && marks::looks_like_an_error(record.bytes) {
            scan.marks.push(u32::try_from(scan.lines).unwrap_or(u32::MAX));
        }
        scan.lines += 1;
        scan.first_at.get_or_insert(record.at);
        scan.last_at = Some(record.at);
        scan.len = records.offset();
    }
    Ok(scan)
}

/// Where the first frame of `bytes`, which are whole records, ends: as many of them as fit.
pub(super) fn first_frame(bytes: &[u8]) -> usize {
    let (mut end, mut records) = (0, record::records(bytes));
    while let Some(Ok(_)) = records.next() {
        if records.offset() > FRAME_LEN {
            break;
        }
        end = records.offset();
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_read_up_to_where_it_is_torn() {
        let frame = |n: u64| Entry {
            file_offset: n * 10,
            file_len: 10,
            raw_offset: n * 100,
            raw_len: 100,
            first_line: n * 5,
            lines: 5,
            first_at: -1,
            last_at: 7,
            marks: vec![0, 4],
        };
        let mut bytes = Vec::new();
        Item::Frame(frame(0)).encode(&mut bytes);
        let one = bytes.len();
        Item::Frame(frame(1)).encode(&mut bytes);
        let two = bytes.len();
        Item::Eof.encode(&mut bytes);
        let whole = Index::decode(&bytes, 20);
        assert_eq!(
            (whole.frames, whole.eof, whole.sound_len),
            (vec![frame(0), frame(1)], true, bytes.len() as u64)
        );
        for len in 0..bytes.len() {
            let torn = Index::decode(&bytes[..len], 20);
            let frames = usize::from(len >= one) + usize::from(len >= two);
            assert_eq!((torn.frames.len(), torn.eof), (frames, false), "{len}");
        }
        assert_eq!(Index::decode(&bytes, 19).frames.len(), 1, "its frame is not whole");
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            assert!(Index::decode(&flipped, 20).sound_len < bytes.len() as u64, "{at}");
        }
    }
}
