//! Where archives are: a folder, or a bucket of an S3-compatible service. The same calls for both.

use std::ops::Range;
use std::path::Path as FilePath;
use std::sync::Arc;

use anyhow::{Context, bail};
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, MultipartUpload, ObjectStore, ObjectStoreExt};

use super::BlobError;
use crate::config;

/// What S3 copies in one call at most.
const S3_COPY_LIMIT: u64 = 5 << 30;

/// The archives. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct BlobStore {
    objects: Arc<dyn ObjectStore>,
    prefix: Path,
}

/// An archive, or a part of it, to be read.
pub struct Opened {
    /// Its bytes.
    pub stream: BoxStream<'static, Result<Bytes, object_store::Error>>,
    /// Which bytes.
    pub range: Range<u64>,
    /// Bytes of the whole archive.
    pub size: u64,
}

impl BlobStore {
    /// Opens the place that the configuration names, by default a folder in `data`.
    ///
    /// # Errors
    /// The folder cannot be made, or the configuration makes no sense.
    pub fn open(config: &config::Blobs, data: &FilePath) -> anyhow::Result<BlobStore> {
        match &config.url {
            None => BlobStore::folder(&data.join("blobs")),
            Some(url) => BlobStore::s3(config, url),
        }
    }

    fn folder(folder: &FilePath) -> anyhow::Result<BlobStore> {
        // What a kill left of uploads; no other coordinator works in this folder.
        let half = folder.join("incoming");
        match std::fs::remove_dir_all(&half) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("remove {}", half.display()));
            }
            _ => {}
        }
        std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
        let objects = LocalFileSystem::new_with_prefix(folder).context("open the folder of blobs")?;
        Ok(BlobStore {
            objects: Arc::new(objects.with_fsync(true)),
            prefix: Path::default(),
        })
    }

    fn s3(config: &config::Blobs, url: &str) -> anyhow::Result<BlobStore> {
        let rest = url
            .strip_prefix("s3://")
            .with_context(|| format!("[blobs] url = \"{url}\": it must be s3://bucket or s3://bucket/prefix"))?;
        if config.artifact_bytes > S3_COPY_LIMIT {
            bail!("[blobs] artifact_bytes: on S3 one archive has at most {S3_COPY_LIMIT} bytes");
        }
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        // A second installation is refused and changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = AmazonS3Builder::from_env()
            .with_bucket_name(bucket)
            .with_region(&config.region)
            .with_allow_http(config.allow_http);
        if let Some(endpoint) = &config.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        if let Some(file) = &config.credentials_file {
            let (id, secret) = credentials(file)?;
            builder = builder.with_access_key_id(id).with_secret_access_key(secret);
        }
        let objects = builder.build().context("[blobs]: set up S3")?;
        Ok(BlobStore {
            objects: Arc::new(objects),
            prefix: Path::parse(prefix).context("[blobs] url: the prefix")?,
        })
    }

    /// Opens an archive, or some of its bytes.
    ///
    /// # Errors
    /// `NotFound`, or the place does not answer.
    pub async fn read(&self, sha: &str, range: Option<GetRange>) -> Result<Opened, BlobError> {
        let options = GetOptions {
            range,
            ..GetOptions::default()
        };
        let found = match self.objects.get_opts(&self.path_of(sha), options).await {
            Err(object_store::Error::NotFound { .. }) => return Err(BlobError::NotFound),
            other => other?,
        };
        Ok(Opened {
            range: found.range.clone(),
            size: found.meta.size,
            stream: found.into_stream(),
        })
    }

    /// Writes something small beside an archive.
    pub(super) async fn write_beside(&self, name: &str, bytes: Vec<u8>) -> Result<(), BlobError> {
        self.objects.put(&self.path_of(name), bytes.into()).await?;
        Ok(())
    }

    /// Removes an archive; one that is gone is fine.
    ///
    /// # Errors
    /// The place does not answer.
    pub async fn remove(&self, sha: &str) -> Result<(), BlobError> {
        match self.objects.delete(&self.path_of(sha)).await {
            Err(object_store::Error::NotFound { .. }) => Ok(()),
            other => Ok(other?),
        }
    }

    /// Removes what broken uploads left and is older than `before` (seconds since 1970).
    ///
    /// # Errors
    /// The place does not answer.
    pub async fn remove_incoming(&self, before: i64) -> Result<(), BlobError> {
        let left: Vec<_> = self.objects.list(Some(&self.incoming())).try_collect().await?;
        for object in left {
            if object.last_modified.timestamp() < before {
                self.objects.delete(&object.location).await?;
            }
        }
        Ok(())
    }

    /// Begins an upload under a name of its own.
    pub(super) async fn begin(&self) -> Result<(Path, Box<dyn MultipartUpload>), BlobError> {
        let path = self.incoming().join(uuid::Uuid::now_v7().simple().to_string());
        let upload = self.objects.put_multipart(&path).await?;
        Ok((path, upload))
    }

    /// Gives a whole upload its name.
    pub(super) async fn settle(&self, incoming: &Path, sha: &str) -> Result<(), BlobError> {
        Ok(self.objects.rename(incoming, &self.path_of(sha)).await?)
    }

    /// Removes a whole upload that gets no name.
    pub(super) async fn drop_incoming(&self, incoming: &Path) {
        if let Err(error) = self.objects.delete(incoming).await {
            tracing::warn!(%error, "what an upload left cannot be removed; the sweep will");
        }
    }

    fn incoming(&self) -> Path {
        self.prefix.clone().join("incoming")
    }

    fn path_of(&self, sha: &str) -> Path {
        let fan = sha.get(..2).unwrap_or("00").to_owned();
        self.prefix.clone().join("sha256").join(fan).join(sha)
    }
}

/// Reads `aws_access_key_id = …` and `aws_secret_access_key = …`.
fn credentials(file: &FilePath) -> anyhow::Result<(String, String)> {
    let text = std::fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
    let value = |wanted: &str| {
        let found = text.lines().find_map(|line| {
            let (name, value) = line.split_once('=')?;
            (name.trim() == wanted).then(|| value.trim().trim_matches('"').to_owned())
        });
        found.with_context(|| format!("{} has no `{wanted} = …`", file.display()))
    };
    Ok((value("aws_access_key_id")?, value("aws_secret_access_key")?))
}

impl Opened {
    /// All of it; for small ones.
    ///
    /// # Errors
    /// The place breaks off.
    pub async fn bytes(self) -> Result<Vec<u8>, BlobError> {
        let parts: Vec<Bytes> = self.stream.boxed().try_collect().await?;
        Ok(parts.concat())
    }
}
