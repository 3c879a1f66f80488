//! Archives at the coordinator, by the calls of [`protocol::blobs`].

use std::io;

use futures_util::StreamExt;
use protocol::blobs::{BlobLimits, CacheFound, CacheWanted, Kept, NeededArtifact};
use protocol::lease::LeaseRef;
use reqwest::{Body, Method, RequestBuilder, StatusCode, header};

use super::archive::{byte_pipe, chunks};
use super::{BlobError, Bytestream, NewArtifact};
use crate::coordinator::{CALL_TAKES, CallError, Coordinator, read, segment, send};

/// The coordinator's blobs, under one lease.
#[derive(Clone)]
pub struct Remote {
    coordinator: Coordinator,
    held: LeaseRef,
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote")
            .field("held", &self.held)
            .finish_non_exhaustive()
    }
}

impl Remote {
    /// For that lease.
    pub(crate) fn new(coordinator: Coordinator, held: LeaseRef) -> Remote {
        Remote { coordinator, held }
    }

    pub(super) async fn limits(&self) -> Result<BlobLimits, BlobError> {
        let request = self.request(Method::GET, &["limits"]).timeout(CALL_TAKES);
        Ok(read(send(request).await?).await?)
    }

    pub(super) async fn find_cache(&self, key: &str, fallback: &[String]) -> Result<Option<CacheFound>, BlobError> {
        let wanted = CacheWanted {
            epoch: self.held.epoch,
            key: key.to_owned(),
            fallback: fallback.to_vec(),
        };
        let request = self.request(Method::POST, &["caches", "find"]).json(&wanted);
        let answer = send(request.timeout(CALL_TAKES)).await?;
        if answer.status() == StatusCode::NO_CONTENT {
            return Ok(None);
        }
        Ok(Some(read(answer).await?))
    }

    pub(super) async fn save_cache(&self, key: &str, body: Bytestream) -> Result<Kept, BlobError> {
        self.put(self.request(Method::PUT, &["caches", key]), body).await
    }

    pub(super) async fn keep_artifact(&self, new: &NewArtifact, body: Bytestream) -> Result<Kept, BlobError> {
        let mut request = self.request(Method::PUT, &["artifacts", &new.name]);
        request = request.query(&[("files", new.files)]);
        if let Some(expires) = new.expires_secs {
            request = request.query(&[("expires", expires)]);
        }
        self.put(request, body).await
    }

    pub(super) async fn needed(&self) -> Result<Vec<NeededArtifact>, BlobError> {
        let request = self.request(Method::GET, &["needs"]).timeout(CALL_TAKES);
        Ok(read(send(request).await?).await?)
    }

    pub(super) async fn open(&self, sha256: &str) -> Result<Bytestream, BlobError> {
        let answer = send(self.request(Method::GET, &["blobs", sha256])).await?;
        let (sender, receiver) = byte_pipe();
        let mut bytes = answer.bytes_stream();
        // Ends with the receiver, or with the connection.
        tokio::spawn(async move {
            while let Some(chunk) = bytes.next().await {
                let chunk = chunk.map_err(|error| io::Error::other(error.without_url()));
                if sender.send(chunk).await.is_err() {
                    return;
                }
            }
        });
        Ok(receiver)
    }

    /// Sends an archive of a length that nobody knows yet.
    async fn put(&self, request: RequestBuilder, body: Bytestream) -> Result<Kept, BlobError> {
        let request = request.header(header::CONTENT_TYPE, "application/zstd");
        Ok(read(send(request.body(Body::wrap_stream(chunks(body)))).await?).await?)
    }

    fn request(&self, method: Method, path: &[&str]) -> RequestBuilder {
        let path: Vec<String> = path.iter().map(|part| segment(part)).collect();
        let path = format!("attempts/{}/{}", self.held.attempt, path.join("/"));
        let request = self.coordinator.request(method, &path);
        request.query(&[("epoch", self.held.epoch)])
    }
}

impl From<CallError> for BlobError {
    fn from(error: CallError) -> BlobError {
        match error {
            CallError::Away(why) => BlobError::Away(format!("the coordinator does not answer: {why}")),
            CallError::Refused { status: 413, message } => BlobError::OverQuota(message),
            CallError::Refused { message, .. } | CallError::Unauthorized(message) | CallError::Stale(message) => {
                BlobError::Refused(message)
            }
            CallError::WrongOffset { .. } => BlobError::Refused("the coordinator's answer makes no sense".into()),
        }
    }
}
