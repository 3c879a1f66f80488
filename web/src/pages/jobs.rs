//! The page of one job at one attempt.

use askama::Template;
use job_specs::status::JobStatus;

use super::frame::{Head, Section, icon_of};
use crate::look::Look;
use crate::matrix::{self, Group};
use crate::ruler::{self, Ruler};
use crate::views::{AttemptView, Frame, JobPage, Micros, ServiceView, StepState, StepView, TestState};
use crate::{format, look, routes, ui};

/// `/jobs/{id}`, `/jobs/{id}/attempts/{number}`
#[derive(Template)]
#[template(path = "job.html", blocks = ["live"])]
pub struct Job<'a> {
    frame: &'a Frame,
    head: Head,
    view: &'a JobPage,
    title: String,
    icon: String,
    source: String,
    /// The status that the head shows: the attempt's, or the job's before there is one.
    status: JobStatus,
    /// The number of the attempt that is shown.
    shown: Option<u32>,
    clock: Option<Ruler>,
    siblings: Vec<Group<'a>>,
}

impl<'a> Job<'a> {
    pub fn new(frame: &'a Frame, view: &'a JobPage) -> Job<'a> {
        let newest = view.attempts.last().map(|attempt| attempt.number);
        let shown = view.attempt.as_ref().map(|attempt| attempt.number);
        let is_newest = newest == shown;
        // An old attempt is over, whatever the job does now.
        let status = match &view.attempt {
            Some(attempt) if !is_newest => attempt.status,
            _ => view.job.status,
        };
        let look = look::job(status);
        let title = format!(
            "{} {} · #{} · {}",
            look.word,
            cell_title(view),
            view.build.number,
            view.build.repository
        );
        let icon = icon_of(look);
        let path = match shown {
            Some(number) if !is_newest => routes::attempt(&view.job.id, number),
            _ => routes::job(&view.job.id),
        };
        let cursor = view.attempt.as_ref().map_or("", |attempt| attempt.cursor.as_str());
        let events = format!(
            "/events?job={}&cursor={}",
            routes::encode(&view.job.id),
            routes::encode(cursor)
        );
        let head = Head::new(title.clone(), Section::Builds)
            .under(&view.build.repository, routes::repository(&view.build.repository))
            .under(format!("#{}", view.build.number), routes::build(view.build.number))
            .here(cell_title(view))
            .live(events)
            .icon(icon.clone());
        let clock = view.attempt.as_ref().map(|attempt| ruler::attempt(attempt, frame.now));
        Job {
            frame,
            head,
            view,
            title,
            icon,
            source: format!("{path}?live=1"),
            status,
            shown,
            clock,
            siblings: matrix::groups(&view.siblings, &[]),
        }
    }

    fn action(&self, name: &str) -> String {
        format!("{}/{name}", routes::job(&self.view.job.id))
    }

    fn shell_command(&self) -> String {
        super::shell::command(self.view.build.number, &cell_title(self.view), None)
    }

    fn is_shown(&self, number: u32) -> bool {
        self.shown == Some(number)
    }

    /// Why a step did not pass, unless the page's head says the same.
    fn step_sentence<'b>(&self, step: &'b StepView) -> Option<&'b String> {
        step.sentence
            .as_ref()
            .filter(|sentence| self.sentence() != Some(sentence))
    }

    fn began(&self) -> Option<Micros> {
        self.view
            .attempt
            .as_ref()
            .map_or(self.view.job.started_at, |attempt| attempt.started_at)
    }

    fn ended(&self) -> Option<Micros> {
        self.view
            .attempt
            .as_ref()
            .map_or(self.view.job.finished_at, |attempt| attempt.finished_at)
    }

    fn agent(&self) -> Option<&String> {
        self.view
            .attempt
            .as_ref()
            .map_or(&self.view.job.agent, |attempt| &attempt.agent)
            .as_ref()
    }

    /// Why it did not pass; before it runs, why it waits.
    fn sentence(&self) -> Option<&String> {
        let of_attempt = self.view.attempt.as_ref().and_then(|attempt| attempt.sentence.as_ref());
        of_attempt.or(self
            .view
            .job
            .reason
            .as_ref()
            .filter(|_| self.status == self.view.job.status))
    }

    /// Time since the begin of the ruler.
    fn offset(&self, at: Micros) -> String {
        let begin = self
            .view
            .attempt
            .as_ref()
            .map_or(at, |attempt: &AttemptView| attempt.queued_at);
        format!("+{}", format::micros(at - begin))
    }

    /// Failed and running steps are open, and so is an only one.
    fn is_open(&self, step: &StepView) -> bool {
        let is_only = self
            .view
            .attempt
            .as_ref()
            .is_some_and(|attempt| attempt.steps.len() == 1);
        is_only || matches!(step.state, StepState::Running | StepState::Failed | StepState::TimedOut)
    }

    /// A step's duration; while it runs the browser counts on.
    fn step_took(&self, step: &StepView) -> ui::Took<'_> {
        let ended = step
            .started_at
            .zip(step.duration_us)
            .map(|(from, us)| from + i64::try_from(us).unwrap_or(0));
        let end = ended.or(self.ended());
        ui::took(step.started_at, end, self.frame.now)
    }

    /// The clock of a step's log; before its begin, the attempt's.
    fn step_start(&self, step: &StepView) -> Micros {
        step.started_at
            .or(self.view.attempt.as_ref().map(|attempt| attempt.queued_at))
            .unwrap_or(0)
    }

    fn service_look(&self, service: &ServiceView) -> Look {
        look::service(service.moments.last().map(|moment| moment.phase))
    }

    fn service_start(&self, service: &ServiceView) -> Micros {
        service.moments.first().map_or(0, |moment| moment.at)
    }
}

fn cell_title(view: &JobPage) -> String {
    let cell: Vec<String> = view
        .job
        .cell
        .iter()
        .map(|part| format!("{}={}", part.axis, part.value))
        .collect();
    if cell.is_empty() {
        view.job.name.clone()
    } else {
        format!("{} ({})", view.job.name, cell.join(", "))
    }
}
