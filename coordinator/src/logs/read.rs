//! Reading: any line of a million by one frame, or all of them frame by frame, so that memory stays flat.

use std::os::unix::fs::FileExt;

use protocol::record::{self, Record, Source};
use tokio::sync::mpsc;

use super::files::io;
use super::stream::Snapshot;
use super::{Line, LogError, frame};

/// One answer holds no more than this, in bytes of text.
const ANSWER_LEN: usize = 4 * 1024 * 1024;

impl Snapshot {
    /// The records of each frame and then of the tail, each with the number of its first line, until `take` says that
    /// it has enough.
    pub(super) fn blocks(&self, mut take: impl FnMut(u64, &[u8]) -> Result<More, LogError>) -> Result<(), LogError> {
        for entry in &self.frames {
            let file = self.file.as_ref().ok_or(LogError::NotFound)?;
            let len = usize::try_from(entry.file_len).map_err(|_| LogError::Damaged("a frame is too long".into()))?;
            let mut bytes = vec![0; len];
            file.read_exact_at(&mut bytes, entry.file_offset)
                .map_err(io("read a log"))?;
            if take(entry.first_line, &frame::decompress(&bytes)?)? == More::No {
                return Ok(());
            }
        }
        if !self.tail.is_empty() {
            take(self.tail_line, &self.tail)?;
        }
        Ok(())
    }
}

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum More {
    Yes,
    No,
}

/// The lines of a block, with their numbers.
pub(super) fn numbered(first: u64, block: &[u8]) -> impl Iterator<Item = Result<(u64, Record<'_>), LogError>> {
    (first..)
        .zip(record::records(block))
        .map(|(number, record)| Ok((number, record?)))
}

/// At most `count` lines from line `from` on.
pub(super) fn lines(snapshot: &Snapshot, from: u64, count: usize) -> Result<Vec<Line>, LogError> {
    let (mut lines, mut len) = (Vec::new(), 0);
    snapshot.blocks(|first, block| {
        for numbered in numbered(first, block) {
            let (number, record) = numbered?;
            if number < from {
                continue;
            }
            len += record.bytes.len();
            if lines.len() == count || (len > ANSWER_LEN && !lines.is_empty()) {
                return Ok(More::No);
            }
            lines.push(line(number, record));
        }
        Ok(if lines.len() == count { More::No } else { More::Yes })
    })?;
    Ok(lines)
}

fn line(number: u64, record: Record<'_>) -> Line {
    Line {
        number,
        at: record.at,
        source: record.source,
        continues: record.continues,
        bytes: record.bytes.to_vec(),
    }
}

/// Sends the bytes of all lines, a frame's at a time, until nobody listens; Drover's own lines only when `ours`.
pub(super) fn text(snapshot: &Snapshot, ours: bool, to: &mpsc::Sender<Result<Vec<u8>, LogError>>) {
    let sent = snapshot.blocks(|first, block| {
        let mut text = Vec::with_capacity(block.len());
        for numbered in numbered(first, block) {
            let (_, record) = numbered?;
            if record.source == Source::System && !ours {
                continue;
            }
            text.extend_from_slice(record.bytes);
            if !record.continues {
                text.push(b'\n');
            }
        }
        Ok(if to.blocking_send(Ok(text)).is_ok() {
            More::Yes
        } else {
            More::No
        })
    });
    if let Err(error) = sent {
        // Nobody may be listening any more.
        let _ = to.blocking_send(Err(error));
    }
}
