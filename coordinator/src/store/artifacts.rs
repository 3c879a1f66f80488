//! Artifacts: files that a job keeps with its build, until they expire.

use job_specs::model::{AxisValue, JobSpec, Need};
use protocol::blobs::NeededArtifact;
use protocol::ids::{AttemptId, JobId, RepositoryId};
use serde::Serialize;

use super::audit::{Action, Subject};
use super::blobs::{self, Asker, Blob, as_i64};
use super::queue::AgentLease;
use super::{Actor, Change, Micros, Store, StoreError, leases};
use crate::db::{DbError, Row, Tx, args};

/// A rerun of a rerun of a rerun … is followed so far.
const RERUNS: usize = 20;

/// One artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Artifact {
    /// Its id.
    pub id: String,
    /// Its build.
    pub build: i64,
    /// Its job.
    pub job: JobId,
    /// `test (postgres=15)`
    pub job_title: String,
    /// The attempt that kept it.
    pub attempt: AttemptId,
    /// Unique in the job.
    pub name: String,
    /// Of its archive, in hexadecimal.
    pub sha256: String,
    /// Of its archive.
    pub bytes: u64,
    /// How many it has.
    pub files: u64,
    /// When it was kept.
    pub created_at: Micros,
    /// When it goes.
    pub expires_at: Micros,
}

/// An artifact to keep; its archive is in place.
#[derive(Debug, Clone)]
pub struct NewArtifact {
    /// Unique in the job.
    pub name: String,
    /// Its archive.
    pub blob: Blob,
    /// How many it has.
    pub files: u64,
    /// When it goes.
    pub expires_at: Micros,
    /// Bytes that all artifacts of the repository may have together.
    pub repository_limit: u64,
}

/// Everything about artifacts, with any further condition.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select a.id, a.build, a.job, j.title, a.attempt, a.name, a.sha, a.bytes, a.files, a.created_at,
             a.expires_at from artifacts a join jobs j on j.id = a.job ",
            $rest
        )
    };
}

fn from_row(row: &Row) -> Result<Artifact, DbError> {
    let number = |column| row.get::<i64>(column).map(|value| u64::try_from(value).unwrap_or(0));
    Ok(Artifact {
        id: row.get("id")?,
        build: row.get("build")?,
        job: JobId(row.get("job")?),
        job_title: row.get("title")?,
        attempt: AttemptId(row.get("attempt")?),
        name: row.get("name")?,
        sha256: row.get("sha")?,
        bytes: number("bytes")?,
        files: number("files")?,
        created_at: row.get("created_at")?,
        expires_at: row.get("expires_at")?,
    })
}

/// Keeps one; one of the same attempt with the same name is replaced. `None`: there is no room for it.
///
/// # Errors
/// `StaleLease`; `NotFound` when its archive has been removed meanwhile.
pub async fn keep(store: &Store, hold: &AgentLease, new: NewArtifact) -> Result<Option<String>, StoreError> {
    let (hold, now) = (hold.clone(), store.now());
    let id = uuid::Uuid::now_v7().simple().to_string();
    store
        .write(move |tx| Box::pin(async move { insert(tx, &hold, new, (id, now)).await }))
        .await
}

async fn insert(
    tx: &mut Tx,
    hold: &AgentLease,
    new: NewArtifact,
    (id, now): (String, Micros),
) -> Result<Option<String>, StoreError> {
    let holding = leases::lock_leased(tx, hold).await?;
    holding.must_be_active()?;
    blobs::hold_fast(tx, &new.blob.sha).await?;
    let job = &holding.job;
    let row = tx
        .one("select repository from jobs where id = $1", args![&job.id], "job")
        .await?;
    let repository = RepositoryId(row.get("repository")?);
    let sql = "select coalesce(cast(sum(bytes) as bigint), 0) as total from artifacts
               where repository = $1 and not (attempt = $2 and name = $3)";
    let row = tx.first(sql, args![&repository, &hold.attempt, &new.name]).await?;
    let total = row.map(|row| row.get::<i64>("total")).transpose()?.unwrap_or(0);
    if u64::try_from(total).unwrap_or(0).saturating_add(new.blob.bytes) > new.repository_limit {
        return Ok(None);
    }
    let sql = "delete from artifacts where attempt = $1 and name = $2";
    tx.run(sql, args![&hold.attempt, &new.name]).await?;
    tx.run(
        "insert into artifacts (id, repository, build, job, attempt, name, sha, bytes, files, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        args![
            &id,
            &repository,
            job.build,
            &job.id,
            &hold.attempt,
            &new.name,
            &new.blob.sha,
            as_i64(new.blob.bytes),
            as_i64(new.files),
            now,
            new.expires_at
        ],
    )
    .await?;
    tx.notify(Change::Build(job.build));
    tx.notify(Change::Attempt(hold.attempt.clone()));
    Ok(Some(id))
}

/// Bytes of all artifacts of a repository.
///
/// # Errors
/// The database.
pub async fn total_bytes(store: &Store, repository: &RepositoryId) -> Result<u64, StoreError> {
    let sql = "select coalesce(cast(sum(bytes) as bigint), 0) as total from artifacts where repository = $1";
    let row = store.db.first(sql, args![repository]).await?;
    let total = row.map(|row| row.get::<i64>("total")).transpose()?.unwrap_or(0);
    Ok(u64::try_from(total).unwrap_or(0))
}

/// The artifacts of a build: of the newest attempt of each job, in the order of the file.
///
/// # Errors
/// The database.
pub async fn of_build(store: &Store, build: i64) -> Result<Vec<Artifact>, StoreError> {
    let sql = select!("where a.build = $1 and j.attempt = a.attempt order by j.position, a.name");
    let rows = store.db.all(sql, args![build]).await?;
    Ok(rows.iter().map(from_row).collect::<Result<_, _>>()?)
}

/// The artifacts of a job, of every attempt.
///
/// # Errors
/// The database.
pub async fn of_job(store: &Store, job: &JobId) -> Result<Vec<Artifact>, StoreError> {
    let sql = select!("where a.job = $1 order by a.created_at, a.name");
    let rows = store.db.all(sql, args![job]).await?;
    Ok(rows.iter().map(from_row).collect::<Result<_, _>>()?)
}

/// One.
///
/// # Errors
/// `NotFound`.
pub async fn show(store: &Store, id: &str) -> Result<Artifact, StoreError> {
    let row = store.db.first(select!("where a.id = $1"), args![id]).await?;
    Ok(from_row(&row.ok_or(StoreError::NotFound("artifact"))?)?)
}

/// Removes one.
///
/// # Errors
/// `NotFound`.
pub async fn remove(store: &Store, actor: &Actor, id: &str) -> Result<(), StoreError> {
    let id = id.to_owned();
    store
        .act(actor, Action::RemoveArtifact, move |tx| {
            Box::pin(async move {
                let sql = "delete from artifacts where id = $1 returning build, name";
                let row = tx.one(sql, args![&id], "artifact").await?;
                let (build, name): (i64, String) = (row.get("build")?, row.get("name")?);
                tx.notify(Change::Build(build));
                Ok(((), Subject::named(name).id(id).in_build(build)))
            })
        })
        .await
}

/// Removes those that have expired by `now`, and those of removed repositories; says how many.
///
/// # Errors
/// The database.
pub async fn expire(store: &Store, now: Micros) -> Result<u64, StoreError> {
    let sql = "delete from artifacts where expires_at <= $1
               or repository in (select id from repositories where removed_at is not null)";
    store
        .write(move |tx| Box::pin(async move { Ok(tx.run(sql, args![now]).await?) }))
        .await
}

/// The needs of a job that want artifacts. Of a job that runs again, those too that had passed in the build before:
/// they are not among its needs any more.
///
/// # Errors
/// The database.
pub async fn needs(store: &Store, build: i64, spec: &JobSpec) -> Result<Vec<Need>, StoreError> {
    let mut needs = spec.needs.clone();
    for before in builds_before(store, build).await? {
        let sql = "select s.spec from jobs j join specs s on s.job = j.id where j.build = $1 and j.title = $2";
        if let Some(row) = store.db.first(sql, args![before, spec.title()]).await? {
            needs.extend(row.json::<JobSpec>("spec")?.needs);
        }
    }
    needs.retain(|need| need.artifacts);
    needs.sort();
    needs.dedup();
    Ok(needs)
}

/// The builds that this one repeats, newest first.
async fn builds_before(store: &Store, build: i64) -> Result<Vec<i64>, StoreError> {
    let (mut before, mut at) = (Vec::new(), build);
    while before.len() < RERUNS {
        let sql = "select rerun_of from builds where number = $1";
        let row = store.db.first(sql, args![at]).await?;
        match row.map(|row| row.get::<Option<i64>>("rerun_of")).transpose()?.flatten() {
            Some(number) => at = number,
            None => break,
        }
        before.push(at);
    }
    Ok(before)
}

/// The artifacts that a job wants of those that it needs, in the order to unpack them.
///
/// # Errors
/// The database.
pub async fn needed(store: &Store, asker: &Asker) -> Result<Vec<NeededArtifact>, StoreError> {
    let needs = needs(store, asker.build, &asker.spec).await?;
    if needs.is_empty() {
        return Ok(Vec::new());
    }
    let mut builds = vec![asker.build];
    builds.extend(builds_before(store, asker.build).await?);
    let mut needed = Vec::new();
    for need in needs {
        for &build in &builds {
            let (of_job, exists) = of_need(store, build, &need).await?;
            needed.extend(of_job);
            if exists {
                break;
            }
        }
    }
    Ok(needed)
}

/// The artifacts of one needed job in one build, and whether the job is in it at all.
async fn of_need(store: &Store, build: i64, need: &Need) -> Result<(Vec<NeededArtifact>, bool), StoreError> {
    let sql = "select id from jobs where build = $1 and name = $2 limit 1";
    let exists = store.db.first(sql, args![build, &need.job]).await?.is_some();
    let sql = "select a.name, a.sha, a.bytes, a.files, j.title, j.matrix
               from artifacts a join jobs j on j.id = a.job
               where j.build = $1 and j.name = $2 and j.attempt = a.attempt order by j.position, a.name";
    let mut found = Vec::new();
    for row in store.db.all(sql, args![build, &need.job]).await? {
        if !need.counts(&row.json::<Vec<AxisValue>>("matrix")?) {
            continue;
        }
        found.push(NeededArtifact {
            job: row.get("title")?,
            name: row.get("name")?,
            sha256: row.get("sha")?,
            bytes: u64::try_from(row.get::<i64>("bytes")?).unwrap_or(0),
            files: u64::try_from(row.get::<i64>("files")?).unwrap_or(0),
        });
    }
    Ok((found, exists))
}
