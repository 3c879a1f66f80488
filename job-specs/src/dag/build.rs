//! One build in memory: its jobs, and what becomes of them when others end. What `drover run` follows, and what the
//! coordinator's store is tested against.

use std::collections::{HashMap, VecDeque};

use super::deferred::{Expanded, cells_of};
use super::needs::{self, Decision, NeedState, NeededJob, RunsAfter};
use super::outputs::{self, JobOutputs, Seen};
use super::retry::{self, Attempts};
use super::{begins_blocked, stopped_by_fail_fast};
use crate::model::{JobSpec, Need};
use crate::result::{AttemptResult, Reason, ReasonCode};
use crate::status::{JobEvent, JobStatus};

/// Places that a deferred job keeps free behind it for cells that are not known yet.
const PLACES: usize = 256;

/// The jobs of a build, by number.
#[derive(Debug, Default)]
pub struct Build {
    jobs: Vec<Job>,
    news: VecDeque<News>,
}

/// One job.
#[derive(Debug, Clone)]
pub struct Job {
    /// What runs; of a deferred job what is known of it.
    pub spec: JobSpec,
    /// Where it stands.
    pub status: JobStatus,
    /// Why it did not pass.
    pub reason: Option<Reason>,
    /// What it has handed on.
    pub outputs: JobOutputs,
    /// Its attempts so far.
    pub attempts: Attempts,
    /// Why it is to stop, if it is.
    pub cancelling: Option<String>,
    /// `max_parallel` keeps it from running.
    pub is_blocked: bool,
    /// It is deferred, and what it needs has ended.
    pub is_due: bool,
    waits_for: Vec<Need>,
    /// Its place among the others; the lowest runs first.
    position: usize,
}

/// Something that whoever runs the jobs has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// It has ended, by an attempt or without one.
    Ended(usize),
    /// Its attempt ended, and it is queued again.
    Retried(usize),
    /// Its attempt is to be stopped.
    Stop(usize),
    /// It was deferred and is known now, or it is a new cell.
    Expanded(usize),
}

impl Build {
    /// A build of these jobs, in the order of the file; each with the needs that are not met by a job elsewhere.
    pub fn new(jobs: impl IntoIterator<Item = (JobSpec, Vec<Need>)>) -> Build {
        let mut build = Build::default();
        let (mut position, mut cells, mut over) = (0, HashMap::<String, u32>::new(), Vec::new());
        for (spec, waits_for) in jobs {
            let before = cells.entry(spec.name.clone()).or_default();
            let is_blocked = begins_blocked(&spec, *before);
            *before += 1;
            let locations = if spec.deferred && spec.matrix.is_empty() {
                PLACES
            } else {
                1
            };
            over.extend(build.add(spec, waits_for, is_blocked, position));
            position += locations;
        }
        build.propagate(over);
        build
    }

    /// Its jobs; new cells of deferred ones come last.
    pub fn jobs(&self) -> &[Job] {
        &self.jobs
    }

    /// The next thing to know, in order.
    pub fn news(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    /// The job that is to run next: the first that is queued and not blocked.
    pub fn ready(&self) -> Option<usize> {
        self.first(|job| job.status == JobStatus::Queued && !job.is_blocked)
    }

    /// The deferred job that is to be expanded next.
    pub fn due(&self) -> Option<usize> {
        self.first(|job| job.is_due && job.status == JobStatus::Waiting)
    }

    /// Every job has ended.
    pub fn is_over(&self) -> bool {
        self.jobs.iter().all(|job| job.status.is_final())
    }

    /// Somebody takes a queued job.
    pub fn assign(&mut self, job: usize) {
        self.jobs[job].attempts.all += 1;
        self.record(job, JobEvent::Assign, None);
    }

    /// Its attempt begins.
    pub fn start(&mut self, job: usize) {
        self.record(job, JobEvent::Start, None);
    }

    /// Its attempt has ended.
    pub fn finish(&mut self, job: usize, result: AttemptResult, outputs: JobOutputs) {
        let (result, kept) = outputs::kept(result, outputs);
        let at = &mut self.jobs[job];
        let mut event = retry::event(result.verdict, at.attempts, at.cancelling.is_some());
        if at.cancelling.is_none() && retry::is_due(&at.spec, &result, at.attempts) {
            at.attempts.failures += 1;
            event = JobEvent::Retry;
        }
        let reason = retry::reason(event, at.cancelling.as_deref(), result.reason);
        self.record(job, event, reason);
        if event == JobEvent::Retry {
            self.news.push_back(News::Retried(job));
        } else {
            self.jobs[job].outputs = kept;
            self.propagate(vec![job]);
        }
    }

    /// Whoever ran it is gone; `lost` says who.
    pub fn lose(&mut self, job: usize, lost: &str) {
        let at = &self.jobs[job];
        let event = retry::lost(at.attempts, at.cancelling.is_some());
        let lost = Reason::new(ReasonCode::AgentLost, lost);
        let reason = retry::reason(event, at.cancelling.as_deref(), Some(lost));
        self.record(job, event, reason);
        if self.jobs[job].status.is_final() {
            self.propagate(vec![job]);
        }
    }

    /// Stops a job: at once when nobody runs it.
    pub fn cancel(&mut self, job: usize, why: &str) {
        let ended = self.stop(job, why).then_some(job);
        self.propagate(ended.into_iter().collect());
    }

    /// Stops every job.
    pub fn cancel_all(&mut self, why: &str) {
        let ended = (0..self.jobs.len()).filter(|job| self.stop(*job, why)).collect();
        self.propagate(ended);
    }

    /// What a job sees of the outputs of those that it needs.
    pub fn seen_by(&self, job: usize) -> Seen {
        let mut seen = Seen::default();
        for need in &self.jobs[job].spec.needs {
            let cells = self.jobs.iter().filter(|cell| cell.spec.name == need.job);
            let cells = cells.filter(|cell| need.counts(&cell.spec.matrix));
            let outputs: Vec<&JobOutputs> = cells.map(|cell| &cell.outputs).collect();
            seen.add(need, &outputs);
        }
        seen
    }

    /// Puts the cells in the place of a job that was due.
    pub fn expand(&mut self, job: usize, expanded: Expanded) {
        self.jobs[job].is_due = false;
        let cells = match expanded {
            Expanded::Cells(cells) => cells_of(&self.jobs[job].spec, cells),
            Expanded::Refused { sentence, .. } => {
                let why = Reason::new(ReasonCode::InvalidJob, sentence);
                self.record(job, JobEvent::Refuse, Some(why));
                return self.propagate(vec![job]);
            }
        };
        let mut cells = cells.into_iter();
        let Some(first) = cells.next() else {
            let why = Reason::new(ReasonCode::ConditionNotMet, "the matrix has no cells");
            self.record(job, JobEvent::Skip, Some(why));
            return self.propagate(vec![job]);
        };
        let position = self.jobs[job].position;
        self.jobs[job].spec = first;
        self.jobs[job].attempts.retries = i64::from(retry::of_infrastructure(&self.jobs[job].spec));
        let mut all = vec![job];
        for (before, spec) in (1..).zip(cells) {
            let is_blocked = begins_blocked(&spec, before);
            all.push(self.jobs.len());
            self.jobs
                .push(Job::new(spec, Vec::new(), is_blocked, position + before as usize));
        }
        let mut over = Vec::new();
        for cell in all {
            self.news.push_back(News::Expanded(cell));
            let skipped = needs::skipped(&self.jobs[cell].spec);
            let event = if skipped.is_some() {
                JobEvent::Skip
            } else {
                JobEvent::NeedsMet
            };
            self.record(cell, event, skipped);
            over.extend(self.jobs[cell].status.is_final().then_some(cell));
        }
        self.propagate(over);
    }

    fn first(&self, is_wanted: impl Fn(&Job) -> bool) -> Option<usize> {
        let wanted = (0..self.jobs.len()).filter(|job| is_wanted(&self.jobs[*job]));
        wanted.min_by_key(|job| self.jobs[*job].position)
    }

    /// Adds a job as it begins; gives it when it is over at once.
    fn add(&mut self, spec: JobSpec, waits_for: Vec<Need>, is_blocked: bool, position: usize) -> Option<usize> {
        let number = self.jobs.len();
        let (skipped, has_open_needs) = (needs::skipped(&spec), !waits_for.is_empty());
        let (is_deferred, after) = (spec.deferred, RunsAfter::from(spec.when));
        self.jobs.push(Job::new(spec, waits_for, is_blocked, position));
        match skipped {
            Some(why) => self.record(number, JobEvent::Skip, Some(why)),
            None if has_open_needs => {}
            None if is_deferred => self.jobs[number].is_due = true,
            None => {
                if let Some(decision) = needs::decide(&[], after, &HashMap::new()) {
                    let (event, reason) = decision.event();
                    self.record(number, event, reason);
                }
            }
        }
        self.jobs[number].status.is_final().then_some(number)
    }

    /// The only writer of a status.
    fn record(&mut self, job: usize, event: JobEvent, reason: Option<Reason>) {
        let at = &mut self.jobs[job];
        // An event that does not fit is a bug of who calls, and changes nothing.
        let Ok(status) = at.status.on(event) else {
            debug_assert!(false, "a job that is {:?} cannot take {event:?}", at.status);
            return;
        };
        (at.status, at.reason) = (status, reason);
        if status.is_final() {
            self.news.push_back(News::Ended(job));
        }
    }

    /// Whether it has ended by that.
    fn stop(&mut self, job: usize, why: &str) -> bool {
        let Job { status, cancelling, .. } = &self.jobs[job];
        if status.is_pending() {
            self.record(job, JobEvent::Cancel, Some(Reason::new(ReasonCode::Cancelled, why)));
            return true;
        }
        if status.is_active() && cancelling.is_none() {
            self.jobs[job].cancelling = Some(why.to_owned());
            self.news.push_back(News::Stop(job));
        }
        false
    }

    /// What becomes of others because these jobs have just ended.
    fn propagate(&mut self, mut ended: Vec<usize>) {
        while let Some(job) = ended.pop() {
            self.unblock_next(job);
            let Job { spec, status, .. } = &self.jobs[job];
            if spec.fail_fast && status.counts_as_failed(spec.allow_failure) {
                let (name, why) = (spec.name.clone(), stopped_by_fail_fast(&spec.title()));
                let others = (0..self.jobs.len()).filter(|other| self.jobs[*other].spec.name == name);
                for other in others.collect::<Vec<_>>() {
                    ended.extend(self.stop(other, &why).then_some(other));
                }
            }
            ended.extend(self.settle(job));
        }
    }

    /// A cell that ran gives its place under `max_parallel` to the next one.
    fn unblock_next(&mut self, ended: usize) {
        let Job { spec, is_blocked, .. } = &self.jobs[ended];
        if spec.max_parallel.is_none() || *is_blocked {
            return;
        }
        let is_next = |job: &Job| job.spec.name == spec.name && job.is_blocked && job.status.is_pending();
        if let Some(next) = self.first(is_next) {
            self.jobs[next].is_blocked = false;
        }
    }

    /// Decides about the jobs that needed one that has just ended; gives those that ended by that.
    fn settle(&mut self, ended: usize) -> Vec<usize> {
        let name = self.jobs[ended].spec.name.clone();
        let waits = |job: &Job| {
            let needs_it = job.waits_for.iter().any(|need| need.job == name);
            job.status == JobStatus::Waiting && !job.is_due && needs_it
        };
        let mut waiting: Vec<usize> = (0..self.jobs.len()).filter(|job| waits(&self.jobs[*job])).collect();
        waiting.sort_by_key(|job| self.jobs[*job].position);
        if waiting.is_empty() {
            return Vec::new();
        }
        let (needed, mut over) = (self.needed(), Vec::new());
        for job in waiting {
            let Job { spec, waits_for, .. } = &self.jobs[job];
            match needs::decide(waits_for, spec.when.into(), &needed) {
                None => {}
                Some(Decision::Run) if spec.deferred => self.jobs[job].is_due = true,
                Some(decision) => {
                    let (event, reason) = decision.event();
                    self.record(job, event, reason);
                    over.extend(self.jobs[job].status.is_final().then_some(job));
                }
            }
        }
        over
    }

    fn needed(&self) -> HashMap<String, Vec<NeededJob>> {
        let mut needed: HashMap<String, Vec<NeededJob>> = HashMap::new();
        let mut order: Vec<&Job> = self.jobs.iter().collect();
        order.sort_by_key(|job| job.position);
        for Job {
            spec, status, reason, ..
        } in order
        {
            needed.entry(spec.name.clone()).or_default().push(NeededJob {
                title: spec.title(),
                matrix: spec.matrix.clone(),
                is_deferred: spec.deferred,
                state: NeedState::of(*status, reason.as_ref().map(|reason| reason.code), spec.allow_failure),
            });
        }
        needed
    }
}

impl Job {
    fn new(spec: JobSpec, waits_for: Vec<Need>, is_blocked: bool, position: usize) -> Job {
        Job {
            attempts: Attempts {
                all: 0,
                failures: 0,
                retries: i64::from(retry::of_infrastructure(&spec)),
            },
            spec,
            status: JobStatus::Waiting,
            reason: None,
            outputs: JobOutputs::new(),
            cancelling: None,
            is_blocked,
            is_due: false,
            waits_for,
            position,
        }
    }
}

#[cfg(test)]
mod tests;
