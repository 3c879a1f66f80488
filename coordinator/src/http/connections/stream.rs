//! A socket that tells its [`Connection`] what it does, and breaks off when the other end takes too little of what it
//! asked for.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::Connection;

/// A socket of a connection.
pub(crate) struct Stream<S> {
    socket: S,
    connection: Arc<Connection>,
    stall: Stall,
    timer: Option<Pin<Box<Sleep>>>,
}

impl<S> Stream<S> {
    pub fn new(socket: S, connection: Arc<Connection>) -> Stream<S> {
        Stream {
            socket,
            connection,
            stall: Stall::default(),
            timer: None,
        }
    }
}

/// How long the other end has let us wait since it last took enough. It has no clock of its own.
#[derive(Debug, Default)]
struct Stall {
    waited: Duration,
    taken: usize,
    /// It lets us wait since then.
    since: Option<Instant>,
}

impl Stall {
    /// It took some bytes.
    fn takes(&mut self, now: Instant, bytes: usize, enough: usize) {
        if let Some(since) = self.since.take() {
            self.waited += now.duration_since(since);
            self.taken += bytes;
            if self.taken >= enough {
                (self.waited, self.taken) = (Duration::ZERO, 0);
            }
        }
    }

    /// It takes nothing now; until when that may go on.
    fn waits(&mut self, now: Instant, patience: Duration) -> Instant {
        let since = *self.since.get_or_insert(now);
        since + patience.saturating_sub(self.waited)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(context, buffer))?;
        if buffer.filled().len() > before {
            self.connection.reads();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> Stream<S> {
    fn watched(&mut self, context: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        let (patience, enough) = self.connection.stall();
        if let Poll::Ready(Ok(bytes)) = written {
            self.stall.takes(Instant::now(), bytes, enough);
        }
        if written.is_ready() {
            return written;
        }
        let end = self.stall.waits(Instant::now(), patience);
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(end)));
        if timer.deadline() != end {
            timer.as_mut().reset(end);
        }
        ready!(timer.as_mut().poll(context));
        metrics::counter!("drover_connections_stalled_total").increment(1);
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.watched(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(context, bytes);
        self.watched(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);
    const ENOUGH: usize = 64 * 1024;

    /// Lets it take `bytes` after each of the waits; how long it may go on waiting after the last.
    fn patience_after(waits: &[(u64, usize)]) -> Duration {
        let (mut stall, mut now) = (Stall::default(), Instant::now());
        for (secs, bytes) in waits {
            stall.waits(now, PATIENCE);
            now += Duration::from_secs(*secs);
            stall.takes(now, *bytes, ENOUGH);
        }
        // Time that nobody waited does not count.
        now += Duration::from_secs(3_600);
        stall.waits(now, PATIENCE).duration_since(now)
    }

    #[test]
    fn who_takes_enough_may_be_slow_and_who_takes_a_few_bytes_now_and_then_may_not() {
        assert_eq!(patience_after(&[]), PATIENCE);
        assert_eq!(patience_after(&[(29, ENOUGH), (29, ENOUGH)]), PATIENCE);
        assert_eq!(patience_after(&[(20, ENOUGH / 2), (9, ENOUGH / 2)]), PATIENCE);
        assert_eq!(patience_after(&[(10, 1), (10, 1)]), Duration::from_secs(10));
        assert_eq!(patience_after(&[(10, 1), (25, 1)]), Duration::ZERO);
    }
}
