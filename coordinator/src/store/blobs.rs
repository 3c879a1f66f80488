//! Which archives the blob store has, and who asks for one. An archive that nobody names any more is doomed, removed,
//! and then forgotten, in this order: an upload that is about to name a doomed one waits until it is gone.

use job_specs::model::JobSpec;
use protocol::ids::{JobId, RepositoryId};

use super::facts::Trust;
use super::queue::AgentLease;
use super::{Micros, Store, StoreError};
use crate::db::{Tx, args};

/// An archive by its SHA-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// Of its bytes, in hexadecimal.
    pub sha: String,
    /// How many.
    pub bytes: u64,
}

/// Whether an upload may put its archive in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// It may, and nobody removes it for a while.
    Granted,
    /// The same archive is just being removed: wait.
    Doomed,
}

/// Who asks: an attempt under its lease, and what decides what it may read and write.
#[derive(Debug, Clone)]
pub struct Asker {
    /// Its repository.
    pub repository: RepositoryId,
    /// Where the repository is.
    pub git: String,
    /// Its build.
    pub build: i64,
    /// Its job.
    pub job: JobId,
    /// What runs.
    pub spec: JobSpec,
    /// Its own caches: the reference that is built, unless its commit is not on it.
    pub scope: String,
    /// The branch that a pull request is to be merged into.
    pub base: Option<String>,
    /// Whether the code is ours.
    pub trusted: bool,
}

/// Who calls under that lease.
///
/// # Errors
/// `StaleLease`.
pub async fn asker(store: &Store, hold: &AgentLease) -> Result<Asker, StoreError> {
    let sql = "select j.id, j.build, j.repository, r.git,
               coalesce(b.cache_scope, b.reference) as scope, b.base, b.trust, s.spec
               from attempts t join jobs j on j.id = t.job join builds b on b.number = j.build
               join repositories r on r.id = j.repository join specs s on s.job = j.id
               where t.id = $1 and t.agent = $2 and t.epoch = $3 and t.state = 'active'";
    let row = store
        .db
        .first(sql, args![&hold.attempt, &hold.agent, hold.epoch])
        .await?
        .ok_or(StoreError::StaleLease)?;
    Ok(Asker {
        repository: RepositoryId(row.get("repository")?),
        git: row.get("git")?,
        build: row.get("build")?,
        job: JobId(row.get("id")?),
        spec: row.json("spec")?,
        scope: row.get("scope")?,
        base: row.get("base")?,
        trusted: Trust::of(&row)?.is_trusted(),
    })
}

/// Says that an upload will use the archive: from here on it is not removed for a while.
///
/// # Errors
/// The database.
pub async fn claim(store: &Store, blob: &Blob) -> Result<Claim, StoreError> {
    let (blob, now) = (blob.clone(), store.now());
    store
        .write(move |tx| {
            Box::pin(async move {
                if is_doomed(tx, &blob.sha).await? {
                    return Ok(Claim::Doomed);
                }
                let sql = "insert into blobs (sha, bytes, named_at, doomed) values ($1, $2, $3, 0)
                           on conflict (sha) do update set named_at = excluded.named_at";
                tx.run(sql, args![&blob.sha, as_i64(blob.bytes), now]).await?;
                Ok(Claim::Granted)
            })
        })
        .await
}

async fn is_doomed(tx: &mut Tx, sha: &str) -> Result<bool, StoreError> {
    let row = tx
        .first("select doomed from blobs where sha = $1 for update", args![sha])
        .await?;
    Ok(row.map(|row| row.flag("doomed")).transpose()?.unwrap_or(false))
}

/// Locks an archive that is about to be named. An upload that took longer than an archive may be without a name has
/// lost it.
pub(super) async fn hold_fast(tx: &mut Tx, sha: &str) -> Result<(), StoreError> {
    let row = tx
        .first("select doomed from blobs where sha = $1 for update", args![sha])
        .await?;
    match row.map(|row| row.flag("doomed")).transpose()? {
        Some(false) => Ok(()),
        Some(true) | None => Err(StoreError::NotFound("archive")),
    }
}

/// Dooms archives that nobody names and that no upload has claimed since `before`; gives all that are doomed.
///
/// # Errors
/// The database.
pub async fn doom(store: &Store, before: Micros) -> Result<Vec<String>, StoreError> {
    store
        .write(move |tx| {
            Box::pin(async move {
                let sql = "update blobs set doomed = 1 where named_at < $1 and doomed = 0
                           and not exists (select 1 from artifacts a where a.sha = blobs.sha)
                           and not exists (select 1 from caches c where c.sha = blobs.sha)";
                tx.run(sql, args![before]).await?;
                let rows = tx
                    .all("select sha from blobs where doomed = 1 order by sha", args![])
                    .await?;
                Ok(rows.iter().map(|row| row.get("sha")).collect::<Result<_, _>>()?)
            })
        })
        .await
}

/// Forgets a doomed archive whose bytes are gone.
///
/// # Errors
/// The database.
pub async fn forget(store: &Store, sha: &str) -> Result<(), StoreError> {
    let sha = sha.to_owned();
    let sql = "delete from blobs where sha = $1 and doomed = 1";
    store
        .write(move |tx| Box::pin(async move { Ok(tx.run(sql, args![&sha]).await.map(drop)?) }))
        .await
}

/// Bytes as the database has them.
pub(super) fn as_i64(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
