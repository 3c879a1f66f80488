//! How an attempt ends when its agent says so, and what that makes of its job.

use std::collections::BTreeMap;

use job_specs::dag;
use protocol::attempt::{AttemptEvent, AttemptResult};
use protocol::lease::Lease;

use super::attempts::{self, AttemptState};
use super::queue::AgentLease;
use super::stacks::{self, Retain};
use super::{Change, Micros, Store, StoreError, ended, jobs, leases, outputs, reasons, retry, to_word};
use crate::db::{Tx, args};

/// The end of an attempt, as its agent reports it.
#[derive(Debug, Clone)]
pub struct Ending {
    /// Events that were not reported yet.
    pub events: Vec<AttemptEvent>,
    /// How it ended.
    pub result: AttemptResult,
    /// What its steps left for other jobs.
    pub outputs: BTreeMap<String, String>,
    /// Its containers and services are to become a stack.
    pub retain: Option<Retain>,
}

/// Ends an attempt, with the events that were not reported yet. Reporting it twice changes nothing: the first one counts.
/// *Errored* ones are tried again while the job's retries last.
///
/// # Errors
/// `StaleLease`; `Refused` when an event before them is missing.
pub async fn finish(
    store: &Store,
    hold: &AgentLease,
    events: &[AttemptEvent],
    result: AttemptResult,
) -> Result<(), StoreError> {
    let ending = Ending {
        events: events.to_vec(),
        result,
        outputs: BTreeMap::new(),
        retain: None,
    };
    finish_with(store, hold, ending).await.map(drop)
}

/// The same, with outputs and with what is to stay, whose lease it gives. An attempt that passed with outputs that cannot
/// be kept has failed.
///
/// # Errors
/// As [`finish`].
pub async fn finish_with(store: &Store, hold: &AgentLease, ending: Ending) -> Result<Option<Lease>, StoreError> {
    let (hold, now) = (hold.clone(), store.now());
    store
        .write(move |tx| Box::pin(async move { end(tx, &hold, ending, now).await }))
        .await
}

async fn end(tx: &mut Tx, hold: &AgentLease, ending: Ending, now: Micros) -> Result<Option<Lease>, StoreError> {
    let build = match ended::lock_for_attempt(tx, &hold.attempt).await {
        Err(StoreError::NotFound(_)) => return Err(StoreError::StaleLease),
        locked => locked?,
    };
    let mut locked = leases::lock_leased(tx, hold).await?;
    if locked.state == AttemptState::Finished {
        return stacks::of_attempt(tx, &hold.attempt).await;
    }
    let stack = match &ending.retain {
        Some(retain) => Some(stacks::retain(tx, hold, retain, now).await?),
        None => None,
    };
    attempts::keep(tx, &mut locked, &ending.events, now).await?;
    let mut job = locked.job;
    let (result, kept) = dag::outputs::kept(ending.result, ending.outputs);
    let [code, sentence, details] = reasons::columns(result.reason.clone());
    tx.run(
        "update attempts set state = 'finished', verdict = $2, reason_code = $3, reason = $4, finished_at = $5,
         reason_details = $6 where id = $1",
        args![&hold.attempt, to_word(&result.verdict), code, sentence, now, details],
    )
    .await?;
    tx.notify(Change::Attempt(hold.attempt.clone()));
    let event = retry::event(tx, &mut job, &result).await?;
    let reason = dag::retry::reason(event, job.cancelling.as_deref(), result.reason);
    jobs::record(tx, &mut job, event, reason, now).await?;
    if job.status.is_final() {
        outputs::keep(tx, &job.id, &kept).await?;
        ended::propagate(tx, &build, vec![job], now).await?;
    }
    Ok(stack)
}
