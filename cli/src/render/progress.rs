//! A build's progress on stderr: redrawn lines on a terminal, one line an event elsewhere, JSON for programs. The last
//! line is always the result.

use std::collections::HashMap;

use job_specs::status::JobStatus;
use job_specs::units::micros;

use super::{job_line, redraws, short, status};
use crate::args::Progress;
use protocol::api::{BuildDetail, Job};

/// What has been shown of a build so far.
pub struct BuildProgress {
    how: Progress,
    redraws: bool,
    drawn: usize,
    seen: HashMap<String, JobStatus>,
    noted: bool,
    begun: bool,
}

impl BuildProgress {
    /// Nothing has been shown yet.
    pub fn new(how: Progress) -> BuildProgress {
        BuildProgress {
            how,
            redraws: redraws(how),
            drawn: 0,
            seen: HashMap::new(),
            noted: false,
            begun: false,
        }
    }

    /// Shows what is new in `view`.
    pub fn show(&mut self, view: &BuildDetail) -> anyhow::Result<()> {
        self.noted = false;
        match self.how {
            Progress::Quiet => {}
            _ if self.redraws => self.redraw(view),
            _ => self.changes(view)?,
        }
        Ok(())
    }

    /// Says something once, until the next look goes well.
    pub fn note(&mut self, words: &str) {
        if !self.noted && !matches!(self.how, Progress::Quiet | Progress::Json) {
            anstream::eprintln!("{words}");
            self.drawn = 0;
        }
        self.noted = true;
    }

    /// The result, with what failed repeated.
    pub fn finish(&self, view: &BuildDetail) {
        if matches!(self.how, Progress::Json) {
            return;
        }
        for diagnostic in &view.diagnostics {
            let place = diagnostic
                .span
                .map_or(String::new(), |span| format!(":{}:{}", span.line, span.column));
            anstream::eprintln!(
                "{}{place}: [{}] {}",
                diagnostic.file,
                diagnostic.code,
                diagnostic.message
            );
        }
        let failed: Vec<&Job> = view.jobs.iter().filter(|job| job.reason.is_some()).collect();
        for job in &failed {
            let sentence = job.reason.as_deref().unwrap_or("");
            anstream::eprintln!("{}: {sentence}", job.title);
            if let Some(stack) = &job.stack {
                let (number, until) = (view.build.number, super::date(stack.expires_at));
                anstream::eprintln!(
                    "  its containers stay until {until}; enter with `drover shell {number} --job '{}'`",
                    job.title
                );
            }
        }
        for sentence in &view.in_common {
            anstream::eprintln!("{sentence}");
        }
        let count = |is: fn(JobStatus) -> bool| view.jobs.iter().filter(|job| is(job.status)).count();
        let took = view.build.finished_at.map_or(String::new(), |end| {
            format!("  {}", micros(end - view.build.created_at))
        });
        if let Some(message) = &view.build.message {
            anstream::eprintln!("{message}");
        }
        let number = view.build.number;
        anstream::eprintln!(
            "RESULT {}  {} passed, {} failed of {} jobs{took}  {}",
            view.build.status,
            count(|status| status == JobStatus::Passed),
            count(JobStatus::is_failure),
            view.jobs.len(),
            view.build.url,
        );
        if !failed.is_empty() {
            anstream::eprintln!("logs: drover logs {number}   again: drover rerun {number} --failed");
        }
    }

    fn redraw(&mut self, view: &BuildDetail) {
        let mut text = String::new();
        if self.drawn > 0 {
            text.push_str(&format!("\x1b[{}A\x1b[J", self.drawn));
        }
        let build = &view.build;
        let place = build.branch.as_deref().unwrap_or("-");
        let title = &build.title;
        text.push_str(&format!(
            "{}  #{}  {title}  {place}@{}\n",
            status(build.status),
            build.number,
            short(&build.commit)
        ));
        for job in &view.jobs {
            text.push_str(&format!("  {}\n", job_line(job)));
        }
        self.drawn = view.jobs.len() + 1;
        anstream::eprint!("{text}");
    }

    fn changes(&mut self, view: &BuildDetail) -> anyhow::Result<()> {
        if !self.begun && self.how != Progress::Json {
            let build = &view.build;
            let place = build.branch.as_deref().unwrap_or("-");
            let title = &build.title;
            anstream::eprintln!(
                "#{} {} {place}@{} {title}",
                build.number,
                build.repository,
                short(&build.commit)
            );
        }
        self.begun = true;
        for job in &view.jobs {
            if self.seen.insert(job.id.clone(), job.status) == Some(job.status) {
                continue;
            }
            if self.how == Progress::Json {
                let line = serde_json::json!({
                    "v": 1, "type": "job", "build": view.build.number, "job": job.title, "status": job.status,
                    "reason": job.reason,
                });
                anstream::eprintln!("{}", serde_json::to_string(&line)?);
            } else {
                let when = super::clock(jiff::Timestamp::now().as_microsecond());
                anstream::eprintln!("{when}  {}", job_line(job));
            }
        }
        Ok(())
    }
}
