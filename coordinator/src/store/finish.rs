//! How an attempt ends when its agent says so, and what that makes of its job.

use job_specs::status::JobEvent;
use protocol::attempt::{AttemptEvent, AttemptResult, Verdict};

use super::attempts::{self, AttemptState};
use super::jobs::{self, Locked};
use super::queue::Hold;
use super::{Change, Micros, Store, StoreError, ended, leases, to_word};
use crate::db::{Tx, args};

/// Ends an attempt, with the events that were not told yet. Telling it twice changes nothing: the first one counts.
/// *Errored* ones are tried again while the job's retries last.
///
/// # Errors
/// `StaleLease`; `Refused` when an event before them is missing.
pub async fn finish(
    store: &Store,
    hold: &Hold,
    events: &[AttemptEvent],
    result: AttemptResult,
) -> Result<(), StoreError> {
    let (hold, events, now) = (hold.clone(), events.to_vec(), store.now());
    store
        .write(move |tx| Box::pin(async move { end(tx, &hold, &events, result, now).await }))
        .await
}

async fn end(
    tx: &mut Tx,
    hold: &Hold,
    events: &[AttemptEvent],
    result: AttemptResult,
    now: Micros,
) -> Result<(), StoreError> {
    let build = match ended::lock_for_attempt(tx, &hold.attempt).await {
        Err(StoreError::NotFound(_)) => return Err(StoreError::StaleLease),
        locked => locked?,
    };
    let mut holding = leases::holding(tx, hold).await?;
    if holding.state == AttemptState::Finished {
        return Ok(());
    }
    attempts::keep(tx, &mut holding, events, now).await?;
    let mut job = holding.job;
    let (code, sentence) = result
        .reason
        .clone()
        .map(|reason| (to_word(&reason.code), reason.sentence))
        .unzip();
    tx.run(
        "update attempts set state = 'finished', verdict = $2, reason_code = $3, reason = $4, finished_at = $5
         where id = $1",
        args![&hold.attempt, to_word(&result.verdict), code, sentence, now],
    )
    .await?;
    tx.tell(Change::Attempt(hold.attempt.clone()));
    let event = event(&job, result.verdict);
    let reason = match (event, &job.cancelling) {
        (JobEvent::Retry, _) => None,
        (JobEvent::Cancel, Some(why)) => Some(ended::cancel_reason(why)),
        _ => result.reason,
    };
    jobs::record(tx, &mut job, event, reason, now).await?;
    if job.status.is_final() {
        ended::draw(tx, &build, vec![job], now).await?;
    }
    Ok(())
}

/// What a verdict does to the job. What we broke is tried again, unless it was to stop anyway.
fn event(job: &Locked, verdict: Verdict) -> JobEvent {
    match verdict {
        Verdict::Passed => JobEvent::Pass,
        Verdict::Failed => JobEvent::Fail,
        Verdict::TimedOut => JobEvent::TimeOut,
        Verdict::Cancelled => JobEvent::Cancel,
        Verdict::Errored if job.cancelling.is_some() => JobEvent::Cancel,
        Verdict::Errored if job.attempts <= job.retries => JobEvent::Retry,
        Verdict::Errored => JobEvent::Error,
    }
}
