//! What goes when it is old: what webhooks said, who changed what, and whole builds with their jobs, attempts and events. A few at a time,
//! each few in a write of their own, so that nobody waits for it.

use std::time::Duration;

use protocol::ids::RepositoryId;

use super::{Micros, Store, StoreError};
use crate::db::{Tx, args};

/// Builds or deliveries of one write.
const AT_ONCE: i64 = 20;
/// Others write between two of ours.
const PAUSE: Duration = Duration::from_millis(20);

/// Which builds may go.
#[derive(Debug, Clone, Copy)]
pub struct Old {
    /// Those that were made before.
    pub before: Micros,
    /// All but so many of the newest of a repository.
    pub most: u64,
}

/// Empties the bodies of webhooks that came before, and that were processed; how many. The rest of a delivery stays: by it
/// a repeated one is known.
///
/// # Errors
/// The database.
pub async fn empty_deliveries(store: &Store, before: Micros) -> Result<u64, StoreError> {
    let sql = "update deliveries set body = '' where id in (select id from deliveries
               where received_at < $1 and status <> 'pending' and body <> '' order by received_at limit $2)";
    in_parts(store, sql, before).await
}

/// Removes deliveries that came before, were processed, and belong to no build; how many.
///
/// # Errors
/// The database.
pub async fn remove_deliveries(store: &Store, before: Micros) -> Result<u64, StoreError> {
    let sql = "delete from deliveries where id in (select d.id from deliveries d
               where d.received_at < $1 and d.status <> 'pending'
               and not exists (select 1 from builds b where b.delivery = d.id) order by d.received_at limit $2)";
    in_parts(store, sql, before).await
}

/// Removes what forges were told before, or would not hear; how many.
///
/// # Errors
/// The database.
pub async fn remove_outbox(store: &Store, before: Micros) -> Result<u64, StoreError> {
    let sql = "delete from outbox where id in (select id from outbox
               where changed_at < $1 and status <> 'pending' and kind <> 'webhook' order by changed_at limit $2)";
    in_parts(store, sql, before).await
}

/// Removes what is written down about changes that people made before; how many.
///
/// # Errors
/// The database.
pub async fn remove_audit(store: &Store, before: Micros) -> Result<u64, StoreError> {
    let sql = "delete from audit where id in (select id from audit where at < $1 order by at limit $2)";
    in_parts(store, sql, before).await
}

async fn in_parts(store: &Store, sql: &'static str, before: Micros) -> Result<u64, StoreError> {
    let mut all = 0;
    loop {
        let some = store
            .write(move |tx| Box::pin(async move { Ok(tx.run(sql, args![before, AT_ONCE]).await?) }))
            .await?;
        all += some;
        if some == 0 {
            return Ok(all);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Removes old builds; how many. A build stays while a job of it has not ended, while something that it kept is there,
/// and while it is the newest of its branch.
///
/// # Errors
/// The database.
pub async fn remove_builds(store: &Store, old: Old) -> Result<u64, StoreError> {
    let mut all = 0;
    for row in store.db.all("select id from repositories", args![]).await? {
        all += remove_builds_of(store, RepositoryId(row.get("id")?), old).await?;
    }
    if all > 0 {
        let orphans = "delete from job_files where not exists (select 1 from builds b where b.files = job_files.hash)";
        store
            .write(move |tx| Box::pin(async move { Ok(tx.run(orphans, args![]).await?) }))
            .await?;
    }
    Ok(all)
}

async fn remove_builds_of(store: &Store, repository: RepositoryId, old: Old) -> Result<u64, StoreError> {
    let oldest_kept = "select number from builds where repository = $1 order by number desc limit 1 offset $2";
    let most = i64::try_from(old.most.max(1) - 1).unwrap_or(i64::MAX);
    let row = store.db.first(oldest_kept, args![&repository, most]).await?;
    let too_many: i64 = row.map(|row| row.get("number")).transpose()?.unwrap_or(0);
    let (mut all, mut after) = (0, 0_i64);
    loop {
        let due = "select b.number from builds b where b.repository = $1 and b.number > $2
                   and (b.created_at < $3 or b.number < $4) and b.group_state is null
                   and not exists (select 1 from jobs j where j.build = b.number
                       and j.status in ('waiting', 'queued', 'assigned', 'running'))
                   and not exists (select 1 from artifacts a where a.build = b.number)
                   and (b.branch is null or b.pull_request is not null or exists (select 1 from builds n
                       where n.repository = b.repository and n.number > b.number and n.branch = b.branch
                       and n.pull_request is null))
                   order by b.number limit $5";
        let rows = store
            .db
            .all(due, args![&repository, after, old.before, too_many, AT_ONCE])
            .await?;
        let numbers = rows.iter().map(|row| row.get("number"));
        let numbers = numbers.collect::<Result<Vec<i64>, _>>()?;
        let Some(last) = numbers.last().copied() else {
            return Ok(all);
        };
        (after, all) = (last, all + numbers.len() as u64);
        store
            .write(move |tx| {
                Box::pin(async move {
                    for number in numbers {
                        remove_build(tx, number).await?;
                    }
                    Ok(())
                })
            })
            .await?;
        tokio::time::sleep(PAUSE).await;
    }
}

/// A build that has ended never begins again, but its jobs can: those are other builds.
async fn remove_build(tx: &mut Tx, number: i64) -> Result<(), StoreError> {
    let of_attempts = [
        "delete from attempt_events where attempt in
         (select a.id from attempts a join jobs j on j.id = a.job where j.build = $1)",
        "delete from test_results where run in (select run from test_runs where attempt in
         (select a.id from attempts a join jobs j on j.id = a.job where j.build = $1))",
        "delete from test_runs where attempt in
         (select a.id from attempts a join jobs j on j.id = a.job where j.build = $1)",
        "delete from stacks where attempt in
         (select a.id from attempts a join jobs j on j.id = a.job where j.build = $1)",
        "delete from attempts where job in (select id from jobs where build = $1)",
    ];
    let of_jobs = [
        "delete from outputs where job in (select id from jobs where build = $1)",
        "delete from specs where job in (select id from jobs where build = $1)",
        "delete from job_needs where job in (select id from jobs where build = $1)",
        "delete from jobs where build = $1",
        "delete from build_status where build = $1",
        "delete from builds where number = $1",
    ];
    for sql in of_attempts.into_iter().chain(of_jobs) {
        tx.run(sql, args![number]).await?;
    }
    Ok(())
}
