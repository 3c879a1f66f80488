//! Bytes between blocking code (archives) and async code (calls): a few chunks are under way at most, so memory stays
//! flat whatever the sizes.

use std::io::{self, Read, Write};

use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, Stream};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Chunks under way.
const CHUNKS: usize = 8;
/// Bytes of a chunk.
const CHUNK_LEN: usize = 256 * 1024;

/// A pipe: what is written to the sender's [`ByteWriter`] can be received.
pub fn byte_pipe() -> (mpsc::Sender<io::Result<Bytes>>, mpsc::Receiver<io::Result<Bytes>>) {
    mpsc::channel(CHUNKS)
}

/// What is received, as a stream.
pub fn chunks(from: mpsc::Receiver<io::Result<Bytes>>) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    stream::unfold(from, async |mut from| Some((from.recv().await?, from)))
}

/// The blocking end that writes. Whatever is not brought to its [`end`](ByteWriter::end) arrives as an error, so that
/// nobody takes half an archive for a whole one.
pub struct ByteWriter {
    chunk: BytesMut,
    to: mpsc::Sender<io::Result<Bytes>>,
    is_whole: bool,
}

impl ByteWriter {
    /// Writes to that sender.
    pub fn new(to: mpsc::Sender<io::Result<Bytes>>) -> ByteWriter {
        ByteWriter {
            chunk: BytesMut::with_capacity(CHUNK_LEN),
            to,
            is_whole: false,
        }
    }

    /// That was all.
    pub fn end(mut self) {
        self.is_whole = self.send().is_ok();
    }

    fn send(&mut self) -> io::Result<()> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::replace(&mut self.chunk, BytesMut::with_capacity(CHUNK_LEN));
        let sent = self.to.blocking_send(Ok(chunk.freeze()));
        sent.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }
}

impl Write for ByteWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(CHUNK_LEN - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..taken]);
        if self.chunk.len() == CHUNK_LEN {
            self.send()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send()
    }
}

impl Drop for ByteWriter {
    fn drop(&mut self) {
        if !self.is_whole {
            // A receiver that is gone needs no telling.
            let _ = self.to.blocking_send(Err(io::Error::other("the archive is not whole")));
        }
    }
}

/// The blocking end that reads.
pub struct ByteReader {
    chunk: Bytes,
    from: mpsc::Receiver<io::Result<Bytes>>,
    runtime: Handle,
    stop: CancellationToken,
}

impl ByteReader {
    /// Reads what that receiver gets, until `stop`. To be made in the runtime.
    pub fn new(from: mpsc::Receiver<io::Result<Bytes>>, stop: CancellationToken) -> ByteReader {
        ByteReader {
            chunk: Bytes::new(),
            from,
            runtime: Handle::current(),
            stop,
        }
    }

    /// The next chunk. `None`: that was all.
    fn next(&mut self) -> io::Result<Option<Bytes>> {
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => Err(io::Error::other("it was stopped")),
                chunk = self.from.recv() => chunk.transpose(),
            }
        })
    }
}

impl Read for ByteReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            match self.next()? {
                None => return Ok(0),
                Some(chunk) => self.chunk = chunk,
            }
        }
        let taken = buffer.len().min(self.chunk.len());
        buffer[..taken].copy_from_slice(&self.chunk.split_to(taken));
        Ok(taken)
    }
}
