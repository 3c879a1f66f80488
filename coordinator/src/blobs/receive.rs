//! An upload until it is whole: counted and hashed while it goes to the place, a few parts in memory at most. It has no
//! name before it is whole, so nobody ever sees a half.

use axum::body::Body;
use futures_util::StreamExt;
use object_store::WriteMultipart;
use object_store::path::Path;
use sha2::{Digest, Sha256};

use super::{BlobError, BlobStore};
use crate::store::Store;
use crate::store::blobs::{self, Blob, Claim};

/// Bytes of a part.
const PART_LEN: usize = 8 << 20;
/// Parts under way.
const PARTS: usize = 3;
/// The same archive may just be being removed: so often it is asked again.
const CLAIMS: u32 = 20;
/// Between two of them.
const BETWEEN: std::time::Duration = std::time::Duration::from_millis(250);

/// An upload that is whole, and has no name yet.
pub struct Received {
    /// What it is.
    pub blob: Blob,
    path: Path,
    store: BlobStore,
}

impl BlobStore {
    /// Takes an upload of at most `limit` bytes.
    ///
    /// # Errors
    /// `TooLarge`, `BrokenOff`, or the place breaks; nothing is left of it then.
    pub async fn receive(&self, body: Body, limit: u64) -> Result<Received, BlobError> {
        let (path, upload) = self.begin().await?;
        let mut upload = WriteMultipart::new_with_chunk_size(upload, PART_LEN);
        let taken = take(&mut upload, body, limit).await;
        match taken {
            Ok(blob) => {
                upload.finish().await?;
                Ok(Received {
                    blob,
                    path,
                    store: self.clone(),
                })
            }
            Err(error) => {
                if let Err(error) = upload.abort().await {
                    tracing::warn!(%error, "what a broken upload left cannot be removed");
                }
                Err(error)
            }
        }
    }
}

async fn take(upload: &mut WriteMultipart, body: Body, limit: u64) -> Result<Blob, BlobError> {
    let (mut hash, mut bytes) = (Sha256::new(), 0_u64);
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| BlobError::BrokenOff(error.to_string()))?;
        bytes += chunk.len() as u64;
        if bytes > limit {
            return Err(BlobError::TooLarge(limit));
        }
        hash.update(&chunk);
        upload.wait_for_capacity(PARTS).await?;
        upload.put(chunk);
    }
    Ok(Blob {
        sha: hex::encode(hash.finalize()),
        bytes,
    })
}

impl Received {
    /// Puts it in its place. The store knows of it from here on; who names it must do so soon.
    ///
    /// # Errors
    /// `Busy`, or database or place break.
    pub async fn settle(self, store: &Store) -> Result<Blob, BlobError> {
        let settled = self.try_settle(store).await;
        if settled.is_err() {
            self.store.drop_incoming(&self.path).await;
        }
        settled
    }

    async fn try_settle(&self, store: &Store) -> Result<Blob, BlobError> {
        for _ in 0..CLAIMS {
            match blobs::claim(store, &self.blob).await? {
                Claim::Granted => {
                    self.store.settle(&self.path, &self.blob.sha).await?;
                    return Ok(self.blob.clone());
                }
                Claim::Doomed => tokio::time::sleep(BETWEEN).await,
            }
        }
        Err(BlobError::Busy)
    }
}
