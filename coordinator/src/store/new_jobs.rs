//! Jobs as they begin: their rows, and what is decided about them at once.

use std::collections::{HashMap, HashSet};

use job_specs::dag::{RunsAfter, begins_blocked, decide, skipped};
use job_specs::model::{JobSpec, Need};
use job_specs::status::{JobEvent, JobStatus};
use protocol::attempt::{Reason, ReasonCode};
use protocol::ids::{JobId, RepositoryId};

use super::builds::NewJob;
use super::jobs::{self, Expansion, Locked};
use super::lanes::Lane;
use super::{Change, Micros, StoreError, build_status, reasons, to_json, to_word};
use crate::db::{Tx, args};

/// Places that a job keeps free in its build for cells that are not known yet.
const PLACES: i64 = 256;

/// Where new jobs go.
pub(super) struct BuildContext<'a> {
    pub(super) build: i64,
    pub(super) repository: &'a RepositoryId,
    /// Whether the code may have secrets.
    pub(super) trusted: bool,
    /// Its build is in a concurrency group.
    pub(super) grouped: bool,
    /// Its build waits for others of its group.
    pub(super) waits: bool,
    /// Its build waits for approval.
    pub(super) unapproved: bool,
    pub(super) now: Micros,
}

/// Stores the jobs of a build; those without needs are queued. Gives those that are over at once.
pub(super) async fn insert(tx: &mut Tx, context: &BuildContext<'_>, new: &[NewJob]) -> Result<Vec<Locked>, StoreError> {
    let names: HashSet<&str> = new.iter().map(|job| job.spec.name.as_str()).collect();
    let needed: HashSet<&str> = new
        .iter()
        .flat_map(|job| &job.spec.needs)
        .map(|need| need.job.as_str())
        .collect();
    let (mut cells, mut position, mut over): (HashMap<&str, u32>, _, _) = (HashMap::new(), 0, Vec::new());
    for job in new {
        let spec = &job.spec;
        if let Some(unknown) = job.waits_for().find(|need| !names.contains(need.job.as_str())) {
            let why = format!(
                "job `{}` needs `{}`, which is not in this build",
                spec.name, unknown.job
            );
            return Err(StoreError::Refused(why));
        }
        let before = cells.entry(&spec.name).or_default();
        let row = NewRow {
            position,
            blocked: begins_blocked(spec, *before),
            linked: needed.contains(spec.name.as_str()),
            placeholder: None,
        };
        *before += 1;
        position += if spec.deferred && spec.matrix.is_empty() {
            PLACES
        } else {
            1
        };
        over.extend(row.insert(tx, context, job).await?);
    }
    if !new.is_empty() {
        tx.notify(Change::Queue);
    }
    Ok(over)
}

/// What happens at once to a job whose needs are met, or that has none.
pub(super) fn first_event(spec: &JobSpec, trusted: bool) -> (JobEvent, Option<Reason>) {
    if let Some(why) = skipped(spec) {
        return (JobEvent::Skip, Some(why));
    }
    match secrets_it_would_get(spec) {
        Some(user) if !trusted => {
            let why = format!("secrets are not given to code that is not trusted; {user} names some");
            (JobEvent::Refuse, Some(Reason::new(ReasonCode::SecretMissing, why)))
        }
        _ => (JobEvent::NeedsMet, None),
    }
}

/// What of the job names secrets. A step that is skipped gets none.
fn secrets_it_would_get(spec: &JobSpec) -> Option<String> {
    let mut running = spec.clone();
    running.steps.retain(|step| step.skip.is_none());
    if running.secret_names().is_empty() {
        return None;
    }
    let with_steps = |steps| JobSpec {
        steps,
        services: Vec::new(),
        ..running.clone()
    };
    let step = running
        .steps
        .iter()
        .find(|step| !with_steps(vec![(*step).clone()]).secret_names().is_empty());
    Some(step.map_or("a service".to_owned(), |step| format!("step `{}`", step.name)))
}

/// A row to be.
pub(super) struct NewRow<'a> {
    pub(super) position: i64,
    /// By `max_parallel`.
    pub(super) blocked: bool,
    /// Other jobs need it.
    pub(super) linked: bool,
    /// What it was expanded from.
    pub(super) placeholder: Option<&'a JobSpec>,
}

impl NewRow<'_> {
    /// Stores it. Gives it when it is over at once.
    pub(super) async fn insert(
        &self,
        tx: &mut Tx,
        context: &BuildContext<'_>,
        job: &NewJob,
    ) -> Result<Option<Locked>, StoreError> {
        let (id, spec, labels) = (JobId::generate(), &job.spec, to_json(&job.labels));
        let (status, expansion, reason) = self.beginning(context, job)?;
        let [code, sentence, details] = reasons::columns(reason);
        let needs: Vec<&Need> = job.waits_for().collect();
        let shares = spec.max_parallel.is_some() || spec.fail_fast || spec.deferred || context.grouped;
        tx.run(
            "insert into jobs (id, build, position, repository, name, title, matrix, needs, labels, lane, priority,
             retries, max_parallel, fail_fast, allow_failure, blocked_by_max_parallel, linked, status, history, attempts, created_at,
             queued_at, finished_at, runs_after, expansion, reason_code, reason,
             reason_details, blocked_by_group, blocked_by_approval)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, '', 0, $19, $20,
             $21, $22, $23, $24, $25, $26, $27, $28)",
            args![
                &id,
                context.build,
                self.position,
                context.repository,
                &spec.name,
                spec.title(),
                to_json(&spec.matrix),
                to_json(&needs),
                &labels,
                Lane::name(context.repository, spec.asked_memory(), &labels),
                job.priority,
                job.retries,
                spec.max_parallel.map(i64::from),
                i64::from(spec.fail_fast),
                i64::from(spec.allow_failure),
                i64::from(self.blocked),
                i64::from(self.linked || shares),
                status.name(),
                context.now,
                (status == JobStatus::Queued).then_some(context.now),
                status.is_final().then_some(context.now),
                to_word(&RunsAfter::from(spec.when)),
                to_word(&expansion),
                code,
                sentence,
                details,
                i64::from(context.waits),
                i64::from(context.unapproved)
            ],
        )
        .await?;
        tx.run(
            "insert into specs (job, spec, placeholder) values ($1, $2, $3)",
            args![&id, to_json(spec), self.placeholder.map(to_json)],
        )
        .await?;
        for need in needs.iter().map(|need| &need.job).collect::<HashSet<_>>() {
            let sql = "insert into job_needs (build, needs, job) values ($1, $2, $3)";
            tx.run(sql, args![context.build, need, &id]).await?;
        }
        match status.is_final() {
            true => {
                build_status::job_ended(tx, context.build);
                jobs::lock(tx, &id).await.map(Some)
            }
            false => Ok(None),
        }
    }

    /// Where it begins: its status, its expansion, and why.
    fn beginning(
        &self,
        context: &BuildContext<'_>,
        job: &NewJob,
    ) -> Result<(JobStatus, Expansion, Option<Reason>), StoreError> {
        let spec = &job.spec;
        let expansion = match spec.deferred {
            true => Expansion::Waiting,
            false => Expansion::No,
        };
        let (event, reason) = first_event(spec, context.trusted);
        let is_over = event != JobEvent::NeedsMet;
        // A cell that was expanded is made when its needs are met.
        let has_open_needs = job.waits_for().next().is_some() && self.placeholder.is_none();
        if !is_over && has_open_needs {
            return Ok((JobStatus::Waiting, expansion, None));
        }
        if !is_over && spec.deferred {
            return Ok((JobStatus::Waiting, Expansion::Due, None));
        }
        let decided = decide(&[], spec.when.into(), &HashMap::new()).map(|decision| decision.event());
        let (event, reason) = match decided {
            Some((other, why)) if !is_over && self.placeholder.is_none() => (other, why),
            _ => (event, reason),
        };
        Ok((JobStatus::Waiting.on(event)?, expansion, reason))
    }
}
