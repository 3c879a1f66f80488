//! A local run as JSON, one object a line on stdout: `line`, `event`, `tests`, `retained`, `retried` and `finished` as they come, `result` last.

use std::io::Write;

use agent::local::{LocalEvent, LocalOutcome};
use anyhow::Context;
use job_specs::model::JobSpec;
use protocol::record::{self, Source};
use serde_json::{Value, json};

/// Prints one event.
pub fn print(out: &mut impl Write, jobs: &[JobSpec], event: &LocalEvent) -> anyhow::Result<()> {
    match event {
        LocalEvent::Lines { job, stream, records } => {
            for record in record::records(records) {
                let record = record.context("read a log record")?;
                let source = match record.source {
                    Source::Stdout => "stdout",
                    Source::Stderr => "stderr",
                    Source::System => "drover",
                };
                let text = String::from_utf8_lossy(record.shown());
                let line = json!({
                    "v": 1, "type": "line", "job": jobs[*job].title(), "stream": stream, "source": source,
                    "at": record.at, "text": text, "continues": record.continues,
                });
                writeln!(out, "{line}")?;
            }
            Ok(())
        }
        LocalEvent::Attempt { job, event } => {
            let line = json!({"v": 1, "type": "event", "job": jobs[*job].title(), "event": event});
            Ok(writeln!(out, "{line}")?)
        }
        LocalEvent::Tests { job, report } => {
            let line = json!({"v": 1, "type": "tests", "job": jobs[*job].title(), "report": report});
            Ok(writeln!(out, "{line}")?)
        }
        LocalEvent::Retained { job, until } => {
            let line = json!({"v": 1, "type": "retained", "job": jobs[*job].title(), "until": until});
            Ok(writeln!(out, "{line}")?)
        }
        LocalEvent::Retried { job, attempts } => {
            let line = json!({"v": 1, "type": "retried", "job": jobs[*job].title(), "attempts": attempts});
            Ok(writeln!(out, "{line}")?)
        }
        LocalEvent::Finished { job, outcome } => Ok(writeln!(out, "{}", end("finished", &jobs[*job], outcome))?),
        LocalEvent::Expanded { .. } => Ok(()),
    }
}

/// Prints how a job ended, when all have.
pub fn result(job: &JobSpec, outcome: &LocalOutcome) {
    anstream::println!("{}", end("result", job, outcome));
}

fn end(kind: &str, job: &JobSpec, outcome: &LocalOutcome) -> Value {
    let LocalOutcome { status, reason } = outcome;
    json!({"v": 1, "type": kind, "job": job.title(), "status": status, "reason": reason})
}
