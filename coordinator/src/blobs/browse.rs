//! What is in an archive: the list of its files, and one of them. An archive is gone through from its start; the list is
//! kept beside it while it is not large beside the archive itself, so that the second look is quick. Nothing is ever
//! unpacked here, no name in it is believed, and the names are never all in memory.

use std::io::{self, BufRead, BufReader, Read};
use std::ops::ControlFlow;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use protocol::blobs::{LONGEST_NAME, MOST_CONTENT_BYTES, MOST_ENTRIES, MOST_NAME_BYTES};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::read_slots::{ReadSlot, SLOTS};
use super::{BlobError, BlobStore, Opened};

/// Each entry has at most one more for a long name, and one for a long link.
const MOST_HEADERS: usize = 3 * MOST_ENTRIES;
/// A list that is kept is not larger than its archive; a small one is kept in any case,
const SMALL_LIST: u64 = 64 << 10;
/// and a very large one never.
const LARGE_LIST: u64 = 16 << 20;
/// Bytes of names on one page.
const PAGE_BYTES: usize = 1 << 20;

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

impl Item {
    fn name_bytes(&self) -> usize {
        self.name.len() + self.link.as_ref().map_or(0, String::len)
    }
}

/// Some files of an archive, in its order.
#[derive(Debug, Default)]
pub struct Page {
    /// They themselves.
    pub items: Vec<Item>,
    /// How many come before the next page; `None`: there is none.
    pub next: Option<usize>,
}

/// One file's bytes.
pub struct File {
    /// How many.
    pub size: u64,
    /// They themselves.
    pub bytes: BoxStream<'static, io::Result<Bytes>>,
}

/// Where the list of an archive is kept, in lines of JSON.
fn list_name(sha: &str) -> String {
    format!("{sha}.list")
}

/// What is kept beside an archive and goes with it; earlier versions had a list of another form.
pub(super) fn beside(sha: &str) -> [String; 2] {
    [list_name(sha), format!("{sha}.index")]
}

/// At most `limit` files of an archive that come after the first `after`.
///
/// # Errors
/// As [`fold`].
pub async fn page(store: &BlobStore, sha: &str, after: usize, limit: usize) -> Result<Page, BlobError> {
    let (mut at, mut bytes) = (0, 0);
    fold(store, sha, Page::default(), move |page, item| {
        at += 1;
        if at <= after {
            return ControlFlow::Continue(());
        }
        if page.items.len() >= limit || bytes >= PAGE_BYTES {
            page.next = Some(after + page.items.len());
            return ControlFlow::Break(());
        }
        bytes += item.name_bytes();
        page.items.push(item);
        ControlFlow::Continue(())
    })
    .await
}

/// Shows every file of an archive to `step`, in its order, until that has seen enough.
///
/// # Errors
/// `NotFound`; `BadArchive`; `Crowded`; the place breaks.
pub async fn fold<T, F>(store: &BlobStore, sha: &str, state: T, step: F) -> Result<T, BlobError>
where
    T: Send + 'static,
    F: FnMut(&mut T, Item) -> ControlFlow<()> + Send + 'static,
{
    let slot = SLOTS.acquire().await?;
    let (left, _waits) = nobody_waits();
    match store.read(&list_name(sha), None).await {
        Ok(list) => {
            let reader = StreamReader::new(list, left);
            let folded = blocking(slot, move || fold_list(reader, state, step)).await;
            if folded.is_err() {
                // It is damaged; the next look makes it anew.
                store.remove(&list_name(sha)).await?;
            }
            return folded;
        }
        Err(BlobError::NotFound) => {}
        Err(error) => return Err(error),
    }
    let opened = store.read(sha, None).await?;
    let room = opened.size.clamp(SMALL_LIST, LARGE_LIST);
    let reader = StreamReader::new(opened, left);
    let (state, list) = blocking(slot, move || fold_archive(reader, room, state, step)).await?;
    if let Some(list) = list {
        store.write_beside(&list_name(sha), list).await?;
    }
    Ok(state)
}

async fn blocking<T: Send + 'static>(
    slot: ReadSlot,
    work: impl FnOnce() -> Result<T, BlobError> + Send + 'static,
) -> Result<T, BlobError> {
    let done = spawn_blocking(move || {
        let _slot = slot;
        work()
    });
    done.await.map_err(|error| BlobError::Broken(error.to_string()))?
}

fn fold_list<T>(
    reader: impl Read,
    mut state: T,
    mut step: impl FnMut(&mut T, Item) -> ControlFlow<()>,
) -> Result<T, BlobError> {
    let broken = |error: &dyn std::fmt::Display| BlobError::Broken(format!("the list of an archive: {error}"));
    for line in BufReader::new(reader).lines() {
        let line = line.map_err(|error| broken(&error))?;
        let item = serde_json::from_str(&line).map_err(|error| broken(&error))?;
        if step(&mut state, item).is_break() {
            break;
        }
    }
    Ok(state)
}

/// Goes through the archive itself; the list too, unless it needs more than `room`.
fn fold_archive<T>(
    reader: impl Read,
    room: u64,
    mut state: T,
    mut step: impl FnMut(&mut T, Item) -> ControlFlow<()>,
) -> Result<(T, Option<Vec<u8>>), BlobError> {
    let (mut list, mut wants_more) = (Some(Vec::new()), true);
    go_through(reader, &mut |item, _| {
        if let Some(lines) = &mut list {
            serde_json::to_writer(&mut *lines, &item)?;
            lines.push(b'\n');
            if lines.len() as u64 > room {
                list = None;
            }
        }
        wants_more = wants_more && step(&mut state, item).is_continue();
        Ok(if wants_more || list.is_some() { Go::On } else { Go::Stop })
    })?;
    Ok((state, list))
}

/// One file of an archive.
///
/// # Errors
/// As [`fold`]; `NotFound` too when it is not in it, or is a link.
pub async fn file(store: &BlobStore, sha: &str, name: &str) -> Result<File, BlobError> {
    let wanted = name.to_owned();
    let size = fold(store, sha, None, move |size, item| {
        if item.name != wanted || item.link.is_some() {
            return ControlFlow::Continue(());
        }
        *size = Some(item.size);
        ControlFlow::Break(())
    });
    let size = size.await?.ok_or(BlobError::NotFound)?;
    let slot = SLOTS.acquire().await?;
    let (left, waits) = nobody_waits();
    let reader = StreamReader::new(store.read(sha, None).await?, left);
    let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(4);
    let wanted = name.to_owned();
    spawn_blocking(move || {
        let gone = go_through(reader, &mut |item, content| {
            if item.name != wanted || item.link.is_some() {
                return Ok(Go::On);
            }
            copy(content, &slot, &sender)?;
            Ok(Go::Stop)
        });
        if let Err(error) = gone {
            // Who reads sees that it broke off.
            slot.send(&sender, Err(io::Error::other(error.to_string())));
        }
    });
    let stream = futures_util::stream::unfold((receiver, waits), async |(mut receiver, waits)| {
        Some((receiver.recv().await?, (receiver, waits)))
    });
    Ok(File {
        size,
        // Whoever compresses it asks once more behind its end.
        bytes: stream.fuse().boxed(),
    })
}

fn copy(content: &mut dyn Read, slot: &ReadSlot, to: &mpsc::Sender<io::Result<Bytes>>) -> io::Result<()> {
    loop {
        let mut chunk = vec![0; 64 * 1024];
        let read = content.read(&mut chunk)?;
        chunk.truncate(read);
        if read == 0 || !slot.send(to, Ok(chunk.into())) {
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
    let (mut count, mut bytes, mut name_bytes) = (0, 0_u64, 0);
    let too_large = || BlobError::BadArchive("the archive is too large to look into".into());
    // Raw: long names are ours to read, with a limit.
    for entry in archive.entries().map_err(bad)?.raw(true) {
        let mut entry = entry.map_err(bad)?;
        count += 1;
        bytes = bytes.saturating_add(entry.size());
        if count > MOST_HEADERS || bytes > MOST_CONTENT_BYTES + MOST_NAME_BYTES as u64 {
            return Err(too_large());
        }
        let header = entry.header().clone();
        let kind = header.entry_type();
        if kind.is_gnu_longname() || kind.is_gnu_longlink() {
            let mut text = Vec::new();
            (&mut entry)
                .take(LONGEST_NAME as u64 + 2)
                .read_to_end(&mut text)
                .map_err(bad)?;
            let text = text.strip_suffix(b"\0").unwrap_or(&text);
            if text.len() > LONGEST_NAME {
                let why = format!("a name in the archive has more than {LONGEST_NAME} bytes");
                return Err(BlobError::BadArchive(why));
            }
            let text = String::from_utf8_lossy(text).trim_end_matches('\0').to_owned();
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
        name_bytes += item.name_bytes();
        if name_bytes > MOST_NAME_BYTES {
            return Err(too_large());
        }
        if let Go::Stop = visit(item, &mut entry).map_err(bad)? {
            return Ok(());
        }
    }
    Ok(())
}

/// A token that is cancelled when the guard goes, with whoever waits for the look.
fn nobody_waits() -> (CancellationToken, DropGuard) {
    let left = CancellationToken::new();
    (left.clone(), left.drop_guard())
}

/// An archive that is read by blocking code, as long as somebody waits for what is in it.
struct StreamReader {
    stream: BoxStream<'static, Result<Bytes, object_store::Error>>,
    chunk: Bytes,
    runtime: Handle,
    left: CancellationToken,
}

impl StreamReader {
    fn new(opened: Opened, left: CancellationToken) -> StreamReader {
        StreamReader {
            stream: opened.stream,
            chunk: Bytes::new(),
            runtime: Handle::current(),
            left,
        }
    }
}

impl Read for StreamReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left.is_cancelled() {
            return Err(io::Error::other("nobody waits for it any more"));
        }
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
