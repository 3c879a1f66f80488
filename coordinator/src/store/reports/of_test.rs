//! One test through its builds, and the tests of a repository that need somebody: flaky ones and slow ones.

use protocol::api::{FlakyTest, PastTest, TestTiming};
use protocol::ids::{JobId, RepositoryId};

use super::{FLAKY_FOR_US, test_id};
use crate::db::{DbError, args};
use crate::store::{Store, StoreError, from_word};

/// The newest results of a test, newest first.
///
/// # Errors
/// The database.
pub async fn history(
    store: &Store,
    repository: &RepositoryId,
    (suite, name): (&str, &str),
    limit: i64,
) -> Result<Vec<PastTest>, StoreError> {
    let sql = "select u.build, u.job, u.cell, u.branch, u.sha, r.status, r.duration_us, r.message, u.at
               from test_results r join test_runs u on u.run = r.run where r.test = $1
               order by r.run desc, r.place limit $2";
    let rows = store
        .db
        .all(sql, args![test_id(repository, suite, name), limit])
        .await?;
    let past = rows.iter().map(|row| {
        Ok(PastTest {
            build: row.get("build")?,
            job: JobId(row.get("job")?),
            cell: row.get("cell")?,
            branch: row.get("branch")?,
            commit: row.get("sha")?,
            status: from_word("status", &row.get::<String>("status")?)?,
            duration_us: row.get("duration_us")?,
            message: row.get("message")?,
            at: row.get("at")?,
        })
    });
    Ok(past.collect::<Result<_, DbError>>()?)
}

/// The flaky tests of a repository, the worst first.
///
/// # Errors
/// The database.
pub async fn flaky(store: &Store, repository: &RepositoryId, limit: i64) -> Result<Vec<FlakyTest>, StoreError> {
    let sql = "select t.suite, t.name, count(*) as times, max(f.build) as build, max(f.at) as at
               from flaky_tests f join tests t on t.id = f.test where f.repository = $1 and f.at >= $2
               group by t.id, t.suite, t.name order by times desc, at desc, t.suite, t.name limit $3";
    let since = store.now() - FLAKY_FOR_US;
    let rows = store.db.all(sql, args![repository, since, limit]).await?;
    let flaky = rows.iter().map(|row| {
        Ok(FlakyTest {
            suite: row.get("suite")?,
            name: row.get("name")?,
            times: row.get("times")?,
            build: row.get("build")?,
            at: row.get("at")?,
        })
    });
    Ok(flaky.collect::<Result<_, DbError>>()?)
}

/// The slowest tests of a repository.
///
/// # Errors
/// The database.
pub async fn slowest(store: &Store, repository: &RepositoryId, limit: i64) -> Result<Vec<TestTiming>, StoreError> {
    let sql = "select suite, name, file, mean_us, seen_at from tests where repository = $1 and mean_us > 0
               order by mean_us desc limit $2";
    timing_rows(store, sql, repository, limit).await
}

/// How long each test of a repository takes, for splitting them.
///
/// # Errors
/// The database.
pub async fn timings(store: &Store, repository: &RepositoryId, limit: i64) -> Result<Vec<TestTiming>, StoreError> {
    let sql = "select suite, name, file, mean_us, seen_at from tests where repository = $1 and mean_us >= 0
               order by seen_at desc, id limit $2";
    timing_rows(store, sql, repository, limit).await
}

async fn timing_rows(
    store: &Store,
    sql: &'static str,
    repository: &RepositoryId,
    limit: i64,
) -> Result<Vec<TestTiming>, StoreError> {
    let rows = store.db.all(sql, args![repository, limit]).await?;
    let timings = rows.iter().map(|row| {
        Ok(TestTiming {
            suite: row.get("suite")?,
            name: row.get("name")?,
            file: row.get("file")?,
            mean_us: row.get("mean_us")?,
            seen_at: row.get("seen_at")?,
        })
    });
    Ok(timings.collect::<Result<_, DbError>>()?)
}
