//! The logs of one job of a local run: every stream is followed and handed over line by line, as it grows.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;

use protocol::ids::StreamId;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::LocalEvent;
use crate::attempt::{StreamNews, follow_all};
use crate::logs::mask::Masker;
use crate::logs::spool::Spool;
use crate::logs::tail::Watcher;

/// Whose lines go where.
pub struct Lines {
    /// Which job.
    pub job: usize,
    /// Hides its secrets.
    pub masker: Arc<Masker>,
    /// Follows its files.
    pub watcher: Watcher,
    /// Bytes that a log may have; 0: no limit.
    pub log_limit: u64,
    /// Where the lines go.
    pub events: mpsc::UnboundedSender<LocalEvent>,
    /// No more streams come: the attempt is over.
    pub ended: CancellationToken,
}

impl Lines {
    /// Hands over every line, until the attempt is over and all are handed over.
    pub async fn run(&self, news: mpsc::UnboundedReceiver<StreamNews>) {
        let Ok(()) = follow_all(news, &self.ended, |stream, file, closed| {
            self.stream(stream, file, closed)
        })
        .await;
    }

    async fn stream(
        &self,
        stream: StreamId,
        file: PathBuf,
        closed: watch::Receiver<Option<u64>>,
    ) -> Result<(), Infallible> {
        if let Err(error) = self.follow(&stream, file, closed).await {
            tracing::warn!(%stream, %error, "a log cannot be read any more");
        }
        Ok(())
    }

    async fn follow(
        &self,
        stream: &StreamId,
        file: PathBuf,
        mut closed: watch::Receiver<Option<u64>>,
    ) -> std::io::Result<()> {
        let mut spool = Spool::open(&self.watcher, file, self.masker.clone(), self.log_limit)?;
        while !spool.is_over() {
            tokio::select! {
                pulled = spool.pull() => pulled?,
                len = closed.wait_for(Option::is_some), if !spool.is_ending() => {
                    let len = len.ok().and_then(|len| *len).unwrap_or(0);
                    spool.end_at(len);
                }
            }
            let records = spool.take();
            if !records.is_empty() {
                super::send(
                    &self.events,
                    LocalEvent::Lines {
                        job: self.job,
                        stream: stream.clone(),
                        records,
                    },
                );
            }
        }
        Ok(())
    }
}
