//! The log file: records are appended whole and in order, whatever the disk says. Separate from reading the pipes: when
//! the disk is full the pipes must wait, and with them the child; no byte is dropped but by the log's limit.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gate::cap::{Admitted, Cap};

/// Length of a record's header; the same as `protocol::record::HEADER_LEN` (the agent's tests compare them).
pub const HEADER_LEN: usize = 13;
/// Longest body of a record; the same as `protocol::record::MAX_LEN`.
pub const MAX_LEN: usize = 64 * 1024;
/// How long to wait for the disk.
const RETRY: Duration = Duration::from_millis(100);

/// Where a record comes from, as its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Standard output.
    Stdout = 0,
    /// Standard error.
    Stderr = 1,
    /// The gate itself.
    System = 2,
}

/// The log file.
pub struct Log {
    file: File,
    /// What the disk did not take yet. While it is not empty nothing else may be written.
    pending: Vec<u8>,
    cap: Cap,
}

impl Log {
    /// Opens the file for appending.
    pub fn open(path: &str) -> io::Result<Log> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        Ok(Log {
            file,
            pending: Vec::new(),
            cap: Cap::default(),
        })
    }

    /// It may have no more bytes than this from now on; 0: no limit.
    pub fn limit(&mut self, limit: u64) {
        let len = self.file.metadata().map_or(0, |metadata| metadata.len());
        self.cap = Cap::new(limit, len);
    }

    /// Nothing more is to be written but what is kept of the end.
    pub fn end(&mut self) {
        let rest = self.cap.end(now_us());
        self.write(&rest);
    }

    /// Is the disk keeping us waiting? Then no record may be appended, and [`Log::flush`] is to be called soon.
    pub fn waits(&self) -> Option<Duration> {
        (!self.pending.is_empty()).then_some(RETRY)
    }

    /// Appends the record whose body stands in `buffer` from [`HEADER_LEN`] on; the header is filled in here, so that
    /// one write call does it.
    pub fn append(&mut self, source: Source, buffer: &mut [u8]) {
        let len = u32::try_from(buffer.len() - HEADER_LEN).expect("at most MAX_LEN");
        buffer[0] = source as u8;
        let at = now_us();
        buffer[1..9].copy_from_slice(&at.to_le_bytes());
        buffer[9..13].copy_from_slice(&len.to_le_bytes());
        match self.cap.admit(buffer, at) {
            Admitted::Yes => self.write(buffer),
            Admitted::No(instead) => self.write(&instead),
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        let written = match self.pending.is_empty() {
            true => write_some(&mut self.file, bytes),
            false => 0,
        };
        self.pending.extend_from_slice(&bytes[written..]);
    }

    /// Appends a line of the gate's own.
    pub fn say(&mut self, line: &str) {
        let mut buffer = vec![0; HEADER_LEN];
        buffer.extend_from_slice(line.as_bytes());
        buffer.push(b'\n');
        self.append(Source::System, &mut buffer);
    }

    /// Tries again to write what the disk did not take.
    pub fn flush(&mut self) {
        let written = write_some(&mut self.file, &self.pending);
        self.pending.drain(..written);
        if self.pending.is_empty() {
            self.pending = Vec::new();
        }
    }
}

/// Writes as much as the disk takes. Every error (no space, quota, a device that is away) means *later*.
fn write_some(file: &mut File, bytes: &[u8]) -> usize {
    let mut written = 0;
    while written < bytes.len() {
        match file.write(&bytes[written..]) {
            Ok(0) => break,
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    written
}

/// Will the disk take it later? The other errors of a status file are for good.
pub fn means_later(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge) || error.raw_os_error() == Some(libc::EIO)
}

/// Microseconds since 1970.
pub fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
