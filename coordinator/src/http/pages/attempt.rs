//! One attempt as its page shows it: what its agent reported, put in the order of the job's definition, and the first
//! screen of each log.

use job_specs::model::{ServiceSpec, StepAction, StepSpec};
use job_specs::status::JobStatus;
use protocol::attempt::{AttemptEvent, EventKind, ServiceState, StepOutcome, StepStatus};
use protocol::ids::{AttemptId, StreamId};
use web::views::{AttemptView, LogView, PhaseSpan, ServiceMoment, ServicePhase, ServiceView, StepState, StepView};

use crate::app::App;
use crate::http::error::ApiError;
use crate::http::events::Cursor;
use crate::http::follow::{Positions, wire};
use crate::logs::{LogError, LogKey};
use crate::store::attempts::{self, Attempt, AttemptState};
use crate::store::jobs::JobDetail;

/// How much of the logs a page carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Screen {
    /// A live fragment: the browser has its lines.
    Nothing,
    /// The first screen of each log.
    First,
    /// A page without JavaScript: as much as a browser can carry.
    Plain,
}

impl Screen {
    fn lines(self) -> usize {
        match self {
            Screen::Nothing => 0,
            Screen::First => 200,
            Screen::Plain => 10_000,
        }
    }
}

/// How an attempt stands, in the words of a job.
pub(super) fn status(attempt: &Attempt) -> JobStatus {
    JobStatus::of_attempt(attempt.state, attempt.verdict, attempt.started_at.is_some())
}

/// The view of one attempt of a job.
pub(super) async fn view(
    app: &App,
    job: &JobDetail,
    attempt: &Attempt,
    screen: Screen,
) -> Result<AttemptView, ApiError> {
    let events = attempts::list_events(&app.store, &attempt.id, 0).await?;
    let mut logs = Logs {
        app,
        attempt: &attempt.id,
        screen,
        positions: Positions::new(),
    };
    let services = services(&mut logs, job, attempt, &events).await?;
    let steps = steps(&mut logs, job, attempt, &events).await?;
    let log = Some(logs.view(StreamId::job(), Ends::Last).await?).filter(|log| log.lines > 0);
    let cursor = Cursor {
        positions: logs.positions,
        attempt: Some(attempt.number),
    };
    Ok(AttemptView {
        id: attempt.id.0.clone(),
        number: attempt.number,
        status: status(attempt),
        sentence: attempt.reason.as_ref().map(|reason| reason.sentence.clone()),
        agent: Some(attempt.agent_name.clone()),
        queued_at: job
            .job
            .queued_at
            .filter(|at| *at <= attempt.assigned_at)
            .unwrap_or(attempt.assigned_at),
        assigned_at: Some(attempt.assigned_at),
        started_at: attempt.started_at,
        finished_at: attempt.finished_at,
        phases: phases(&events),
        services,
        steps,
        log,
        cursor: cursor.to_string(),
    })
}

async fn services(
    logs: &mut Logs<'_>,
    job: &JobDetail,
    attempt: &Attempt,
    events: &[AttemptEvent],
) -> Result<Vec<ServiceView>, ApiError> {
    let mut services = Vec::new();
    for spec in &job.spec.services {
        for name in spec.replicas() {
            let log = logs.view(StreamId::service(&name), Ends::Last).await?;
            let replica = ServiceSpec { name, ..spec.clone() };
            services.push(service(&replica, attempt, events, log));
        }
    }
    Ok(services)
}

async fn steps(
    logs: &mut Logs<'_>,
    job: &JobDetail,
    attempt: &Attempt,
    events: &[AttemptEvent],
) -> Result<Vec<StepView>, ApiError> {
    let mut steps = Vec::new();
    for (index, spec) in job.spec.steps.iter().enumerate() {
        let seen = SeenStep::of(index, events);
        let failed = seen.outcome.is_some_and(|outcome| outcome.status == StepStatus::Failed);
        let ends = if failed { Ends::FirstError } else { Ends::Last };
        let log = logs.view(StreamId::step(index), ends).await?;
        steps.push(step(spec, seen.state(attempt.state), &seen, log));
    }
    Ok(steps)
}

/// Which lines of a log come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    Last,
    FirstError,
}

/// Reads logs for a page, and remembers how far.
struct Logs<'a> {
    app: &'a App,
    attempt: &'a AttemptId,
    screen: Screen,
    positions: Positions,
}

impl Logs<'_> {
    async fn view(&mut self, stream: StreamId, which: Ends) -> Result<LogView, ApiError> {
        let key = LogKey {
            attempt: self.attempt.clone(),
            stream: stream.clone(),
        };
        let meta = match self.app.logs.meta(&key).await {
            Err(LogError::NotFound | LogError::Removed) => return Ok(LogView::empty(stream.as_str())),
            other => other?,
        };
        let count = self.screen.lines() as u64;
        let first_error = meta.marks.first().map(|mark| mark.line);
        let from = match (which, first_error) {
            (Ends::FirstError, Some(line)) => line.saturating_sub(count / 2).min(meta.lines.saturating_sub(count)),
            _ => meta.lines.saturating_sub(count),
        };
        let count = count.min(meta.lines - from);
        let shown = match count {
            0 => Vec::new(),
            count => self.app.logs.lines(&key, from, count as usize).await?,
        };
        self.positions.insert(stream.clone(), meta.lines);
        Ok(LogView {
            stream: stream.to_string(),
            lines: meta.lines,
            bytes: meta.bytes,
            eof: meta.eof,
            errors: meta.marks.iter().take(300).map(|mark| mark.line + 1).collect(),
            shown: shown.iter().map(wire).collect(),
        })
    }
}

fn phases(events: &[AttemptEvent]) -> Vec<PhaseSpan> {
    let mut spans: Vec<PhaseSpan> = Vec::new();
    for event in events {
        let EventKind::Phase { phase, begin } = &event.kind else {
            continue;
        };
        if *begin {
            spans.push(PhaseSpan {
                name: phase.clone(),
                from: event.at,
                to: None,
            });
        } else if let Some(open) = spans.iter_mut().find(|span| span.name == *phase && span.to.is_none()) {
            open.to = Some(event.at);
        }
    }
    spans
}

/// What was reported about a step.
#[derive(Default)]
struct SeenStep<'a> {
    started_at: Option<i64>,
    finished_at: Option<i64>,
    /// The try that runs or ran last; 0 before any.
    tries: u32,
    outcome: Option<&'a StepOutcome>,
}

impl SeenStep<'_> {
    fn of(index: usize, events: &[AttemptEvent]) -> SeenStep<'_> {
        let mut seen = SeenStep::default();
        for event in events {
            match &event.kind {
                EventKind::StepStarted { step } if *step == index => seen.started_at = Some(event.at),
                EventKind::StepRetried { step, number, .. } if *step == index => seen.tries = *number,
                EventKind::StepFinished { step, outcome } if *step == index => {
                    seen.finished_at = Some(event.at);
                    seen.outcome = Some(outcome);
                }
                _ => {}
            }
        }
        seen
    }

    /// From go to exit; over all tries when there are several.
    fn duration_us(&self) -> Option<u64> {
        let outcome = self.outcome?;
        let whole = self.finished_at.zip(self.started_at).filter(|_| self.tries > 1);
        let whole = whole.and_then(|(to, from)| u64::try_from(to - from).ok());
        whole.or(Some(outcome.duration_us))
    }

    fn state(&self, attempt: AttemptState) -> StepState {
        let over = attempt != AttemptState::Active;
        match (self.outcome.map(|outcome| outcome.status), self.started_at) {
            (Some(StepStatus::Passed), _) => StepState::Passed,
            (Some(StepStatus::Failed), _) => StepState::Failed,
            (Some(StepStatus::TimedOut), _) => StepState::TimedOut,
            (Some(StepStatus::Cancelled), _) => StepState::Cancelled,
            (Some(StepStatus::Skipped), _) => StepState::Skipped,
            (None, Some(_)) if over => StepState::Cancelled,
            (None, Some(_)) => StepState::Running,
            (None, None) if over => StepState::Skipped,
            (None, None) => StepState::Waiting,
        }
    }
}

fn step(spec: &StepSpec, state: StepState, seen: &SeenStep<'_>, log: LogView) -> StepView {
    let outcome = seen.outcome;
    StepView {
        name: spec.name.clone(),
        state,
        image: spec.image.clone(),
        script: match &spec.action {
            StepAction::Run { script, .. } => script.clone(),
            StepAction::Entrypoint(arguments) => arguments.join(" "),
            StepAction::Image(image) => format!("image {}", image.tags.join(" ")),
        },
        allow_failure: spec.allow_failure,
        started_at: seen.started_at,
        duration_us: seen.duration_us(),
        tries: seen.tries,
        exit_code: outcome.and_then(|outcome| outcome.exit_code),
        sentence: outcome.and_then(|outcome| outcome.reason.clone()),
        peak_memory_bytes: outcome.map_or(0, |outcome| outcome.peak_memory_bytes),
        cpu_us: outcome.map_or(0, |outcome| outcome.cpu_us),
        log,
    }
}

fn service(spec: &ServiceSpec, attempt: &Attempt, events: &[AttemptEvent], log: LogView) -> ServiceView {
    let mut moments = Vec::new();
    let mut ready_after_ms = None;
    for event in events {
        let EventKind::Service { service, state } = &event.kind else {
            continue;
        };
        if *service != spec.name {
            continue;
        }
        if let ServiceState::Ready { after_ms, .. } = state {
            ready_after_ms = Some(*after_ms);
        }
        let (phase, detail) = moment(spec, state);
        moments.push(ServiceMoment {
            at: event.at,
            phase,
            detail,
        });
    }
    let reason = attempt.reason.as_ref();
    let about_it = reason.filter(|reason| reason.service.as_ref() == Some(&spec.name));
    ServiceView {
        name: spec.name.clone(),
        image: spec.image.clone(),
        moments,
        ready_after_ms,
        sentence: about_it.map(|reason| reason.sentence.clone()),
        log,
    }
}

fn moment(spec: &ServiceSpec, state: &ServiceState) -> (ServicePhase, String) {
    match state {
        ServiceState::Pulling => (ServicePhase::Pulling, String::new()),
        ServiceState::Starting => (ServicePhase::Starting, String::new()),
        ServiceState::Running => (ServicePhase::Running, String::new()),
        ServiceState::Ready { probe, warning, .. } => {
            let words = [Some(probe), warning.as_ref()].into_iter().flatten();
            (ServicePhase::Ready, words.cloned().collect::<Vec<_>>().join("; "))
        }
        ServiceState::Unhealthy { output } => (ServicePhase::Unhealthy, output.clone()),
        ServiceState::Exited { code: Some(0), .. } if spec.run_once || spec.may_end => {
            (ServicePhase::Completed, String::new())
        }
        ServiceState::Exited {
            code: Some(0),
            warning: Some(warning),
            ..
        } => (ServicePhase::Completed, warning.clone()),
        ServiceState::Exited { code, oom, warning } => {
            let code = code.map_or_else(|| "no exit code".to_owned(), |code| format!("exit {code}"));
            let words = match (oom, warning) {
                (true, _) => format!("{code}, out of memory"),
                (false, Some(warning)) => format!("{code}; {warning}"),
                (false, None) => code,
            };
            (ServicePhase::Exited, words)
        }
        ServiceState::Stopped => (ServicePhase::Stopped, String::new()),
    }
}
