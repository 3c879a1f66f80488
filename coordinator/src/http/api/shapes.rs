//! The JSON of builds and jobs, which several calls share. Apart from the store's structs, so that a column can be
//! renamed without breaking a script.

use std::collections::BTreeMap;

use job_specs::model::AxisValue;
use job_specs::status::JobStatus;
use job_specs::triggers::Concurrency;
use protocol::attempt::{ReasonCode, Verdict};
use serde::Serialize;
use utoipa::ToSchema;

use super::stacks::Stack;
use crate::store::attempts::AttemptState;
use crate::store::{Micros, attempts, builds, jobs, stacks};

/// One build, as in lists.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Build {
    /// Unique within the coordinator.
    pub number: i64,
    /// Name of its repository.
    pub repository: String,
    /// `push`, `tag`, `pull_request`, `schedule` or `manual`.
    pub event: String,
    /// The branch, when it is of one.
    pub branch: Option<String>,
    /// The tag, when it is of one.
    pub tag: Option<String>,
    /// `refs/heads/main`
    pub reference: String,
    /// Full object id.
    pub commit: String,
    /// First line of the commit's message.
    pub title: String,
    /// The commit's author, for display.
    pub author: String,
    /// Where it stands.
    #[schema(value_type = String, example = "running")]
    pub status: JobStatus,
    /// Why there are no jobs, or what else people should know.
    pub message: Option<String>,
    /// How many jobs stand where.
    pub counts: BTreeMap<&'static str, u32>,
    /// The build that this one repeats.
    pub rerun_of: Option<i64>,
    /// The branch that a pull request wants to go into.
    pub base: Option<String>,
    /// The pull request's number.
    pub pull_request: Option<i64>,
    /// Whether its code may have secrets: that of a pull request from a fork may not.
    pub trusted: bool,
    /// Values of the job file's inputs, as they were given.
    pub inputs: BTreeMap<String, String>,
    /// Its concurrency group: `{group, mode}`.
    #[schema(value_type = Option<Object>)]
    pub concurrency: Option<Concurrency>,
    /// It waits for another build of its group.
    pub waits_for_group: bool,
    /// Its page.
    pub url: String,
    /// When it was made.
    pub created_at: Micros,
    /// When its first attempt began.
    pub started_at: Option<Micros>,
    /// When its last job ended.
    pub finished_at: Option<Micros>,
}

impl Build {
    /// From the store; `url` is the coordinator's.
    pub fn new(build: builds::Build, url: &str) -> Build {
        let facts = build.facts;
        Build {
            url: format!("{url}{}", web::routes::build(build.number)),
            number: build.number,
            repository: build.repository,
            event: facts.event,
            branch: facts.branch,
            tag: facts.tag,
            reference: facts.reference,
            commit: facts.sha,
            title: facts.title.unwrap_or_default(),
            author: facts.author.unwrap_or_default(),
            base: facts.base,
            pull_request: facts.pull_request,
            trusted: build.trust.is_trusted(),
            inputs: facts.inputs,
            concurrency: build.concurrency,
            waits_for_group: build.waits_for_group,
            status: build.status,
            message: build.message,
            counts: build.counts,
            rerun_of: build.rerun_of,
            created_at: build.created_at,
            started_at: build.started_at,
            finished_at: build.finished_at,
        }
    }
}

/// One job: a cell of a job definition in a build.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Job {
    /// Its id.
    pub id: String,
    /// Its build.
    pub build: i64,
    /// Its key in the file.
    pub name: String,
    /// `test (postgres=15)`
    pub title: String,
    /// Its cell: axis to value; empty without a matrix.
    pub matrix: BTreeMap<String, String>,
    /// Names of jobs that must pass first.
    pub needs: Vec<String>,
    /// Where it stands.
    #[schema(value_type = String, example = "queued")]
    pub status: JobStatus,
    /// Why it did not pass, in one sentence.
    pub reason: Option<String>,
    /// The same for programs: `step_failed`, `timeout`, …
    #[schema(value_type = Option<String>)]
    pub reason_code: Option<ReasonCode>,
    /// Its failure does not fail the build.
    pub allow_failure: bool,
    /// Somebody asked for it to stop, and its agent has not said yet that it has.
    pub cancelling: bool,
    /// Its attempts, oldest first.
    pub attempts: Vec<Attempt>,
    /// It is over, and its containers stay for a while: `drover shell` enters them.
    pub stack: Option<Stack>,
    /// Name of the newest attempt's agent.
    pub agent: Option<String>,
    /// When it was made.
    pub created_at: Micros,
    /// When it could first run.
    pub queued_at: Option<Micros>,
    /// When its newest attempt began.
    pub started_at: Option<Micros>,
    /// When it ended.
    pub finished_at: Option<Micros>,
}

impl Job {
    /// From the store.
    pub fn new(job: jobs::Job, attempts: Vec<attempts::Attempt>, stack: Option<stacks::Stack>) -> Job {
        let (reason, reason_code) = job.reason.map(|reason| (reason.sentence, reason.code)).unzip();
        Job {
            id: job.id.0,
            build: job.build,
            name: job.name,
            title: job.title,
            matrix: cell(job.matrix),
            needs: job.needs.into_iter().map(|need| need.job).collect(),
            status: job.status,
            reason,
            reason_code,
            allow_failure: job.allow_failure,
            cancelling: job.cancelling,
            stack: stack.map(Stack::from),
            attempts: attempts.into_iter().map(Attempt::from).collect(),
            agent: job.agent,
            created_at: job.created_at,
            queued_at: job.queued_at,
            started_at: job.started_at,
            finished_at: job.finished_at,
        }
    }
}

/// One execution of a job.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Attempt {
    /// Its id, for its logs.
    pub id: String,
    /// Its job.
    pub job: String,
    /// Its build.
    pub build: i64,
    /// From 1.
    pub number: u32,
    /// Name of its agent.
    pub agent: String,
    /// `active`, `finished`, or `lost`: taken from its agent.
    #[schema(value_type = String)]
    pub state: AttemptState,
    /// How it ended: `passed`, `failed`, `errored`, `cancelled`, `timed_out`.
    #[schema(value_type = Option<String>)]
    pub verdict: Option<Verdict>,
    /// Why it did not pass.
    pub reason: Option<String>,
    /// The same for programs.
    #[schema(value_type = Option<String>)]
    pub reason_code: Option<ReasonCode>,
    /// When it was given to its agent.
    pub assigned_at: Micros,
    /// When it began.
    pub started_at: Option<Micros>,
    /// When it ended.
    pub finished_at: Option<Micros>,
}

impl From<attempts::Attempt> for Attempt {
    fn from(attempt: attempts::Attempt) -> Self {
        let (reason, reason_code) = attempt.reason.map(|reason| (reason.sentence, reason.code)).unzip();
        Attempt {
            id: attempt.id.0,
            job: attempt.job.0,
            build: attempt.build,
            number: attempt.number,
            agent: attempt.agent_name,
            state: attempt.state,
            verdict: attempt.verdict,
            reason,
            reason_code,
            assigned_at: attempt.assigned_at,
            started_at: attempt.started_at,
            finished_at: attempt.finished_at,
        }
    }
}

/// The number and the page of a build that was just made.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Made {
    /// Its number.
    pub number: i64,
    /// Its page.
    pub url: String,
}

impl Made {
    /// Of that number; `url` is the coordinator's.
    pub fn new(number: i64, url: &str) -> Made {
        Made {
            number,
            url: format!("{url}{}", web::routes::build(number)),
        }
    }
}

/// A cell as a JSON object.
pub(crate) fn cell(matrix: Vec<AxisValue>) -> BTreeMap<String, String> {
    matrix.into_iter().map(|value| (value.axis, value.value)).collect()
}
