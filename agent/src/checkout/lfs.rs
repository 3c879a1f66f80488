//! Git LFS: files whose content is kept elsewhere, and which git has as pointers. The program `git-lfs` fetches the
//! content into the mirror; it is put into the workspace here, so that no filter of a repository is ever run. Content
//! that cannot be had leaves the pointers, and the log says why.

use std::fs::{self, FileTimes};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use git_cli::{Address, Exit, Git, reason, without_credentials};
use git2::{AttrCheckFlags, IndexEntry, IndexTime, Repository};
use tokio_util::sync::CancellationToken;

use super::fetch::git;
use super::workspace::path;
use super::{CheckoutError, Progress, blocking, io as io_error};

/// How a pointer begins.
const VERSION: &str = "version https://git-lfs.github.com/spec/v1\n";
/// No pointer is longer.
const LONGEST: u32 = 1024;

/// A file that is a pointer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer {
    /// In the folder of its repository.
    file: PathBuf,
    /// The SHA-256 of the content.
    content: String,
}

/// The content of one commit's pointers.
pub struct Content<'a> {
    /// The bare repository.
    pub mirror: &'a Path,
    /// How git is called.
    pub git: &'a Git,
    /// Where the repository is.
    pub address: &'a Address,
    /// The build's code is trusted.
    pub trusted: bool,
    /// The commit.
    pub commit: &'a str,
    /// Where its files are.
    pub folder: &'a Path,
}

/// The pointers among the files of a checkout.
pub fn pointers(repository: &Repository, entries: &[IndexEntry], folder: &Path) -> Result<Vec<Pointer>, CheckoutError> {
    let is_regular = |entry: &&IndexEntry| matches!(entry.mode, 0o100_644 | 0o100_755);
    let attributes = entries.iter().filter(is_regular).map(path);
    let attributes = attributes.filter(|path| path.file_name().is_some_and(|name| name == ".gitattributes"));
    let names_lfs = |path: PathBuf| {
        let text = fs::read(folder.join(path)).unwrap_or_default();
        text.windows(10).any(|part| part == b"filter=lfs")
    };
    if !attributes.into_iter().any(names_lfs) {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in entries
        .iter()
        .filter(is_regular)
        .filter(|entry| entry.file_size <= LONGEST)
    {
        let file = path(entry);
        let place = folder.join(&file);
        let text = fs::read(&place).map_err(io_error("read", &place))?;
        let Some(content) = str::from_utf8(&text).ok().and_then(content_of) else {
            continue;
        };
        let filter = repository.get_attr_bytes(&file, "filter", AttrCheckFlags::FILE_THEN_INDEX)?;
        if filter == Some(b"lfs") {
            found.push(Pointer { file, content });
        }
    }
    Ok(found)
}

/// The SHA-256 that a pointer names.
fn content_of(text: &str) -> Option<String> {
    let id = text
        .strip_prefix(VERSION)?
        .lines()
        .find_map(|line| line.strip_prefix("oid sha256:"))?;
    let is_id = id.len() == 64 && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    is_id.then(|| id.to_owned())
}

impl Content<'_> {
    /// Fetches the content, and puts it where the pointers are.
    pub async fn bring(
        &self,
        pointers: Vec<Pointer>,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<(), CheckoutError> {
        if pointers.is_empty() {
            return Ok(());
        }
        let count = pointers.len();
        let files = if count == 1 {
            "1 file".to_owned()
        } else {
            format!("{count} files")
        };
        if let Err(why) = self.fetch(progress, cancel).await? {
            progress(format!(
                "{files} of Git LFS stay pointers, without their content: {why}"
            ));
            return Ok(());
        }
        let (mirror, folder) = (self.mirror.to_owned(), self.folder.to_owned());
        let missing = blocking(move || put(&mirror, &folder, &pointers)).await?;
        match missing {
            0 => progress(format!("fetched {files} of Git LFS")),
            missing => progress(format!(
                "{missing} of {files} of Git LFS stay pointers: their content is not on the server"
            )),
        }
        Ok(())
    }

    /// Brings the content into the mirror; or says why not.
    async fn fetch(
        &self,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Result<(), String>, CheckoutError> {
        let fetching = ("fetching Git LFS files", progress);
        let version = git(self.git, self.mirror, &["lfs", "version"], fetching, cancel).await?;
        if let Exit::Failure(_) = version {
            let advice = "git-lfs is not installed on the agent (Debian, Ubuntu: apt install git-lfs)";
            return Ok(Err(advice.to_owned()));
        }
        let place = match self.place(progress, cancel).await? {
            Ok(place) => place,
            Err(why) => return Ok(Err(why)),
        };
        // a place of the commit's own choice gets no credential of ours
        let caller = match place.is_some() && !self.trusted {
            true => self.git.anonymous(),
            false => self.git.clone(),
        };
        let remote = format!("remote.origin.url={}", self.address);
        let mut arguments = vec!["-c", &remote];
        arguments.extend(place.iter().flat_map(|place| ["-c", place]));
        arguments.extend(["lfs", "fetch", "origin", self.commit]);
        Ok(match git(&caller, self.mirror, &arguments, fetching, cancel).await? {
            Exit::Success(_) => Ok(()),
            Exit::Failure(said) => Err(reason(&said)),
        })
    }

    /// The setting that says where the content is, when `.lfsconfig` of the commit says so and it may be asked.
    async fn place(
        &self,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Result<Option<String>, String>, CheckoutError> {
        let blob = format!("{}:.lfsconfig", self.commit);
        let ask = ["config", "--no-includes", "--blob", &blob, "lfs.url"];
        let reading = ("reading .lfsconfig", progress);
        let said = match git(self.git, self.mirror, &ask, reading, cancel).await? {
            Exit::Success(said) => String::from_utf8_lossy(&said).trim().to_owned(),
            Exit::Failure(_) => return Ok(Ok(None)),
        };
        let address = match self.address.of_submodule(&said, self.git.protocols()) {
            Ok(address) => address,
            Err(error) => return Ok(Err(format!("lfs.url in .lfsconfig: {error}"))),
        };
        if !self.trusted && !address.is_web_beside(self.address) {
            let shown = without_credentials(address.as_str());
            return Ok(Err(format!(
                "the build is not trusted, and {shown} is not the repository's own server"
            )));
        }
        Ok(Ok(Some(format!("lfs.url={address}"))))
    }
}

/// Puts content in the place of pointers; how many had none.
fn put(mirror: &Path, folder: &Path, pointers: &[Pointer]) -> Result<usize, CheckoutError> {
    let repository = Repository::open(folder)?;
    let objects = mirror.join("objects");
    repository.odb()?.add_disk_alternate(&objects.to_string_lossy())?;
    let mut index = repository.index()?;
    let mut missing = 0;
    // Git takes a file that is as old as the index for one that may have changed since.
    let before = SystemTime::now() - Duration::from_secs(2);
    for pointer in pointers {
        let id = &pointer.content;
        let content = mirror.join("lfs/objects").join(&id[..2]).join(&id[2..4]).join(id);
        let place = folder.join(&pointer.file);
        let size = match replace(&content, &place, before) {
            Ok(size) => size,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                missing += 1;
                continue;
            }
            Err(error) => return Err(io_error("write", &place)(error)),
        };
        if let Some(mut entry) = index.get_path(&pointer.file, 0) {
            let secs = before.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            entry.mtime = IndexTime::new(i32::try_from(secs).unwrap_or(i32::MAX), 0);
            entry.file_size = u32::try_from(size & u64::from(u32::MAX)).unwrap_or_default();
            index.add(&entry)?;
        }
    }
    index.write()?;
    super::shell::chmod(&folder.join(".git/index"), 0o666)?;
    Ok(missing)
}

/// Overwrites a file of the checkout, whose mode stays.
fn replace(content: &Path, place: &Path, modified: SystemTime) -> io::Result<u64> {
    let mut from = fs::File::open(content)?;
    let mut to = fs::OpenOptions::new().write(true).truncate(true).open(place)?;
    let size = io::copy(&mut from, &mut to)?;
    to.flush()?;
    to.set_times(FileTimes::new().set_modified(modified))?;
    Ok(size)
}
