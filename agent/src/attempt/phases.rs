//! What happens in which order: everything is prepared, steps run by the state of the job, the result is known, and
//! then what was made is removed.

use std::sync::Arc;

use job_specs::units::micros;
use protocol::attempt::{AttemptResult, EventKind, ReasonCode, Verdict};
use protocol::ids::StreamId;
use tokio_util::sync::CancellationToken;

use super::folder::RecordedEnd;
use super::interrupt::Interrupts;
use super::job::Job;
use super::keep::{self, retain, test_reports};
use super::prepare::trust::{self, Refusal};
use super::prepare::{Prepared, services};
use super::report::reasons;
use super::retained::Retain;
use super::{AttemptEnd, AttemptInput, plan};
use crate::disk;
use crate::engine::firewall;

/// Runs the job to its result.
pub async fn run(job: Arc<Job>, cancel: CancellationToken) -> AttemptEnd {
    let (result, mut prepared) = run_phases(&job, cancel).await;
    let mut result = disk::explain(result, job.folder.path());
    if let Some(reason) = &mut result.reason {
        reason.sentence = job.masker.mask(&reason.sentence);
    }
    let outputs = job.outputs();
    let retain_secs = prepared.as_ref().and_then(|_| retain::retain_secs(&job, &result));
    // Before the result is noted: behind it nobody makes what an agent that was killed had not made.
    if let (Some(prepared), Some(_)) = (&mut prepared, retain_secs) {
        retain::add_step(&job, prepared).await;
    }
    conclude(&job, &result, prepared.as_ref(), retain_secs).await;
    let (retain, decision) = retain_secs.map(Retain::ask).unzip();
    let tasks = job.context.tasks.clone();
    let removal = tasks.spawn(async move {
        match (prepared, decision) {
            (Some(prepared), Some(decision)) => retain::stay(job, prepared, decision).await,
            (Some(prepared), None) => prepared.remove(job).await,
            (None, _) => {}
        }
    });
    AttemptEnd {
        result,
        outputs,
        retain,
        removal,
    }
}

async fn run_phases(job: &Arc<Job>, cancel: CancellationToken) -> (AttemptResult, Option<Prepared>) {
    job.streams.open(&StreamId::job());
    job.journal.record_now(EventKind::Started);
    log_start(job);
    if let Some(refusal) = refusal(job) {
        return (refusal, None);
    }
    let missing = plan::missing_secrets(&job.input);
    if !missing.is_empty() {
        return (reasons::secrets_missing(&missing), None);
    }
    let started = job.journal.started_at().unwrap_or_else(crate::clock::now);
    let interrupts = Interrupts::new(job, cancel, started);
    let mut prepared = match Prepared::start(job, &interrupts).await {
        Ok(prepared) => prepared,
        Err(result) => return (result, None),
    };
    let mut result = super::run::steps(job, &interrupts, &mut prepared).await;
    test_reports::collect(job, &mut result).await;
    let result = keep::keep(job, &interrupts, result).await;
    (result, Some(prepared))
}

/// What a job may not do here; what it gets less of is only said.
fn refusal(job: &Job) -> Option<AttemptResult> {
    let engine = &job.context.engine;
    let policy = &engine.config().policy;
    let firewall = engine.firewall();
    for line in trust::cut(&job.input.spec, policy.most) {
        job.job_log.write_line(line);
    }
    if let (false, firewall::FirewallState::Missing(why)) = (job.input.trusted, &firewall) {
        job.job_log
            .write_line(format!("this job can reach addresses of the agent's machine: {why}"));
    }
    let refusal = trust::refusal(&job.input, policy.firewall, &firewall)?;
    Some(match refusal {
        Refusal::Job(why) => AttemptResult::because(Verdict::Failed, ReasonCode::InvalidJob, why),
        Refusal::Agent(why) => reasons::broken(why),
    })
}

fn log_start(job: &Job) {
    let AttemptInput { spec, number, .. } = &job.input;
    let again = if job.resumed {
        "the agent was restarted; it goes on with"
    } else {
        "running"
    };
    let nth = if *number > 1 {
        format!(", attempt {number}")
    } else {
        String::new()
    };
    job.job_log.write_line(format!("{again} {}{nth}", spec.title()));
    for secret in job.masker.skipped() {
        job.job_log
            .write_line(format!("the secret {secret} is too short to be masked in logs"));
    }
}

/// Says the result, and notes it with the lengths of the logs: from here on a restart changes nothing. Only then are
/// the logs closed, or a restart in between would find that a service has said more than a closed log has.
async fn conclude(job: &Job, result: &AttemptResult, prepared: Option<&Prepared>, retain_secs: Option<u64>) {
    if let Some(services) = prepared.and_then(|prepared| prepared.services.as_ref()) {
        services.flush().await;
        services::end_full_logs(job).await;
        if retain_secs.is_none() {
            services::record_stopped(job);
        }
    }
    job.job_log.write_line(match &result.reason {
        None => "passed".to_owned(),
        Some(reason) => reason.sentence.clone(),
    });
    if let Some(secs) = retain_secs {
        let time = micros(secs.saturating_mul(1_000_000));
        job.job_log.write_line(format!(
            "containers and services stay for {time}: enter with `drover shell`"
        ));
    }
    let ended = RecordedEnd {
        result: result.clone(),
        logs: job.streams.lengths(),
        outputs: job.outputs(),
        retain_secs,
    };
    if let Err(error) = job.folder.set_ended(&ended) {
        tracing::error!(%error, attempt.id = %job.input.attempt, "cannot note the result of an attempt");
    }
    for (stream, len) in &ended.logs {
        job.streams.close_at(stream, *len);
    }
}
