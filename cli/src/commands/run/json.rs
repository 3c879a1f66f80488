//! A local run as JSON, one object a line on stdout: `line`, `event`, `tests`, `retained`, `retried` and `finished` as they come, `result` last.

use std::io::Write;

use agent::local::{LocalEvent, LocalOutcome};
use anyhow::Context;
use job_specs::model::JobSpec;
use protocol::record::{self, Source};
use serde_json::{Value, json};

/// Prints one event.
pub fn print(out: &mut impl Write, jobs: &[JobSpec], event: &LocalEvent) -> anyhow::Result<()> {
    let line = match event {
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
            return Ok(());
        }
        LocalEvent::Attempt { job, event } => {
            json!({"v": 1, "type": "event", "job": jobs[*job].title(), "event": event})
        }
        LocalEvent::Tests { job, report } => {
            json!({"v": 1, "type": "tests", "job": jobs[*job].title(), "report": report})
        }
        LocalEvent::Retained { job, until } => {
            json!({"v": 1, "type": "retained", "job": jobs[*job].title(), "until": until})
        }
        LocalEvent::Retried { job, attempts } => {
            json!({"v": 1, "type": "retried", "job": jobs[*job].title(), "attempts": attempts})
        }
        LocalEvent::Finished { job, outcome } => end("finished", &jobs[*job], outcome),
        LocalEvent::Expanded { .. } => return Ok(()),
    };
    Ok(writeln!(out, "{line}")?)
}

/// Prints how a job ended, when all have.
pub fn result(job: &JobSpec, outcome: &LocalOutcome) {
    anstream::println!("{}", end("result", job, outcome));
}

fn end(kind: &str, job: &JobSpec, outcome: &LocalOutcome) -> Value {
    let LocalOutcome { status, reason } = outcome;
    json!({"v": 1, "type": kind, "job": job.title(), "status": status, "reason": reason})
}
