//! Concurrency groups: builds of a repository of which one runs at a time. The jobs of a build that waits are blocked;
//! the end of the one that runs unblocks the next. Every decision about a group is made while its row is locked, and
//! that row is locked before any build and any job.

use job_specs::triggers::{Concurrency, ConcurrencyMode};

use super::ended::{self, BuildLock};
use super::order::{Placed, Relation};
use super::{Change, Micros, Store, StoreError, from_word, to_word};
use crate::db::{DbError, Row, Tx, args};

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
    let sql = "select repository, concurrency from builds where number = $1 and group_state is not null";
    let Some(row) = tx.first(sql, args![build]).await? else {
        return Ok(None);
    };
    let name: String = row.get("concurrency")?;
    lock(tx, &row.get::<String>("repository")?, &name).await.map(Some)
}

/// Where a build that is not over stands in its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum GroupState {
    /// It may run.
    Running,
    /// Others come first.
    Waiting,
}

impl GroupState {
    /// The row's `group_state`; `None`: the build is over, or in no group.
    pub(super) fn of(row: &Row) -> Result<Option<GroupState>, DbError> {
        let word: Option<String> = row.get("group_state")?;
        word.map(|word| from_word("group_state", &word)).transpose()
    }
}

/// What became of a build that came to its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entered {
    /// It is in.
    In(GroupState),
    /// A later one is, or was, there already: it must not run.
    Superseded(i64),
}

/// A build that comes to a group.
pub(super) struct Newcomer<'a> {
    pub(super) number: i64,
    pub(super) wanted: &'a Concurrency,
    pub(super) reference: &'a str,
    /// When it was asked for.
    pub(super) at: Micros,
    /// Its push among those of its stream.
    pub(super) placed: Option<Placed>,
}

/// Another build of the group.
struct Other {
    number: i64,
    reference: String,
    at: Micros,
    place: i64,
    /// `None`: it is over.
    state: Option<GroupState>,
}

impl Newcomer<'_> {
    /// How another build stands to this one. Pushes to one reference by their own order; everything else by when it
    /// was asked for. A push that its reference has left is older than its delivery: it comes before what was asked for
    /// later, and nobody knows about the rest of its reference.
    fn relation(&self, other: &Other) -> Relation {
        let pushed = self.placed.as_ref();
        let known = pushed.and_then(|placed| placed.builds.iter().find(|(build, _)| *build == other.number));
        let has_left = pushed.is_some_and(|placed| !placed.is_tip) && other.reference == self.reference;
        match known {
            Some((_, relation)) => *relation,
            None if other.at > self.at => Relation::Later,
            None if has_left => Relation::Open,
            None => Relation::Earlier,
        }
    }

    /// Enters as its mode says: stops those before it, or some of them, or gives way to those after it. Its jobs are
    /// held when it must wait.
    pub(super) async fn enter(&self, tx: &mut Tx, group: &Group, now: Micros) -> Result<Entered, StoreError> {
        let sql = "update builds set concurrency = $2, concurrency_mode = $3 where number = $1";
        let mode = to_word(&self.wanted.mode);
        tx.run(sql, args![self.number, &self.wanted.group, mode]).await?;
        if self.wanted.mode != ConcurrencyMode::Queue
            && let Some(later) = self.superseder(tx, group).await?
        {
            return Ok(Entered::Superseded(later));
        }
        let why = format!("superseded by #{}", self.number);
        for other in open(tx, group).await? {
            let gives_way = match self.wanted.mode {
                ConcurrencyMode::Queue => false,
                ConcurrencyMode::Latest => other.state == Some(GroupState::Waiting),
                ConcurrencyMode::Cancel => true,
            };
            if gives_way && self.relation(&other) == Relation::Earlier {
                let build = ended::lock_in_group(tx, other.number, group.clone()).await?;
                ended::cancel_open(tx, &build, &why, now).await?;
            }
        }
        self.stand(tx, group).await.map(Entered::In)
    }

    /// The newest build of the group that is later than this one, over or not.
    async fn superseder(&self, tx: &mut Tx, group: &Group) -> Result<Option<i64>, StoreError> {
        let later = self.placed.iter().flat_map(|placed| &placed.builds);
        let later = later.filter(|(_, relation)| *relation == Relation::Later);
        let mut found: Vec<i64> = Vec::new();
        for (build, _) in later {
            let sql = "select number from builds where number = $1 and concurrency = $2";
            let row = tx.first(sql, args![*build, &group.name]).await?;
            found.extend(row.map(|row| row.get::<i64>("number")).transpose()?);
        }
        let sql = "select number, reference, ordered_at, place, group_state from builds where repository = $1
                   and concurrency = $2 and ordered_at > $3 and number <> $4 order by ordered_at desc limit 100";
        let rows = tx
            .all(sql, args![&group.repository, &group.name, self.at, self.number])
            .await?;
        for other in rows.iter().map(Other::from_row) {
            let other = other?;
            found.extend((self.relation(&other) == Relation::Later).then_some(other.number));
        }
        Ok(found.into_iter().max())
    }

    /// Takes its place: before those that are later, after all others.
    async fn stand(&self, tx: &mut Tx, group: &Group) -> Result<GroupState, StoreError> {
        let others = open(tx, group).await?;
        let next = others.iter().find(|other| self.relation(other) == Relation::Later);
        let place = match (next, others.last()) {
            (Some(next), _) => next.place,
            (None, Some(last)) => last.place + 1,
            (None, None) => 1,
        };
        let make_room = "update builds set place = place + 1 where repository = $1 and concurrency = $2
                         and group_state is not null and place >= $3";
        tx.run(make_room, args![&group.repository, &group.name, place]).await?;
        let holder = others.iter().find(|other| other.state == Some(GroupState::Running));
        let state = match holder {
            None => GroupState::Running,
            Some(holder) if holder.place >= place && give_back(tx, group, holder.number).await? => GroupState::Running,
            Some(_) => GroupState::Waiting,
        };
        let sql = "update builds set place = $2, group_state = $3 where number = $1";
        tx.run(sql, args![self.number, place, to_word(&state)]).await?;
        Ok(state)
    }
}

/// Makes the build that runs wait again, unless it has begun; says whether it waits.
async fn give_back(tx: &mut Tx, group: &Group, number: i64) -> Result<bool, StoreError> {
    ended::lock_in_group(tx, number, group.clone()).await?;
    // Locked, so that no agent gets one of them meanwhile.
    let jobs = "select attempts from jobs where build = $1 order by position for update";
    for row in tx.all(jobs, args![number]).await? {
        if row.get::<i64>("attempts")? > 0 {
            return Ok(false);
        }
    }
    let block = "update jobs set blocked_by_group = 1 where build = $1 and blocked_by_group = 0";
    tx.run(block, args![number]).await?;
    let wait = "update builds set group_state = 'waiting' where number = $1";
    tx.run(wait, args![number]).await?;
    tx.notify(Change::Build(number));
    Ok(true)
}

impl Other {
    fn from_row(row: &Row) -> Result<Other, DbError> {
        Ok(Other {
            number: row.get("number")?,
            reference: row.get("reference")?,
            at: row.get("ordered_at")?,
            place: row.get("place")?,
            state: GroupState::of(row)?,
        })
    }
}

/// The builds of a group that are not over, first in line first.
async fn open(tx: &mut Tx, group: &Group) -> Result<Vec<Other>, StoreError> {
    let sql = "select number, reference, ordered_at, place, group_state from builds where repository = $1
               and concurrency = $2 and group_state is not null order by place, number";
    let rows = tx.all(sql, args![&group.repository, &group.name]).await?;
    Ok(rows.iter().map(Other::from_row).collect::<Result<_, _>>()?)
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
    let leave = "update builds set group_state = null where number = $1";
    tx.run(leave, args![build.number]).await?;
    let others = open(tx, group).await?;
    if others.iter().any(|other| other.state == Some(GroupState::Running)) {
        return Ok(());
    }
    if let Some(Other { number: next, .. }) = others.first() {
        let run = "update builds set group_state = 'running' where number = $1";
        tx.run(run, args![*next]).await?;
        let unblock = "update jobs set blocked_by_group = 0 where build = $1 and blocked_by_group = 1";
        tx.run(unblock, args![*next]).await?;
        tx.notify(Change::Queue);
        tx.notify(Change::Build(*next));
    }
    Ok(())
}

/// Which build of the group runs while this one waits, in one sentence.
pub(super) async fn why(store: &Store, build: i64) -> Result<Option<String>, StoreError> {
    let sql = "select b.concurrency, (select max(o.number) from builds o where o.repository = b.repository
                 and o.concurrency = b.concurrency and o.group_state = 'running') as holder
               from builds b where b.number = $1 and b.group_state = 'waiting'";
    let Some(row) = store.db.first(sql, args![build]).await? else {
        return Ok(None);
    };
    let (group, holder): (String, Option<i64>) = (row.get("concurrency")?, row.get("holder")?);
    Ok(holder.map(|holder| format!("blocked by #{holder}, which is of concurrency group `{group}`, too")))
}
