//! The files of one stream: `.zst` (sealed frames), `.idx` (what is in them) and `.tail` (plain records that are still
//! to become a frame; its head says how many bytes of records were before them).
//!
//! Whatever byte the coordinator dies at, [`Stream::open`] goes back to the last whole record. The order makes it so:
//! a frame is written before its entry, the entry before the tail begins anew. An index that is short is made again
//! from the frames; a tail whose beginning was sealed meanwhile is read from where the frames end (`mend`).

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::FileExt;

use protocol::attempt::Micros;

use super::files::{Files, TAIL_HEAD, append_items, io, read_if_there, write_at_end, write_tail};
use super::frame::{self, Entry, FRAME_LEN, Index, Item, Scan};
use super::{Extent, LogError, MAX_MARKS, Mark, MarkKind, Meta, mend};

/// A stream as it stands; small, and without open files.
#[derive(Debug)]
pub(super) struct Stream {
    files: Files,
    /// The sealed part: where its files and its lines end.
    sealed: Entry,
    /// The tail.
    tail: Scan,
    first_at: Option<Micros>,
    last_at: Option<Micros>,
    marks: Vec<u64>,
    eof: bool,
}

/// What to read: the sealed frames' entries, and the records after them.
pub(super) struct Snapshot {
    pub(super) frames: Vec<Entry>,
    pub(super) file: Option<File>,
    pub(super) tail: Vec<u8>,
    pub(super) tail_line: u64,
}

impl Stream {
    /// Finds where the stream stands, and mends what a crash left half done. `None`: there is nothing of it.
    pub(super) fn open(files: Files) -> Result<Option<Stream>, LogError> {
        if !files.index().exists() && !files.tail().exists() && !files.frames().exists() {
            return Ok(None);
        }
        let index = mend::index(&files)?;
        let mut stream = Stream::empty(files);
        let from_index = |entry: &Entry| {
            entry
                .marks
                .iter()
                .map(|mark| entry.first_line + u64::from(*mark))
                .collect()
        };
        stream.marks = index
            .frames
            .iter()
            .flat_map::<Vec<u64>, _>(from_index)
            .take(MAX_MARKS)
            .collect();
        stream.sealed = Entry {
            file_offset: index.file_end(),
            raw_offset: index.raw_end(),
            first_line: index.line_end(),
            ..Entry::default()
        };
        stream.first_at = index.frames.first().map(|entry| entry.first_at);
        stream.last_at = index.frames.last().map(|entry| entry.last_at);
        stream.eof = index.eof;
        if !index.eof {
            let tail = mend::tail(&stream.files, stream.sealed.raw_offset)?;
            stream.note(&tail);
            stream.tail = tail;
        }
        Ok(Some(stream))
    }

    /// One that nothing was written of yet.
    pub(super) fn empty(files: Files) -> Stream {
        Stream {
            files,
            sealed: Entry::default(),
            tail: Scan::default(),
            first_at: None,
            last_at: None,
            marks: Vec::new(),
            eof: false,
        }
    }

    /// Takes up what new records say.
    fn note(&mut self, scan: &Scan) {
        self.first_at = self.first_at.or(scan.first_at);
        self.last_at = scan.last_at.or(self.last_at);
        let first_line = self.lines();
        let room = MAX_MARKS.saturating_sub(self.marks.len());
        self.marks
            .extend(scan.marks.iter().take(room).map(|mark| first_line + u64::from(*mark)));
    }

    fn lines(&self) -> u64 {
        self.sealed.first_line + self.tail.lines
    }

    fn bytes(&self) -> u64 {
        self.sealed.raw_offset + self.tail.len as u64
    }

    pub(super) fn extent(&self) -> Extent {
        Extent {
            lines: self.lines(),
            eof: self.eof,
        }
    }

    pub(super) fn meta(&self) -> Meta {
        Meta {
            lines: self.lines(),
            bytes: self.bytes(),
            eof: self.eof,
            first_at: self.first_at,
            last_at: self.last_at,
            marks: self
                .marks
                .iter()
                .map(|line| Mark {
                    line: *line,
                    kind: MarkKind::Error,
                })
                .collect(),
        }
    }

    /// Adds whole records at `offset`; gives where the stream ends now.
    pub(super) fn append(&mut self, offset: u64, records: &[u8]) -> Result<u64, LogError> {
        if self.eof {
            return Err(LogError::Sealed);
        }
        if offset != self.bytes() {
            return Err(LogError::WrongOffset { expected: self.bytes() });
        }
        let scan = frame::scan(records, MAX_MARKS.saturating_sub(self.marks.len()))?;
        let records = &records[..scan.len];
        if records.is_empty() {
            return Ok(self.bytes());
        }
        if self.tail.len + records.len() < FRAME_LEN {
            self.append_to_tail(records)?;
            self.note(&scan);
            self.tail.len += scan.len;
            self.tail.lines += scan.lines;
        } else {
            let mut all = self.read_tail()?;
            all.extend_from_slice(records);
            self.note(&scan);
            self.write_frames(&all, FRAME_LEN)?;
        }
        Ok(self.bytes())
    }

    fn append_to_tail(&self, records: &[u8]) -> Result<(), LogError> {
        if self.tail.len == 0 {
            return write_tail(&self.files, self.sealed.raw_offset, records);
        }
        let mut file = OpenOptions::new()
            .append(true)
            .open(self.files.tail())
            .map_err(io("open a log"))?;
        file.write_all(records).map_err(io("write a log"))
    }

    fn read_tail(&self) -> Result<Vec<u8>, LogError> {
        if self.tail.len == 0 {
            return Ok(Vec::new());
        }
        let mut bytes = vec![0; self.tail.len];
        let file = File::open(self.files.tail()).map_err(io("open a log"))?;
        file.read_exact_at(&mut bytes, TAIL_HEAD).map_err(io("read a log"))?;
        Ok(bytes)
    }

    /// Seals frames off `records`, which begin where the sealed part ends, while more than `leave` bytes are left;
    /// the rest is the tail from now on.
    fn write_frames(&mut self, records: &[u8], leave: usize) -> Result<(), LogError> {
        let (mut rest, mut frames, mut items) = (records, Vec::new(), Vec::new());
        let mut sealed = self.sealed.clone();
        while rest.len() >= leave && !rest.is_empty() {
            let (now, later) = rest.split_at(frame::first_frame(rest));
            let compressed = frame::compress(now)?;
            let scan = frame::scan(now, 0)?;
            let entry = Entry {
                file_len: compressed.len() as u64,
                raw_len: now.len() as u64,
                lines: scan.lines,
                first_at: scan.first_at.unwrap_or_default(),
                last_at: scan.last_at.unwrap_or_default(),
                marks: marks_between(&self.marks, sealed.first_line, sealed.first_line + scan.lines),
                ..sealed
            };
            sealed = Entry {
                file_offset: entry.file_end(),
                raw_offset: entry.raw_end(),
                first_line: entry.line_end(),
                ..Entry::default()
            };
            frames.extend(compressed);
            Item::Frame(entry).encode(&mut items);
            rest = later;
        }
        write_at_end(&self.files.frames(), self.sealed.file_offset, &frames)?;
        append_items(&self.files, &items)?;
        write_tail(&self.files, sealed.raw_offset, rest)?;
        self.tail = frame::scan(rest, 0)?;
        self.sealed = sealed;
        Ok(())
    }

    /// The stream is complete: all of it is frames, and on disk.
    pub(super) fn seal(&mut self) -> Result<(), LogError> {
        if self.eof {
            return Ok(());
        }
        let records = self.read_tail()?;
        if !records.is_empty() {
            self.write_frames(&records, 1)?;
            File::open(self.files.frames())
                .and_then(|file| file.sync_all())
                .map_err(io("sync a log"))?;
        }
        let mut eof = Vec::new();
        Item::Eof.encode(&mut eof);
        append_items(&self.files, &eof)?;
        File::open(self.files.index())
            .and_then(|file| file.sync_all())
            .map_err(io("sync a log"))?;
        if let Some(folder) = self.files.base.parent() {
            File::open(folder)
                .and_then(|folder| folder.sync_all())
                .map_err(io("sync a folder of logs"))?;
        }
        self.eof = true;
        match std::fs::remove_file(self.files.tail()) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(io("remove the tail of a log")(error)),
            _ => Ok(()),
        }
    }

    /// What to read from line `from` on. The tail is left out when the first `count` lines end before it.
    pub(super) fn snapshot(&self, from: u64, count: u64) -> Result<Snapshot, LogError> {
        let index = Index::decode(&read_if_there(&self.files.index())?, self.sealed.file_offset);
        let begin = index.frames.partition_point(|entry| entry.line_end() <= from);
        let wants_tail = from.saturating_add(count) > self.sealed.first_line;
        let file = match index.frames[begin..].is_empty() {
            true => None,
            false => Some(File::open(self.files.frames()).map_err(io("open a log"))?),
        };
        Ok(Snapshot {
            frames: index.frames[begin..].to_vec(),
            file,
            tail: if wants_tail { self.read_tail()? } else { Vec::new() },
            tail_line: self.sealed.first_line,
        })
    }
}

/// The marks of lines `begin..end`, counted from `begin`.
fn marks_between(marks: &[u64], begin: u64, end: u64) -> Vec<u32> {
    let within = marks.iter().filter(|line| (begin..end).contains(line));
    within
        .map(|line| u32::try_from(line - begin).unwrap_or(u32::MAX))
        .collect()
}
