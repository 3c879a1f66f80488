//! Following files that grow: all logs of an agent share one inotify instance. Separate from what the bytes mean.
//!
//! No write is missed: a watch is in place before the first read, and a wake-up that comes between a read and the wait
//! is kept until the wait. A look once a second covers what inotify itself may lose.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use rustix::fs::{Mode, OFlags};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::lock::lock;

/// Most bytes that one [`Tail::next`] brings.
pub const MAX_READ: usize = 256 * 1024;
/// How often a file is looked at although nobody said that it grew.
const LOOK_ANYWAY: Duration = Duration::from_secs(1);
/// The same where there is no inotify.
const LOOK_OFTEN: Duration = Duration::from_millis(20);

/// The agent's one watcher; clones share it.
#[derive(Clone)]
pub struct Watcher {
    shared: Arc<Shared>,
}

struct Shared {
    /// `None`: there is no inotify to be had. Its thread only looks into `folders`.
    inotify: Mutex<Option<RecommendedWatcher>>,
    folders: Arc<Mutex<Folders>>,
    next_id: AtomicU64,
}

/// Who follows what, by folder.
type Folders = HashMap<PathBuf, Vec<Follower>>;

struct Follower {
    id: u64,
    file: OsString,
    signal: Arc<Signal>,
}

/// How a tail is woken.
#[derive(Default)]
struct Signal {
    wake: Notify,
    finished: AtomicBool,
}

/// What [`Tail::next`] came back with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tailed {
    /// New bytes are in the buffer.
    More,
    /// The writer is over and everything was read.
    Eof,
}

/// One file, read as it grows; the file need not exist yet, its folder must.
pub struct Tail {
    watcher: Watcher,
    id: u64,
    folder: PathBuf,
    path: PathBuf,
    file: Option<File>,
    offset: u64,
    signal: Arc<Signal>,
    look: Duration,
}

/// Tells a [`Tail`] that its writer is over.
#[derive(Clone)]
pub struct Finish {
    signal: Arc<Signal>,
}

impl Watcher {
    /// Starts watching. Without inotify (limits, odd mounts) files are looked at every few milliseconds instead.
    pub fn new() -> Watcher {
        let folders = Arc::new(Mutex::new(Folders::new()));
        let seen = folders.clone();
        let inotify = notify::recommended_watcher(move |event| wake(&lock(&seen), &event));
        if let Err(error) = &inotify {
            tracing::warn!(%error, "logs are polled: there is no inotify instance to be had");
        }
        let shared = Shared {
            inotify: Mutex::new(inotify.ok()),
            folders,
            next_id: AtomicU64::new(0),
        };
        Watcher {
            shared: Arc::new(shared),
        }
    }

    /// Follows `file` from `offset`.
    pub fn follow(&self, file: &Path, offset: u64) -> io::Result<Tail> {
        let (folder, name) = match (file.parent(), file.file_name()) {
            (Some(folder), Some(name)) => (folder.to_owned(), name.to_owned()),
            _ => return Err(io::Error::new(ErrorKind::InvalidInput, "not a path of a file")),
        };
        let signal = Arc::new(Signal::default());
        let id = self.shared.next_id.fetch_add(1, Ordering::Relaxed);
        let follower = Follower {
            id,
            file: name,
            signal: signal.clone(),
        };
        let is_watched = self.watch(&folder, follower);
        Ok(Tail {
            watcher: self.clone(),
            id,
            path: folder.join(file.file_name().unwrap_or_default()),
            folder,
            file: None,
            offset,
            signal,
            look: if is_watched { LOOK_ANYWAY } else { LOOK_OFTEN },
        })
    }

    /// Adds a follower; false when its folder is not watched. The lock on inotify is held throughout, so that a tail that
    /// ends does not take the watch of one that begins; that on the folders is not, because inotify's thread needs it.
    fn watch(&self, folder: &Path, follower: Follower) -> bool {
        let mut inotify = lock(&self.shared.inotify);
        lock(&self.shared.folders)
            .entry(folder.to_owned())
            .or_default()
            .push(follower);
        let Some(inotify) = inotify.as_mut() else { return false };
        match inotify.watch(folder, RecursiveMode::NonRecursive) {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(folder = %folder.display(), %error, "a log is polled: its folder cannot be watched");
                false
            }
        }
    }

    fn forget(&self, folder: &Path, id: u64) {
        let mut inotify = lock(&self.shared.inotify);
        let is_last = {
            let mut folders = lock(&self.shared.folders);
            let Some(followers) = folders.get_mut(folder) else {
                return;
            };
            followers.retain(|follower| follower.id != id);
            let is_last = followers.is_empty();
            if is_last {
                folders.remove(folder);
            }
            is_last
        };
        if let Some(inotify) = inotify.as_mut().filter(|_| is_last) {
            // The folder may be gone, and its watch with it.
            let _ = inotify.unwatch(folder);
        }
    }
}

impl Default for Watcher {
    fn default() -> Watcher {
        Watcher::new()
    }
}

/// Wakes whoever follows what an event names; everybody when events were lost.
fn wake(folders: &Folders, event: &notify::Result<notify::Event>) {
    let event = match event {
        Ok(event) if !event.need_rescan() => event,
        _ => {
            return folders
                .values()
                .flatten()
                .for_each(|follower| follower.signal.wake.notify_one());
        }
    };
    if !matches!(event.kind, EventKind::Create(_) | EventKind::Modify(_)) {
        return;
    }
    for path in &event.paths {
        let followers = path.parent().and_then(|folder| folders.get(folder));
        for follower in followers.into_iter().flatten() {
            if path.file_name() == Some(&follower.file) {
                follower.signal.wake.notify_one();
            }
        }
    }
}

impl Tail {
    /// Waits for bytes and appends them to `out`, at most [`MAX_READ`] a call. Safe to drop half-way.
    ///
    /// # Errors
    /// The file cannot be opened or read, or it is not a plain file: then it is not a gate's.
    pub async fn next(&mut self, out: &mut Vec<u8>) -> io::Result<Tailed> {
        loop {
            // Asked before the read: what was written before `finish` is read after it.
            let finished = self.signal.finished.load(Ordering::Acquire);
            if self.read(out)? > 0 {
                return Ok(Tailed::More);
            }
            if finished {
                return Ok(Tailed::Eof);
            }
            // Early or late, there is only one thing to do: look.
            let _ = timeout(self.look, self.signal.wake.notified()).await;
        }
    }

    /// The handle by which the owner says that nothing more will be written.
    pub fn finisher(&self) -> Finish {
        Finish {
            signal: self.signal.clone(),
        }
    }

    /// Bytes read so far, counted from the beginning of the file.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Reads what is there. Not on a thread of its own: these bytes were just written and are in memory.
    fn read(&mut self, out: &mut Vec<u8>) -> io::Result<usize> {
        let file = match &self.file {
            Some(file) => file,
            None => match open_plain(&self.path) {
                Ok(file) => self.file.insert(file),
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
                Err(error) => return Err(error),
            },
        };
        let there = file.metadata()?.len().saturating_sub(self.offset);
        let most = usize::try_from(there).unwrap_or(MAX_READ).min(MAX_READ);
        let start = out.len();
        out.resize(start + most, 0);
        let count = loop {
            match file.read_at(&mut out[start..], self.offset) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        out.truncate(start + *count.as_ref().unwrap_or(&0));
        let count = count?;
        self.offset += count as u64;
        Ok(count)
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.watcher.forget(&self.folder, self.id);
    }
}

impl Finish {
    /// Nothing more will be written: the tail ends once it has read what is there.
    pub fn finish(&self) {
        self.signal.finished.store(true, Ordering::Release);
        self.signal.wake.notify_one();
    }
}

/// The folder belongs to the container's user, who may put a link or a pipe in the file's place: neither is followed.
pub(crate) fn open_plain(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(ErrorKind::InvalidInput, "the log is not a plain file"))
    }
}
