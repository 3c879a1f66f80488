//! The log store on real files.

mod crashes;
mod reading;
mod retention;
mod writing;

use std::path::Path;

use coordinator::logs::{Line, LogKey, LogStore, Meta};
use protocol::ids::{AttemptId, StreamId};
use protocol::record::{self, Record, Source};

/// A log store in a folder of its own, and one stream in it.
struct World {
    folder: tempfile::TempDir,
    logs: LogStore,
    key: LogKey,
}

impl World {
    fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        let logs = LogStore::open(folder.path().to_owned()).unwrap();
        let key = LogKey {
            attempt: AttemptId::generate(),
            stream: StreamId::step(0),
        };
        World { folder, logs, key }
    }

    /// The same files, as after a restart.
    fn restarted(&self) -> LogStore {
        LogStore::open(self.folder.path().to_owned()).unwrap()
    }

    /// The folder of the stream's files.
    fn stream_folder(&self) -> std::path::PathBuf {
        let id = self.key.attempt.as_str();
        self.folder.path().join(&id[id.len() - 2..]).join(id)
    }

    async fn append(&self, offset: u64, records: &[u8]) -> u64 {
        self.logs.append(&self.key, offset, records.to_vec()).await.unwrap()
    }

    async fn meta(&self) -> Meta {
        self.logs.meta(&self.key).await.unwrap()
    }

    async fn lines(&self, from: u64, count: usize) -> Vec<Line> {
        self.logs.lines(&self.key, from, count).await.unwrap()
    }
}

/// One line's record; line `n` has its time and text from its number.
fn line(n: u64) -> Vec<u8> {
    let text = format!(
        "{n}: {}",
        "the quick brown fox jumps over the lazy dog ".repeat(n as usize % 4)
    );
    record_of(n, text.as_bytes())
}

fn record_of(n: u64, bytes: &[u8]) -> Vec<u8> {
    let source = if n % 5 == 4 { Source::Stderr } else { Source::Stdout };
    let mut out = Vec::new();
    Record {
        source,
        at: 1_000_000 + n as i64,
        continues: false,
        bytes,
    }
    .encode(&mut out);
    out
}

/// The records of lines `0..count`.
fn log(count: u64) -> Vec<u8> {
    (0..count).flat_map(line).collect()
}

/// Every line of a stream, read piece by piece.
async fn read_all(logs: &LogStore, key: &LogKey) -> Vec<Line> {
    let mut all: Vec<Line> = Vec::new();
    loop {
        let piece = logs.lines(key, all.len() as u64, 10_000).await.unwrap();
        if piece.is_empty() {
            return all;
        }
        all.extend(piece);
    }
}

/// The lines that are read are those of the records, from the first on; gives how many.
fn assert_begins_like(records: &[u8], lines: &[Line]) {
    let expected = record::records(records).map(Result::unwrap);
    for (number, (line, record)) in lines.iter().zip(expected).enumerate() {
        assert_eq!(
            (line.number, line.at, line.source),
            (number as u64, record.at, record.source)
        );
        assert_eq!(line.bytes, record.bytes);
    }
    assert!(lines.len() <= record::records(records).count());
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        if entry.path().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            // A tail is renamed in place while it is copied.
            let _ = std::fs::copy(entry.path(), to.join(entry.file_name()));
        }
    }
}
