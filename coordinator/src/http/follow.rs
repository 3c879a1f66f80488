//! Following the logs of an attempt: what is new since a position, stream by stream, without gap or doubling. Live
//! pages and `logs --follow` share it.

use std::collections::BTreeMap;

use protocol::ids::{AttemptId, StreamId};
use protocol::record::Source;
use tokio::sync::watch;
use web::views::{LogLine, LogSource};

use crate::logs::{Extent, Line, LogError, LogKey, LogStore};

/// Lines that are read at once, so that a large log is sent in pieces.
const PIECE: usize = 2_000;

/// How many lines of each stream somebody has.
pub(crate) type Positions = BTreeMap<StreamId, u64>;

/// New lines of one stream.
#[derive(Debug)]
pub(crate) struct Piece {
    /// Which stream.
    pub stream: StreamId,
    /// In order.
    pub lines: Vec<LogLine>,
}

/// Whether a stream has lines that were not taken yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behind {
    /// It has.
    Yes,
    /// All were taken.
    No,
}

/// A reader of everything that an attempt logs.
pub(crate) struct Follower {
    logs: LogStore,
    attempt: AttemptId,
    extents: watch::Receiver<BTreeMap<StreamId, Extent>>,
    positions: Positions,
}

impl Follower {
    /// Goes on from `positions`; a stream that is not among them from its beginning.
    pub async fn start(logs: &LogStore, attempt: &AttemptId, positions: Positions) -> Result<Follower, LogError> {
        Ok(Follower {
            extents: logs.subscribe(attempt).await?,
            logs: logs.clone(),
            attempt: attempt.clone(),
            positions,
        })
    }

    /// Whose logs they are.
    pub fn attempt(&self) -> &AttemptId {
        &self.attempt
    }

    /// How far it has come.
    pub fn positions(&self) -> &Positions {
        &self.positions
    }

    /// Every stream there is now, and whether it has lines that were not taken yet.
    pub fn streams(&mut self) -> Vec<(StreamId, Behind)> {
        let extents = self.extents.borrow_and_update();
        let stands = |(stream, extent): (&StreamId, &Extent)| {
            let behind = self.positions.get(stream).copied().unwrap_or(0) < extent.lines;
            (stream.clone(), if behind { Behind::Yes } else { Behind::No })
        };
        extents.iter().map(stands).collect()
    }

    /// The next lines of one stream, at most [`PIECE`].
    pub async fn take(&mut self, stream: &StreamId) -> Result<Vec<Line>, LogError> {
        let from = self.positions.get(stream).copied().unwrap_or(0);
        let key = LogKey {
            attempt: self.attempt.clone(),
            stream: stream.clone(),
        };
        let lines = self.logs.lines(&key, from, PIECE).await?;
        if let Some(last) = lines.last() {
            self.positions.insert(stream.clone(), last.number + 1);
        }
        Ok(lines)
    }

    /// Leaves out what a stream has now.
    pub fn skip(&mut self, stream: &StreamId) {
        let lines = self.extents.borrow().get(stream).map_or(0, |extent| extent.lines);
        self.positions.insert(stream.clone(), lines);
    }

    /// What is new, at most [`PIECE`] lines of each stream; empty when nothing is.
    pub async fn read(&mut self) -> Result<Vec<Piece>, LogError> {
        let mut pieces = Vec::new();
        for (stream, behind) in self.streams() {
            if behind == Behind::Yes {
                let lines = self.take(&stream).await?.iter().map(wire).collect();
                pieces.push(Piece { stream, lines });
            }
        }
        Ok(pieces)
    }

    /// Waits until a stream grows or ends; returns at once when one has since the last [`Follower::read`].
    pub async fn grown(&mut self) {
        if self.extents.changed().await.is_err() {
            // The log store is closing: nothing will grow any more.
            std::future::pending::<()>().await;
        }
    }

    /// Every stream has ended and was read to its end.
    pub fn is_at_end(&self) -> bool {
        let extents = self.extents.borrow();
        let read = |stream: &StreamId| self.positions.get(stream).copied().unwrap_or(0);
        extents
            .iter()
            .all(|(stream, extent)| extent.eof && read(stream) >= extent.lines)
    }
}

/// A line as pages and API show it: numbered from 1.
pub(crate) fn wire(line: &Line) -> LogLine {
    LogLine {
        n: line.number + 1,
        t: line.at,
        s: match line.source {
            Source::Stdout => LogSource::Stdout,
            Source::Stderr => LogSource::Stderr,
            Source::System => LogSource::System,
        },
        text: line.text().into_owned(),
    }
}
