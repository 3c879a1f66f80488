//! What a crash left half done: an index that is shorter than its frames, a tail that ends in the middle of a record.
//! What is found is cut back to the last whole record, and an index is made again from the frames.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};

use super::files::{Files, TAIL_HEAD, TAIL_MAGIC, append_items, io, read_if_there, write_at_end, write_tail};
use super::frame::{self, Entry, Index, Item, Scan};
use super::{LogError, MAX_MARKS};

/// Reads the index; makes it whole again when frames are missing in it, and cuts off what is torn.
pub(super) fn index(files: &Files) -> Result<Index, LogError> {
    let bytes = read_if_there(&files.index())?;
    let mut frames = match File::open(files.frames()) {
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        opened => Some(opened.map_err(io("open a log"))?),
    };
    let file_len = match &frames {
        None => 0,
        Some(file) => file.metadata().map_err(io("read a log"))?.len(),
    };
    let mut index = Index::decode(&bytes, file_len);
    let mut items = Vec::new();
    if let Some(file) = &mut frames
        && !index.eof
        && index.file_end() < file_len
    {
        file.seek(SeekFrom::Start(index.file_end())).map_err(io("read a log"))?;
        let mut rest = Vec::new();
        file.read_to_end(&mut rest).map_err(io("read a log"))?;
        find_frames(&mut index, &rest, &mut items);
    }
    if index.sound_len < bytes.len() as u64 {
        write_at_end(&files.index(), index.sound_len, &items)?;
    } else if !items.is_empty() {
        append_items(files, &items)?;
    }
    Ok(index)
}

/// Adds the whole frames of `bytes` to the index.
fn find_frames(index: &mut Index, mut bytes: &[u8], items: &mut Vec<u8>) {
    while let Some(len) = frame::whole_frame(bytes) {
        let Ok(records) = frame::decompress(&bytes[..len]) else {
            break;
        };
        let Ok(scan) = frame::scan(&records, MAX_MARKS) else {
            break;
        };
        let entry = Entry {
            file_offset: index.file_end(),
            file_len: len as u64,
            raw_offset: index.raw_end(),
            raw_len: records.len() as u64,
            first_line: index.line_end(),
            lines: scan.lines,
            first_at: scan.first_at.unwrap_or_default(),
            last_at: scan.last_at.unwrap_or_default(),
            marks: scan.marks,
        };
        Item::Frame(entry.clone()).encode(items);
        index.frames.push(entry);
        bytes = &bytes[len..];
    }
}

/// Reads the tail, which goes on after `sealed` bytes of records, and cuts off what is torn.
pub(super) fn tail(files: &Files, sealed: u64) -> Result<Scan, LogError> {
    let bytes = read_if_there(&files.tail())?;
    let records = tail_records(&bytes, sealed);
    let records = &records[..sound_len(records)];
    if !bytes.is_empty() && bytes.len() != TAIL_HEAD as usize + records.len() {
        write_tail(files, sealed, records)?;
    }
    Ok(frame::scan(records, MAX_MARKS)?)
}

/// The records of a tail file that come after `sealed` bytes; empty when they do not join them.
fn tail_records(bytes: &[u8], sealed: u64) -> &[u8] {
    let Some((head, records)) = bytes.split_at_checked(TAIL_HEAD as usize) else {
        return &[];
    };
    let base = u64::from_le_bytes(*head.last_chunk().expect("8 of 16 bytes"));
    let skip = sealed.checked_sub(base).and_then(|skip| usize::try_from(skip).ok());
    let is_tail = head.starts_with(TAIL_MAGIC);
    skip.filter(|_| is_tail)
        .and_then(|skip| records.get(skip..))
        .unwrap_or(&[])
}

/// More zeros than this at the end are what a power cut leaves of bytes that did not reach the disk (an empty line ends
/// with five). Should a line really end with so many, its agent sends it again.
const MOST_ZEROS: usize = 16;

/// Bytes of whole records before the first that is torn.
fn sound_len(records: &[u8]) -> usize {
    let zeros = records.iter().rev().take_while(|byte| **byte == 0).count();
    let len = if zeros > MOST_ZEROS {
        records.len() - zeros
    } else {
        records.len()
    };
    let (mut end, mut walk) = (0, protocol::record::records(&records[..len]));
    while let Some(Ok(_)) = walk.next() {
        end = walk.offset();
    }
    end
}
