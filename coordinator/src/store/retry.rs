//! What the end of an attempt does to its job: [`job_specs::dag::retry`] decides by what the store knows of it.

use job_specs::dag::retry;
use job_specs::model::JobSpec;
use job_specs::status::JobEvent;
use protocol::attempt::AttemptResult;

use super::jobs::Locked;
use super::{StoreError, jobs};
use crate::db::{Tx, args};

/// What the end of an attempt does to its job.
pub(super) async fn event(tx: &mut Tx, job: &mut Locked, result: &AttemptResult) -> Result<JobEvent, StoreError> {
    let event = retry::event(result.verdict, job.tries(), job.cancelling.is_some());
    if job.cancelling.is_some() || !matches!(event, JobEvent::Fail | JobEvent::TimeOut) {
        return Ok(event);
    }
    let row = tx
        .first("select spec from specs where job = $1", args![&job.id])
        .await?;
    let spec: JobSpec = row.ok_or(StoreError::NotFound("job"))?.json("spec")?;
    if !retry::is_due(&spec, result, job.tries()) {
        return Ok(event);
    }
    job.failures += 1;
    jobs::count_failure(tx, job).await?;
    Ok(JobEvent::Retry)
}
