//! One archive of a job's files, packed and sent to where artifacts and caches are kept. A place that does not answer is
//! tried again; what packs the files and what says how large they may be stand together here.

use std::sync::Arc;

use protocol::blobs::{BlobLimits, Kept};
use tokio::task::spawn_blocking;

use crate::attempt::job::Job;
use crate::blobs::archive::{self, ByteWriter, FileList, PackError, PackSource, byte_pipe};
use crate::blobs::{BlobError, Bytestream};
use crate::coordinator::Backoff;

/// Tries to send something that counts; with the waits between them some minutes.
pub const TRIES: u32 = 60;

/// Why an archive is not kept.
pub enum NotKept {
    /// The user's files are the reason.
    Users(String),
    /// We are.
    Ours(String),
}

impl NotKept {
    /// For people.
    pub fn why(&self) -> &str {
        match self {
            NotKept::Users(why) | NotKept::Ours(why) => why,
        }
    }
}

/// How large things may be; a coordinator that is away for a moment is waited for.
pub async fn limits(job: &Job) -> Result<BlobLimits, NotKept> {
    let mut backoff = Backoff::default();
    for _ in 1..TRIES {
        match job.input.blobs.limits().await {
            Err(BlobError::Away(_)) => tokio::time::sleep(backoff.next_wait()).await,
            answer => return answer.map_err(|error| NotKept::Ours(error.to_string())),
        }
    }
    Err(NotKept::Ours("the coordinator does not answer".into()))
}

/// Looks for the files, off the runtime.
pub async fn look(sources: Vec<PackSource>) -> Result<(Vec<PackSource>, FileList), NotKept> {
    let looked = spawn_blocking(move || archive::walk(&sources).map(|found| (sources, found))).await;
    let looked = looked.map_err(|broken| NotKept::Ours(broken.to_string()))?;
    looked.map_err(|error| NotKept::Users(error.to_string()))
}

/// How large an archive may be.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    /// Bytes of the archive.
    pub bytes: u64,
    /// Whose limit: `one artifact may have`.
    pub of: &'static str,
}

/// An archive to be made and sent.
pub struct Archive {
    files: Arc<(Vec<PackSource>, FileList)>,
    limit: Limit,
}

impl Archive {
    /// Of these files.
    pub fn new(sources: Vec<PackSource>, found: FileList, limit: Limit) -> Archive {
        Archive {
            files: Arc::new((sources, found)),
            limit,
        }
    }

    /// Packs and sends; after a broken connection from the start, which makes the same bytes again.
    pub async fn send<F, S>(&self, tries: u32, send: S) -> Result<Kept, NotKept>
    where
        F: Future<Output = Result<Kept, BlobError>>,
        S: Fn(Bytestream) -> F,
    {
        let mut backoff = Backoff::default();
        for last in (0..tries).rev() {
            match self.send_once(&send).await {
                Err(BlobError::Away(why)) if last > 0 => {
                    tracing::debug!(why, "an archive is sent again");
                    tokio::time::sleep(backoff.next_wait()).await;
                }
                Err(BlobError::OverQuota(why)) => return Err(NotKept::Users(why)),
                Err(BlobError::Away(why) | BlobError::Refused(why)) => return Err(NotKept::Ours(why)),
                Ok(kept) => return kept,
            }
        }
        Err(NotKept::Ours("it was not sent".into()))
    }

    async fn send_once<F, S>(&self, send: &S) -> Result<Result<Kept, NotKept>, BlobError>
    where
        F: Future<Output = Result<Kept, BlobError>>,
        S: Fn(Bytestream) -> F,
    {
        let (sender, receiver) = byte_pipe();
        let (files, limit) = (self.files.clone(), self.limit.bytes);
        let packing = spawn_blocking(move || {
            let mut writer = ByteWriter::new(sender);
            let packed = archive::pack(&files.0, &files.1, limit, &mut writer)?;
            writer.end();
            Ok::<_, PackError>(packed)
        });
        let sent = send(receiver).await;
        let packed = packing.await.map_err(|broken| BlobError::Refused(broken.to_string()))?;
        match (packed, sent) {
            (Err(PackError::OverLimit { .. }), _) => Ok(Err(NotKept::Users(self.too_large()))),
            (Err(error @ (PackError::Unreadable { .. } | PackError::TooMuch { .. })), _) => {
                Ok(Err(NotKept::Users(error.to_string())))
            }
            (_, Err(error)) => Err(error),
            (Err(error), Ok(_)) => Err(BlobError::Away(error.to_string())),
            (Ok(packed), Ok(kept)) if packed.sha256 == kept.sha256 => Ok(Ok(kept)),
            (Ok(_), Ok(_)) => Err(BlobError::Away("the archive did not arrive as it was sent".into())),
        }
    }

    fn too_large(&self) -> String {
        let Limit { bytes: limit, of } = self.limit;
        format!(
            "it is larger than {}, which is what {of}",
            job_specs::units::size(limit)
        )
    }
}
