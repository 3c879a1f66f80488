//! Leases: an agent keeps an attempt only while it keeps calling. [`expire`] gives lost ones back as new attempts, so
//! a crashed agent costs one lease and never a stuck job; every call names its epoch, so an agent that was thought
//! lost and comes back cannot touch the work of its successor.

use std::sync::{Mutex, PoisonError};

use job_specs::dag::retry;
use protocol::attempt::{Reason, ReasonCode};
use protocol::ids::{AgentId, AttemptId};
use protocol::lease::LeaseRef;

use super::attempts::AttemptState;
use super::ended::{self, BuildLock};
use super::jobs::{self, Locked, locked_columns};
use super::queue::{self, AgentLease, Claimed, Expired, LEASE_US, Renewed, select_claimed};
use super::{Change, Micros, Store, StoreError, from_word, to_word};
use crate::db::{Tx, args};

/// Who did not look for so long has not watched.
const GAP_US: i64 = LEASE_US / 2;

/// Since when this coordinator has watched the leases without a gap. After a start, an outage of the database, or a
/// night in a closed laptop, no agent could call, and none is to blame.
#[derive(Default)]
pub(super) struct Watch(Mutex<Option<Watching>>);

#[derive(Clone, Copy)]
struct Watching {
    since: Micros,
    last: Micros,
}

impl Watch {
    /// Notes that somebody looks now; says whether silence counts by now.
    fn look(&self, now: Micros) -> bool {
        let mut watching = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = match *watching {
            Some(Watching { since, last }) if (0..=GAP_US).contains(&(now - last)) => since,
            _ => now,
        };
        *watching = Some(Watching { since, last: now });
        now - since >= LEASE_US
    }

    fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// An attempt with its job, both locked by this transaction.
pub(super) struct LockedAttempt {
    pub(super) attempt: AttemptId,
    pub(super) state: AttemptState,
    lease_until: Micros,
    agent: AgentId,
    epoch: i64,
    pub(super) job: Locked,
}

impl LockedAttempt {
    /// What has ended is not worked on any more.
    pub(super) fn must_be_active(&self) -> Result<(), StoreError> {
        match self.state {
            AttemptState::Active => Ok(()),
            AttemptState::Finished | AttemptState::Lost => Err(StoreError::StaleLease),
        }
    }
}

/// Locks an attempt and its job: always in this one statement, so that two of them never wait for each other. Who
/// locks the build too does that before.
async fn lock(tx: &mut Tx, attempt: &AttemptId) -> Result<Option<LockedAttempt>, StoreError> {
    let sql = concat!(
        "select ",
        locked_columns!(),
        ", t.state, t.lease_until, t.agent, t.epoch from attempts t join jobs j on j.id = t.job where t.id = $1
         for update"
    );
    let Some(row) = tx.first(sql, args![attempt]).await? else {
        return Ok(None);
    };
    Ok(Some(LockedAttempt {
        attempt: attempt.clone(),
        state: from_word("state", &row.get::<String>("state")?)?,
        lease_until: row.get("lease_until")?,
        agent: AgentId(row.get("agent")?),
        epoch: row.get("epoch")?,
        job: Locked::from_row(&row)?,
    }))
}

/// Finds and locks what the caller holds, or held to its end.
pub(super) async fn lock_leased(tx: &mut Tx, hold: &AgentLease) -> Result<LockedAttempt, StoreError> {
    let locked = lock(tx, &hold.attempt).await?.ok_or(StoreError::StaleLease)?;
    let is_callers = locked.agent == hold.agent && locked.epoch == hold.epoch;
    match locked.state {
        AttemptState::Active | AttemptState::Finished if is_callers => Ok(locked),
        AttemptState::Active | AttemptState::Finished | AttemptState::Lost => Err(StoreError::StaleLease),
    }
}

/// Renews the leases of what an agent holds, and says what it must stop.
///
/// # Errors
/// The database.
pub async fn renew(store: &Store, agent: &AgentId, held: &[LeaseRef]) -> Result<Renewed, StoreError> {
    if held.is_empty() {
        return Ok(Renewed::default());
    }
    let (agent, held, until) = (agent.clone(), held.to_vec(), store.now() + LEASE_US);
    store
        .write(move |tx| Box::pin(async move { renew_all(tx, &agent, held, until).await }))
        .await
}

async fn renew_all(tx: &mut Tx, agent: &AgentId, held: Vec<LeaseRef>, until: Micros) -> Result<Renewed, StoreError> {
    let mut renewed = Renewed::default();
    let cancelled = "select t.id from attempts t join jobs j on j.id = t.job
                     where t.agent = $1 and t.state = 'active' and j.cancelling is not null";
    let mut cancelling = Vec::new();
    for row in tx.all(cancelled, args![agent]).await? {
        cancelling.push(AttemptId(row.get("id")?));
    }
    for LeaseRef { attempt, epoch, .. } in held {
        let sql = "update attempts set lease_until = $4 where id = $1 and agent = $2 and epoch = $3
                   and state = 'active'";
        if tx.run(sql, args![&attempt, agent, epoch, until]).await? == 0 {
            renewed.lost.push(attempt);
        } else if cancelling.contains(&attempt) {
            renewed.cancel.push(attempt);
        }
    }
    Ok(renewed)
}

/// Gives an agent that was restarted the whole lease again, under the same epoch, and renews it.
///
/// # Errors
/// `StaleLease`.
pub async fn resume(store: &Store, hold: &AgentLease) -> Result<Claimed, StoreError> {
    let (hold, until) = (hold.clone(), store.now() + LEASE_US);
    store
        .write(move |tx| {
            Box::pin(async move {
                let locked = lock_leased(tx, &hold).await?;
                locked.must_be_active()?;
                let sql = "update attempts set lease_until = $2 where id = $1 returning assigned_at";
                let renewed = tx.first(sql, args![&hold.attempt, until]).await?;
                let assigned_at = renewed.ok_or(StoreError::StaleLease)?.get("assigned_at")?;
                let row = tx
                    .first(select_claimed!("where j.id = $1"), args![&locked.job.id])
                    .await?;
                Ok(queue::from_row(
                    &row.ok_or(StoreError::StaleLease)?,
                    (hold.attempt, hold.epoch),
                    assigned_at,
                )?)
            })
        })
        .await
}

/// Takes attempts from agents that were silent for longer than a lease at `now`. Call it about once a second: who has
/// not watched for a lease's time (a start, an outage, a laptop that slept) cannot tell who was silent, and takes
/// nothing until it has.
///
/// # Errors
/// The database.
pub async fn expire(store: &Store, now: Micros) -> Result<Vec<Expired>, StoreError> {
    if !store.watch.look(now) {
        return Ok(Vec::new());
    }
    let taken = expire_all(store, now).await;
    if taken.is_err() {
        store.watch.forget();
    }
    taken
}

async fn expire_all(store: &Store, now: Micros) -> Result<Vec<Expired>, StoreError> {
    let sql = "select id from attempts where state = 'active' and lease_until < $1 order by lease_until";
    let mut taken = Vec::new();
    for row in store.db.all(sql, args![now]).await? {
        taken.extend(take_away(store, AttemptId(row.get("id")?), now, now).await?);
    }
    Ok(taken)
}

/// Takes from an agent what it holds, however fresh its leases: it was removed.
pub(super) async fn take_all(store: &Store, agent: &AgentId, now: Micros) -> Result<(), StoreError> {
    let sql = "select id from attempts where state = 'active' and agent = $1 order by id";
    for row in store.db.all(sql, args![agent]).await? {
        take_away(store, AttemptId(row.get("id")?), Micros::MAX, now).await?;
    }
    Ok(())
}

/// Ends an attempt whose lease ran out before `silent_since`, unless it was renewed meanwhile.
async fn take_away(
    store: &Store,
    attempt: AttemptId,
    silent_since: Micros,
    now: Micros,
) -> Result<Option<Expired>, StoreError> {
    store
        .write(move |tx| Box::pin(async move { lose(tx, attempt, silent_since, now).await }))
        .await
}

async fn lose(
    tx: &mut Tx,
    attempt: AttemptId,
    silent_since: Micros,
    now: Micros,
) -> Result<Option<Expired>, StoreError> {
    let build = match ended::lock_for_attempt(tx, &attempt).await {
        Err(StoreError::NotFound(_)) => return Ok(None),
        locked => locked?,
    };
    let Some(locked) = lock(tx, &attempt).await? else {
        return Ok(None);
    };
    if locked.state != AttemptState::Active || locked.lease_until >= silent_since {
        return Ok(None);
    }
    let row = tx
        .first("select name from agents where id = $1", args![&locked.agent])
        .await?;
    let agent: String = row.map(|row| row.get("name")).transpose()?.unwrap_or_default();
    let job = locked.job;
    let sentence = format!("agent `{agent}` stopped calling");
    tx.run(
        "update attempts set state = 'lost', finished_at = $2, reason_code = $3, reason = $4 where id = $1",
        args![&attempt, now, to_word(&ReasonCode::AgentLost), &sentence],
    )
    .await?;
    tx.notify(Change::Attempt(attempt.clone()));
    let expired = Expired {
        attempt,
        job: job.id.clone(),
        build: job.build,
    };
    give_back(tx, &build, job, sentence, now).await?;
    Ok(Some(expired))
}

/// The job of a lost attempt: once more, unless it had its attempts or was to stop anyway.
async fn give_back(
    tx: &mut Tx,
    build: &BuildLock,
    mut job: Locked,
    lost: String,
    now: Micros,
) -> Result<(), StoreError> {
    let event = retry::lost(job.tries(), job.cancelling.is_some());
    let sentence = match job.attempts {
        1 => format!("{lost}, and the job is not run twice"),
        attempts => format!("{lost}, and this was attempt {attempts}, the last"),
    };
    let reason = Reason::new(ReasonCode::AgentLost, sentence);
    let reason = retry::reason(event, job.cancelling.as_deref(), Some(reason));
    jobs::record(tx, &mut job, event, reason, now).await?;
    if job.status.is_final() {
        ended::propagate(tx, build, vec![job], now).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    #[test]
    fn silence_counts_only_for_who_has_listened() {
        let watch = Watch::default();
        assert!(
            (0..30).all(|second| !watch.look(second * SECOND)),
            "a coordinator that has just started"
        );
        assert!(watch.look(30 * SECOND) && watch.look(31 * SECOND));
        assert!(!watch.look(300 * SECOND), "a laptop that slept");
        assert!((301..330).all(|second| !watch.look(second * SECOND)) && watch.look(330 * SECOND));
        watch.forget();
        assert!(!watch.look(331 * SECOND), "a database that was away");
    }
}
