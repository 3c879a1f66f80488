//! What is in an archive: the list of its files, and one of them. An archive is gone through from its start; the list is
//! kept beside it, so that the second look is quick. Nothing is ever unpacked here, and no name in it is believed.

use std::io::{self, Read};

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use protocol::blobs::{MOST_CONTENT_BYTES, MOST_ENTRIES};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::spawn_blocking;

use super::{BlobError, BlobStore, Opened};

/// Each entry has at most one more for a long name, and one for a long link.
const MOST_HEADERS: usize = 3 * MOST_ENTRIES;
/// A name is never longer.
const LONGEST_NAME: u64 = 64 * 1024;
/// Looks at once; each needs a thread.
static LOOKS: Semaphore = Semaphore::const_new(8);

/// One file or link of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Its name, with slashes.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Permissions.
    pub mode: u32,
    /// Where it leads, if it is a link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// One file's bytes.
pub struct File {
    /// How many.
    pub size: u64,
    /// They themselves.
    pub bytes: BoxStream<'static, io::Result<Bytes>>,
}

/// Where the list of an archive is kept.
pub(super) fn index_name(sha: &str) -> String {
    format!("{sha}.index")
}

/// The files of an archive, in its order.
///
/// # Errors
/// `NotFound`; `BadArchive`; the place breaks.
pub async fn list(store: &BlobStore, sha: &str) -> Result<Vec<Item>, BlobError> {
    match store.read(&index_name(sha), None).await {
        Ok(index) => {
            if let Ok(items) = serde_json::from_slice(&index.bytes().await?) {
                return Ok(items);
            }
        }
        Err(BlobError::NotFound) => {}
        Err(error) => return Err(error),
    }
    let _permit = LOOKS
        .acquire()
        .await
        .map_err(|error| BlobError::Broken(error.to_string()))?;
    let reader = StreamReader::new(store.read(sha, None).await?);
    let items = spawn_blocking(move || {
        let mut items = Vec::new();
        go_through(reader, &mut |item, _| {
            items.push(item);
            Ok(Go::On)
        })?;
        Ok::<_, BlobError>(items)
    });
    let items = items.await.map_err(|error| BlobError::Broken(error.to_string()))??;
    let index = serde_json::to_vec(&items).map_err(|error| BlobError::Broken(error.to_string()))?;
    store.write_beside(&index_name(sha), index).await?;
    Ok(items)
}

/// One file of an archive.
///
/// # Errors
/// As [`list`]; `NotFound` too when it is not in it, or is a link.
pub async fn file(store: &BlobStore, sha: &str, name: &str) -> Result<File, BlobError> {
    let items = list(store, sha).await?;
    let item = items.into_iter().find(|item| item.name == name && item.link.is_none());
    let size = item.ok_or(BlobError::NotFound)?.size;
    let permit = LOOKS
        .acquire()
        .await
        .map_err(|error| BlobError::Broken(error.to_string()))?;
    let reader = StreamReader::new(store.read(sha, None).await?);
    let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(4);
    let wanted = name.to_owned();
    spawn_blocking(move || {
        let _permit = permit;
        let gone = go_through(reader, &mut |item, content| {
            if item.name != wanted || item.link.is_some() {
                return Ok(Go::On);
            }
            copy(content, &sender)?;
            Ok(Go::Stop)
        });
        if let Err(error) = gone {
            // Who reads sees that it broke off.
            let _ = sender.blocking_send(Err(io::Error::other(error.to_string())));
        }
    });
    let stream = futures_util::stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
    Ok(File {
        size,
        bytes: stream.boxed(),
    })
}

fn copy(content: &mut dyn Read, to: &mpsc::Sender<io::Result<Bytes>>) -> io::Result<()> {
    loop {
        let mut chunk = vec![0; 64 * 1024];
        let read = content.read(&mut chunk)?;
        chunk.truncate(read);
        if read == 0 || to.blocking_send(Ok(chunk.into())).is_err() {
            return Ok(());
        }
    }
}

enum Go {
    On,
    Stop,
}

type Visit<'a> = &'a mut dyn FnMut(Item, &mut dyn Read) -> io::Result<Go>;

/// Shows every file and link to `visit`.
fn go_through(reader: impl Read, visit: Visit<'_>) -> Result<(), BlobError> {
    let bad = |error: io::Error| BlobError::BadArchive(format!("the archive cannot be read: {error}"));
    let mut archive = tar::Archive::new(zstd::Decoder::new(reader).map_err(bad)?);
    let (mut long_name, mut long_link) = (None, None);
    let (mut count, mut bytes) = (0, 0_u64);
    // Raw: long names are ours to read, with a limit.
    for entry in archive.entries().map_err(bad)?.raw(true) {
        let mut entry = entry.map_err(bad)?;
        count += 1;
        bytes = bytes.saturating_add(entry.size());
        if count > MOST_HEADERS || bytes > MOST_CONTENT_BYTES + LONGEST_NAME * MOST_ENTRIES as u64 {
            return Err(BlobError::BadArchive("the archive is too large to look into".into()));
        }
        let header = entry.header().clone();
        let kind = header.entry_type();
        if kind.is_gnu_longname() || kind.is_gnu_longlink() {
            let mut text = Vec::new();
            (&mut entry).take(LONGEST_NAME).read_to_end(&mut text).map_err(bad)?;
            let text = String::from_utf8_lossy(&text).trim_end_matches('\0').to_owned();
            *(if kind.is_gnu_longname() {
                &mut long_name
            } else {
                &mut long_link
            }) = Some(text);
            continue;
        }
        let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let name = long_name.take().unwrap_or_else(|| lossy(&header.path_bytes()));
        let target = long_link
            .take()
            .or_else(|| header.link_name_bytes().map(|target| lossy(&target)));
        if !(kind.is_file() || kind.is_symlink()) {
            continue;
        }
        let item = Item {
            name,
            size: entry.size(),
            mode: header.mode().unwrap_or(0) & 0o777,
            link: target.filter(|_| kind.is_symlink()),
        };
        if let Go::Stop = visit(item, &mut entry).map_err(bad)? {
            return Ok(());
        }
    }
    Ok(())
}

/// An archive that is read by blocking code.
struct StreamReader {
    stream: BoxStream<'static, Result<Bytes, object_store::Error>>,
    chunk: Bytes,
    runtime: Handle,
}

impl StreamReader {
    fn new(opened: Opened) -> StreamReader {
        StreamReader {
            stream: opened.stream,
            chunk: Bytes::new(),
            runtime: Handle::current(),
        }
    }
}

impl Read for StreamReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            match self.runtime.block_on(self.stream.next()) {
                None => return Ok(0),
                Some(chunk) => self.chunk = chunk.map_err(io::Error::other)?,
            }
        }
        let taken = buffer.len().min(self.chunk.len());
        buffer[..taken].copy_from_slice(&self.chunk.split_to(taken));
        Ok(taken)
    }
}
