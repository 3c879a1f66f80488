//! A local run as it happens: log lines on stdout, what Drover does on stderr, the results last.

use std::collections::BTreeMap;
use std::io::Write;

use agent::local::{LocalEnd, LocalEvent, LocalOutcome};
use anstyle::Style;
use anyhow::Context;
use job_specs::model::JobSpec;
use job_specs::status::JobStatus;
use protocol::attempt::{EventKind, ServiceState, StepStatus};
use protocol::ids::StreamId;
use protocol::record::{self, Source};
use protocol::reports::{TestCase, TestReport, TestStatus};
use tokio::sync::mpsc;

use super::json;
use crate::args::Progress;
use crate::render::{status, test_cases};

const DIM: Style = Style::new().dimmed();

/// Prints events until the run is over.
pub async fn show(
    mut jobs: Vec<JobSpec>,
    mut events: mpsc::UnboundedReceiver<LocalEvent>,
    progress: Progress,
) -> anyhow::Result<()> {
    let (mut batch, mut open) = (Vec::new(), None);
    while events.recv_many(&mut batch, 256).await > 0 {
        // Not through a filter of colours: what a step writes is its own, byte for byte.
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        for event in batch.drain(..) {
            if let LocalEvent::Expanded { job, spec } = event {
                know(&mut jobs, job, *spec);
                continue;
            }
            match progress {
                Progress::Json => json::print(&mut out, &jobs, &event)?,
                Progress::Quiet if matches!(event, LocalEvent::Lines { .. }) => {}
                _ => print(
                    &mut Screen {
                        out: &mut out,
                        open: &mut open,
                    },
                    &jobs,
                    event,
                    progress,
                )?,
            }
        }
        out.flush().context("print the log")?;
    }
    Ok(())
}

/// A deferred job has its final form, or a new cell is there.
fn know(jobs: &mut Vec<JobSpec>, job: usize, spec: JobSpec) {
    match jobs.get_mut(job) {
        Some(known) => *known = spec,
        None => jobs.push(spec),
    }
}

/// Where lines go.
struct Screen<'a, W> {
    out: &'a mut W,
    /// Whose line has no end yet.
    open: &'a mut Option<(usize, StreamId)>,
}

fn print(
    screen: &mut Screen<'_, impl Write>,
    jobs: &[JobSpec],
    event: LocalEvent,
    progress: Progress,
) -> anyhow::Result<()> {
    let out = &mut *screen.out;
    match event {
        LocalEvent::Lines { job, stream, records } => screen.lines(jobs, (job, stream), &records),
        LocalEvent::Attempt { job, event } => {
            out.flush()?;
            if let Some(words) = words(&jobs[job], &event.kind).filter(|_| progress != Progress::Quiet) {
                anstream::eprintln!("{DIM}{}{words}{DIM:#}", prefix(jobs, job));
            }
            Ok(())
        }
        LocalEvent::Tests { job, report } => {
            out.flush()?;
            tests(&jobs[job], &report, progress)
        }
        LocalEvent::Retained { job, until } => {
            out.flush()?;
            let at = jiff::Timestamp::from_microsecond(until).context("read a time")?;
            let at = at.to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M");
            let title = jobs[job].title();
            anstream::eprintln!("{title}: services and a container of its image stay until {at}; Ctrl-C lets them go");
            Ok(())
        }
        LocalEvent::Expanded { .. } => Ok(()),
        LocalEvent::Retried { job, attempts } => {
            out.flush()?;
            if progress != Progress::Quiet {
                let title = jobs[job].title();
                anstream::eprintln!("↻ {title}: attempt {attempts} did not pass; its `retry` wants another");
            }
            Ok(())
        }
        LocalEvent::Finished { job, outcome } => {
            out.flush()?;
            if jobs.len() > 1 && progress != Progress::Quiet {
                anstream::eprintln!("{}", result(&jobs[job], &outcome));
            }
            Ok(())
        }
    }
}

/// What the reports of a job said, once it has run.
fn tests(job: &JobSpec, report: &TestReport, progress: Progress) -> anyhow::Result<()> {
    if progress != Progress::Json {
        anstream::eprintln!("{}", test_cases::report(report));
        return Ok(());
    }
    let counts: BTreeMap<&str, usize> = TestStatus::ALL
        .map(|status| (status.name(), report.count(status)))
        .into();
    let failed: Vec<&TestCase> = report
        .cases
        .iter()
        .filter(|case| case.status == TestStatus::Failed)
        .collect();
    let line = serde_json::json!({
        "v": 1, "type": "tests", "job": job.title(), "counts": counts, "failed": failed, "problems": report.problems,
    });
    anstream::eprintln!("{line}");
    Ok(())
}

impl<W: Write> Screen<'_, W> {
    fn lines(&mut self, jobs: &[JobSpec], of: (usize, StreamId), records: &[u8]) -> anyhow::Result<()> {
        let place = match of.1.service_name() {
            Some(service) => format!("{}{service} | ", prefix(jobs, of.0)),
            None => prefix(jobs, of.0),
        };
        for record in record::records(records) {
            let record = record.context("read a log record")?;
            if record.source == Source::System {
                self.out.flush()?;
                anstream::eprintln!("{DIM}{place}{}{DIM:#}", String::from_utf8_lossy(record.bytes));
                continue;
            }
            let open = self.open.take();
            if open.as_ref().is_some_and(|open| *open != of) {
                self.out.write_all(b"\n")?;
            }
            if open.as_ref() != Some(&of) {
                self.out.write_all(place.as_bytes())?;
            }
            self.out.write_all(record.bytes)?;
            if record.continues {
                *self.open = Some(of.clone());
            } else {
                self.out.write_all(b"\n")?;
            }
        }
        Ok(())
    }
}

/// Which job a line is of, when there are several.
fn prefix(jobs: &[JobSpec], job: usize) -> String {
    if jobs.len() > 1 {
        format!("{} | ", jobs[job].title())
    } else {
        String::new()
    }
}

fn words(job: &JobSpec, kind: &EventKind) -> Option<String> {
    match kind {
        EventKind::StepStarted { step } => Some(format!("▸ {}", job.steps.get(*step)?.name)),
        EventKind::StepFinished { step, outcome } if outcome.status != StepStatus::Passed => {
            let name = &job.steps.get(*step)?.name;
            let why = outcome
                .reason
                .clone()
                .unwrap_or_else(|| format!("{:?}", outcome.status).to_lowercase());
            Some(format!("▸ {name}: {why}"))
        }
        EventKind::Service {
            service,
            state:
                ServiceState::Ready {
                    after_ms,
                    probe,
                    warning,
                },
        } => {
            let warning = warning
                .as_ref()
                .map(|warning| format!("\nwarning: {service}: {warning}"));
            let warning = warning.unwrap_or_default();
            Some(format!("♥ {service} ready in {after_ms}ms ({probe}){warning}"))
        }
        EventKind::Service {
            service,
            state: ServiceState::Unhealthy { output },
        } => Some(format!("{service} is unhealthy: {}", output.trim())),
        _ => None,
    }
}

fn result(job: &JobSpec, outcome: &LocalOutcome) -> String {
    let why = outcome
        .reason
        .as_ref()
        .map_or(String::new(), |reason| format!("  {}", reason.sentence));
    format!("{}  {}{why}", status(outcome.status), job.title())
}

/// The last lines: one a job, then the sum.
pub fn results(end: &LocalEnd, progress: Progress) -> anyhow::Result<()> {
    let (jobs, outcomes) = (&end.jobs, &end.outcomes);
    if progress == Progress::Json {
        jobs.iter()
            .zip(outcomes)
            .for_each(|(job, outcome)| json::result(job, outcome));
        return Ok(());
    }
    for (job, outcome) in jobs.iter().zip(outcomes) {
        anstream::eprintln!("{}", result(job, outcome));
    }
    if jobs.len() > 1 {
        let passed = outcomes
            .iter()
            .filter(|outcome| outcome.status == JobStatus::Passed)
            .count();
        anstream::eprintln!("RESULT {passed} of {} passed", jobs.len());
    }
    Ok(())
}

/// The line above a round of `--watch`: when, and what changed.
pub fn header(changed: Option<&[String]>, progress: Progress) {
    if matches!(progress, Progress::Json | Progress::Quiet) {
        return;
    }
    let now = jiff::Zoned::now().strftime("%H:%M:%S").to_string();
    let what = match changed {
        None => String::new(),
        Some([one]) => format!(" · {one}"),
        Some([first, others @ ..]) => format!(" · {first} and {} more", others.len()),
        Some([]) => " · no file".to_owned(),
    };
    let bold = Style::new().bold();
    anstream::eprintln!("\n{bold}── {now}{what} ──{bold:#}");
}

/// What `--watch` says between two rounds.
pub fn waiting(progress: Progress) {
    if !matches!(progress, Progress::Json | Progress::Quiet) {
        anstream::eprintln!("{DIM}waiting for changes; Ctrl-C ends{DIM:#}");
    }
}
