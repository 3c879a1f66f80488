//! Archives on this machine, for `drover run`: caches outlive the run, artifacts are unpacked where people find them,
//! and their archives stay for the jobs of the same run.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use job_specs::model::JobSpec;
use protocol::blobs::{BlobLimits, CacheFound, Kept, NeededArtifact};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use super::archive::{self, ByteReader, Links, Modes, Rules, UnpackTarget, byte_pipe};
use super::{BlobError, Bytestream, NewArtifact};
use crate::files::{read_note, write_note};

/// A laptop's disk is its owner's.
pub(super) const ROOM: BlobLimits = BlobLimits {
    artifact_bytes: 100 << 30,
    repository_bytes_left: 100 << 30,
    cache_bytes: CACHE_BYTES,
};
/// All caches of a repository; the least recently used go first.
const CACHE_BYTES: u64 = 10 << 30;

/// The folders of one local job.
#[derive(Debug, Clone)]
pub struct Folder {
    /// `<sha of the key>.tar.zst` and `.json`.
    caches: PathBuf,
    /// The run's: `<sha>.tar.zst`, and a `.json` for each artifact.
    archives: PathBuf,
    /// Unpacked, one folder each.
    shown: PathBuf,
    job: Box<JobSpec>,
}

/// A cache, beside its archive.
#[derive(Debug, Serialize, Deserialize)]
struct CacheNote {
    key: String,
    sha256: String,
    bytes: u64,
}

/// An artifact of the run.
#[derive(Debug, Serialize, Deserialize)]
struct ArtifactNote {
    job: String,
    cell: Vec<job_specs::model::AxisValue>,
    artifact: NeededArtifact,
}

impl Folder {
    /// Under the data folder of `drover run`, for a job of `repository`; `run` is the folder of this run.
    pub fn new(data: &Path, run: &Path, repository: &str, job: &JobSpec) -> Folder {
        let repository = file_name(repository);
        Folder {
            caches: data.join("caches").join(&repository),
            archives: run.join("artifacts"),
            shown: data.join("artifacts").join(repository).join(file_name(&job.title())),
            job: Box::new(job.clone()),
        }
    }

    pub(super) fn shown_at(&self, artifact: &str) -> PathBuf {
        self.shown.join(file_name(artifact))
    }

    pub(super) async fn find_cache(&self, key: &str, fallback: &[String]) -> Result<Option<CacheFound>, BlobError> {
        let (folder, key, fallback) = (self.clone(), key.to_owned(), fallback.to_vec());
        blocking(move || Ok(folder.find(&key, &fallback))).await
    }

    fn find(&self, key: &str, fallback: &[String]) -> Option<CacheFound> {
        let mut notes = notes::<CacheNote>(&self.caches);
        notes.sort_by_key(|(made, ..)| std::cmp::Reverse(*made));
        let exact = notes.iter().find(|(_, note, _)| note.key == key);
        let by_prefix = |prefix: &String| notes.iter().find(|(_, note, _)| note.key.starts_with(prefix.as_str()));
        let (_, note, path) = exact.or_else(|| fallback.iter().find_map(by_prefix))?;
        let archive = path.with_extension("tar.zst");
        // Which was used last is known by the time of its archive.
        let touched = fs::File::open(&archive).and_then(|file| file.set_modified(SystemTime::now()));
        touched.ok()?;
        Some(CacheFound {
            key: note.key.clone(),
            sha256: note.sha256.clone(),
            bytes: note.bytes,
        })
    }

    pub(super) async fn save_cache(&self, key: &str, body: Bytestream) -> Result<Kept, BlobError> {
        let (folder, key) = (self.clone(), key.to_owned());
        blocking(move || {
            let name = hex::encode(Sha256::digest(&key));
            let archive = folder.caches.join(format!("{name}.tar.zst"));
            let kept = store(
                &archive,
                ROOM.cache_bytes,
                ByteReader::new(body, CancellationToken::new()),
            )?;
            let note = CacheNote {
                key,
                sha256: kept.sha256.clone(),
                bytes: kept.bytes,
            };
            write_note(&folder.caches.join(format!("{name}.json")), &note).map_err(broken)?;
            evict(&folder.caches);
            Ok(kept)
        })
        .await
    }

    pub(super) async fn keep_artifact(&self, new: &NewArtifact, body: Bytestream) -> Result<Kept, BlobError> {
        let (folder, new) = (self.clone(), new.clone());
        blocking(move || {
            let name = file_name(&format!("{} {}", folder.job.title(), new.name));
            let archive = folder.archives.join(format!("{name}.tar.zst"));
            let kept = store(
                &archive,
                ROOM.artifact_bytes,
                ByteReader::new(body, CancellationToken::new()),
            )?;
            let note = ArtifactNote {
                job: folder.job.name.clone(),
                cell: folder.job.matrix.clone(),
                artifact: NeededArtifact {
                    job: folder.job.title(),
                    name: new.name.clone(),
                    sha256: kept.sha256.clone(),
                    bytes: kept.bytes,
                    files: new.files,
                },
            };
            write_note(&folder.archives.join(format!("{name}.json")), &note).map_err(broken)?;
            show(&archive, &folder.shown_at(&new.name))?;
            Ok(kept)
        })
        .await
    }

    pub(super) async fn needed(&self) -> Result<Vec<NeededArtifact>, BlobError> {
        let folder = self.clone();
        blocking(move || {
            let notes = notes::<ArtifactNote>(&folder.archives);
            let wanted = |note: &ArtifactNote| {
                let mut needs = folder.job.needs.iter().filter(|need| need.artifacts);
                needs.any(|need| need.job == note.job && need.counts(&note.cell))
            };
            let mut needed: Vec<NeededArtifact> = notes
                .into_iter()
                .filter(|(_, note, _)| wanted(note))
                .map(|(_, note, _)| note.artifact)
                .collect();
            needed.sort_by(|a, b| (&a.job, &a.name).cmp(&(&b.job, &b.name)));
            Ok(needed)
        })
        .await
    }

    pub(super) async fn open(&self, sha256: &str) -> Result<Bytestream, BlobError> {
        let (folder, sha256) = (self.clone(), sha256.to_owned());
        blocking(move || {
            let caches = notes::<CacheNote>(&folder.caches).into_iter();
            let caches = caches.map(|(_, note, path)| (note.sha256, path));
            let artifacts = notes::<ArtifactNote>(&folder.archives).into_iter();
            let artifacts = artifacts.map(|(_, note, path)| (note.artifact.sha256, path));
            let found = caches.chain(artifacts).find(|(sha, _)| *sha == sha256);
            let (_, path) = found.ok_or_else(|| BlobError::Refused("the archive is gone".into()))?;
            let mut file = fs::File::open(path.with_extension("tar.zst")).map_err(broken)?;
            let (sender, receiver) = byte_pipe();
            std::thread::spawn(move || {
                let mut writer = archive::ByteWriter::new(sender);
                if io::copy(&mut file, &mut writer).is_ok() {
                    writer.end();
                }
            });
            Ok(receiver)
        })
        .await
    }
}

/// Writes an archive so that it is there whole or not at all.
fn store(archive: &Path, limit: u64, mut from: impl io::Read) -> Result<Kept, BlobError> {
    fs::create_dir_all(archive.parent().unwrap_or(Path::new("."))).map_err(broken)?;
    let half = archive.with_extension(format!("{}.half", uuid::Uuid::now_v7().simple()));
    let written = (|| {
        let mut file = fs::File::create(&half)?;
        let (mut hash, mut bytes, mut chunk) = (Sha256::new(), 0, vec![0; 256 * 1024]);
        loop {
            let read = from.read(&mut chunk)?;
            if read == 0 {
                return Ok((hash, bytes));
            }
            bytes += read as u64;
            if bytes > limit {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            hash.update(&chunk[..read]);
            io::Write::write_all(&mut file, &chunk[..read])?;
        }
    })();
    let kept = written.and_then(|(hash, bytes)| fs::rename(&half, archive).map(|()| (hash, bytes)));
    match kept {
        Ok((hash, bytes)) => Ok(Kept {
            sha256: hex::encode(hash.finalize()),
            bytes,
        }),
        Err(error) => {
            // It may never have been made.
            let _ = fs::remove_file(&half);
            Err(broken(error))
        }
    }
}

/// Unpacks an artifact where people look for it, instead of an earlier run's.
fn show(archive: &Path, folder: &Path) -> Result<(), BlobError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(broken(error)),
        _ => fs::create_dir_all(folder).map_err(broken)?,
    }
    let into = UnpackTarget::all_into(folder.to_owned());
    let rules = Rules::of(Links::Inside, Modes::Own);
    let file = fs::File::open(archive).map_err(broken)?;
    let unpacked = archive::unpack(file, &[into], rules);
    unpacked
        .map(drop)
        .map_err(|error| BlobError::Refused(error.to_string()))
}

/// Removes caches until the rest has room.
fn evict(caches: &Path) {
    let mut all: Vec<(SystemTime, u64, PathBuf)> = notes::<CacheNote>(caches)
        .into_iter()
        .filter_map(|(_, note, path)| {
            let used = fs::metadata(path.with_extension("tar.zst")).ok()?.modified().ok()?;
            Some((used, note.bytes, path))
        })
        .collect();
    all.sort();
    let mut total: u64 = all.iter().map(|(_, bytes, _)| bytes).sum();
    for (_, bytes, path) in all {
        if total <= CACHE_BYTES {
            return;
        }
        let gone = fs::remove_file(&path).and_then(|()| fs::remove_file(path.with_extension("tar.zst")));
        if let Err(error) = gone {
            tracing::warn!(%error, path = %path.display(), "an old cache cannot be removed");
        }
        total -= bytes;
    }
}

/// Every note of a folder with its time and path; what cannot be read is none.
fn notes<T: serde::de::DeserializeOwned>(folder: &Path) -> Vec<(SystemTime, T, PathBuf)> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let read = |path: PathBuf| {
        let made = fs::metadata(&path).ok()?.modified().ok()?;
        Some((made, read_note(&path)?, path))
    };
    let paths = entries.flatten().map(|entry| entry.path());
    let of_notes = paths.filter(|path| path.extension().is_some_and(|end| end == "json"));
    of_notes.filter_map(read).collect()
}

/// A name as one name of a file.
fn file_name(name: &str) -> String {
    let plain = |c: char| {
        if c.is_alphanumeric() || "-_.=, ()".contains(c) {
            c
        } else {
            '_'
        }
    };
    let name: String = name.chars().map(plain).take(200).collect();
    if name.trim_matches('.').is_empty() {
        "_".into()
    } else {
        name
    }
}

fn broken(error: io::Error) -> BlobError {
    BlobError::Refused(error.to_string())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BlobError> + Send + 'static,
) -> Result<T, BlobError> {
    let done = spawn_blocking(work).await;
    done.unwrap_or_else(|broken| Err(BlobError::Refused(broken.to_string())))
}
