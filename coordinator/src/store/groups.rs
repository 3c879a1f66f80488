//! Concurrency groups: builds of a repository that share one road. A build that must wait has its jobs held; the end
//! of the one that runs lets the next one go. Every decision about a group is made while its row is locked, and that
//! row is locked before any build and any job.

use job_specs::triggers::{Concurrency, ConcurrencyMode};

use super::ended::{self, BuildLock};
use super::{Change, Micros, Store, StoreError, to_word};
use crate::db::{Tx, args};

/// What a job's `held` counts for its build's group; 1 is `max_parallel`'s.
pub(super) const HELD: i64 = 2;

/// A group whose row this transaction has locked.
#[derive(Debug, Clone)]
pub(super) struct Group {
    repository: String,
    name: String,
}

/// Locks a group.
pub(super) async fn lock(tx: &mut Tx, repository: &str, name: &str) -> Result<Group, StoreError> {
    let make = "insert into concurrency_groups (repository, name) values ($1, $2) on conflict do nothing";
    tx.run(make, args![repository, name]).await?;
    let sql = "select name from concurrency_groups where repository = $1 and name = $2 for update";
    tx.first(sql, args![repository, name]).await?;
    Ok(Group {
        repository: repository.to_owned(),
        name: name.to_owned(),
    })
}

/// The group of a build, locked. `None`: it has none, or has left it.
pub(super) async fn lock_of(tx: &mut Tx, build: i64) -> Result<Option<Group>, StoreError> {
    let sql = "select repository, concurrency from builds where number = $1 and road is not null";
    let Some(row) = tx.first(sql, args![build]).await? else {
        return Ok(None);
    };
    let name: String = row.get("concurrency")?;
    lock(tx, &row.get::<String>("repository")?, &name).await.map(Some)
}

/// Where a new build stands in its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Road {
    /// It may run.
    Running,
    /// Others come first.
    Waiting,
}

/// Makes room for a new build as its mode says: stops those before it, or some of them. Its jobs are held when it
/// must wait.
pub(super) async fn enter(
    tx: &mut Tx,
    group: &Group,
    (number, wanted): (i64, &Concurrency),
    at: Micros,
) -> Result<Road, StoreError> {
    let why = format!("superseded by #{number}");
    for (other, road) in open(tx, group).await? {
        let gives_way = match wanted.mode {
            ConcurrencyMode::Queue => false,
            ConcurrencyMode::Latest => road == "waiting",
            ConcurrencyMode::Cancel => true,
        };
        if gives_way {
            let build = ended::lock_in_group(tx, other, group.clone()).await?;
            ended::cancel_open(tx, &build, &why, at).await?;
        }
    }
    let road = if open(tx, group).await?.is_empty() {
        Road::Running
    } else {
        Road::Waiting
    };
    let sql = "update builds set concurrency = $2, concurrency_mode = $3, road = $4 where number = $1";
    tx.run(sql, args![number, &wanted.group, to_word(&wanted.mode), to_word(&road)])
        .await?;
    Ok(road)
}

/// The builds of a group that are not over, newest first.
async fn open(tx: &mut Tx, group: &Group) -> Result<Vec<(i64, String)>, StoreError> {
    let sql = "select number, road from builds where repository = $1 and concurrency = $2 and road is not null
               order by number desc";
    let rows = tx.all(sql, args![&group.repository, &group.name]).await?;
    let open = rows.iter().map(|row| Ok((row.get("number")?, row.get("road")?)));
    open.collect()
}

/// Jobs of a build ended: if those were the last, it leaves its group, and the next one goes.
pub(super) async fn leave_if_over(tx: &mut Tx, build: &BuildLock) -> Result<(), StoreError> {
    let Some(group) = &build.group else {
        return Ok(());
    };
    let still =
        "select id from jobs where build = $1 and status in ('waiting', 'queued', 'assigned', 'running') limit 1";
    if tx.first(still, args![build.number]).await?.is_some() {
        return Ok(());
    }
    let leave = "update builds set road = null where number = $1";
    tx.run(leave, args![build.number]).await?;
    let others = open(tx, group).await?;
    if others.iter().any(|(_, road)| road == "running") {
        return Ok(());
    }
    if let Some((next, _)) = others.last() {
        tx.run("update builds set road = 'running' where number = $1", args![*next])
            .await?;
        let free = "update jobs set held = held - $2 where build = $1 and held >= $2";
        tx.run(free, args![*next, HELD]).await?;
        tx.tell(Change::Queue);
        tx.tell(Change::Build(*next));
    }
    Ok(())
}

/// Who has the road that a build waits for, in one sentence.
pub(super) async fn why(store: &Store, build: i64) -> Result<Option<String>, StoreError> {
    let sql = "select b.concurrency, (select max(o.number) from builds o where o.repository = b.repository
                 and o.concurrency = b.concurrency and o.road = 'running') as holder
               from builds b where b.number = $1 and b.road = 'waiting'";
    let Some(row) = store.db.first(sql, args![build]).await? else {
        return Ok(None);
    };
    let (group, holder): (String, Option<i64>) = (row.get("concurrency")?, row.get("holder")?);
    Ok(holder.map(|holder| format!("concurrency group `{group}` held by #{holder}")))
}
