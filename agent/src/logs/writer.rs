//! Writing records: the agent's own words in a job's log, and the output of services that run without a gate.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use protocol::record::{MAX_LEN, Record, Source};

use crate::clock::now;
use crate::gate::{Admitted, Cap};
use crate::lock::lock;

/// A log file that the agent itself writes; clones of an `Arc` may write at once.
pub struct LogWriter {
    file: Mutex<(File, Cap)>,
}

impl LogWriter {
    /// Opens the file for appending; makes it and its folder when missing.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn open(file: &Path) -> io::Result<LogWriter> {
        LogWriter::limited(file, 0)
    }

    /// The same for what others say: at most `limit` bytes, 0 for any number. Its end comes when the last clone goes.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn limited(file: &Path, limit: u64) -> io::Result<LogWriter> {
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        let file = OpenOptions::new().append(true).create(true).open(file)?;
        let cap = Cap::new(limit, file.metadata()?.len());
        Ok(LogWriter {
            file: Mutex::new((file, cap)),
        })
    }

    /// Appends one line (or several) in Drover's own voice.
    ///
    /// # Errors
    /// As [`LogWriter::append`].
    pub fn write_line(&self, text: &str) -> io::Result<()> {
        let line_end = if text.ends_with('\n') { "" } else { "\n" };
        self.append(Source::System, format!("{text}{line_end}").as_bytes())
    }

    /// Appends bytes as they came, for a service without a gate.
    ///
    /// # Errors
    /// Whatever the disk says; then nothing of `bytes` is in the file.
    pub fn append(&self, source: Source, bytes: &[u8]) -> io::Result<()> {
        let at = now();
        let mut held = lock(&self.file);
        let (file, cap) = &mut *held;
        let (mut records, mut record) = (Vec::with_capacity(bytes.len() + 64), Vec::new());
        for chunk in bytes.chunks(MAX_LEN) {
            record.clear();
            let made = Record {
                source,
                at,
                continues: false,
                bytes: chunk,
            };
            made.encode(&mut record);
            match cap.admit(&record, at) {
                Admitted::Yes => records.extend_from_slice(&record),
                Admitted::No(instead) => records.extend(instead),
            }
        }
        write_whole(file, &records)
    }
}

impl Drop for LogWriter {
    /// Adds what its limit has held back.
    fn drop(&mut self) {
        let (file, cap) = self.file.get_mut().unwrap_or_else(PoisonError::into_inner);
        let rest = cap.end(now());
        if let Err(error) = write_whole(file, &rest) {
            tracing::warn!(%error, "the end of a log cannot be written");
        }
    }
}

/// All of it or nothing.
fn write_whole(file: &mut File, records: &[u8]) -> io::Result<()> {
    let before = file.metadata()?.len();
    file.write_all(records).inspect_err(|_| {
        // Half a record would spoil all that follow. If this fails too, the disk is beyond help.
        let _ = file.set_len(before);
    })
}

/// Microseconds since 1970.
#[cfg(test)]
mod tests {
    use protocol::record::records;

    use super::*;

    #[test]
    fn words_and_bytes_become_records_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("job").join("log");
        LogWriter::open(&path).unwrap().write_line("pulling busybox").unwrap();
        let log = LogWriter::open(&path).unwrap();
        log.append(Source::Stderr, &vec![b'x'; MAX_LEN + 1]).unwrap();
        let bytes = fs::read(&path).unwrap();
        let seen: Vec<(Source, usize)> = records(&bytes)
            .map(|record| record.unwrap())
            .map(|r| (r.source, r.bytes.len()))
            .collect();
        assert_eq!(
            seen,
            [(Source::System, 16), (Source::Stderr, MAX_LEN), (Source::Stderr, 1)]
        );
    }
}
