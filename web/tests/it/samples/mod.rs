//! Rich sample views: what the tests check and what `cargo run -p web --example gallery` draws.

mod artifacts;
mod builds;
mod jobs;
mod places;
mod reports;

pub use artifacts::*;
pub use builds::*;
pub use jobs::*;
pub use places::*;
pub use reports::*;

use job_specs::model::AxisValue;
use job_specs::status::JobStatus;
use web::views::*;

/// 2026-11-20, 12:05:00 UTC.
pub const NOW: Micros = 1_795_176_300_000_000;
/// Microseconds in a second.
pub const S: i64 = 1_000_000;

pub fn frame() -> Frame {
    Frame {
        user: Some("admin".into()),
        csrf: "c5rf".into(),
        now: NOW,
        notice: None,
        url: "http://127.0.0.1:4000".into(),
        version: "0.1.0".into(),
    }
}

pub fn cell(parts: &[(&str, &str)]) -> Vec<AxisValue> {
    let part = |(axis, value): &(&str, &str)| AxisValue {
        axis: (*axis).into(),
        value: (*value).into(),
    };
    parts.iter().map(part).collect()
}

pub fn build(number: i64, status: JobStatus, title: &str) -> BuildSummary {
    let age = (43 - number) * 700 * S;
    BuildSummary {
        number,
        repository: "warehouse".into(),
        status,
        event: "push".into(),
        branch: Some("main".into()),
        tag: None,
        commit: format!(
            "{:08x}77d1c0ffee{:022x}",
            0x3f2a_9c1b_i64 * number % 0xffff_ffff,
            number
        ),
        title: title.into(),
        author: "Ada Lovelace".into(),
        created_at: NOW - age - 134 * S,
        started_at: (status != JobStatus::Queued).then_some(NOW - age - 133 * S),
        finished_at: status.is_final().then_some(NOW - age),
        jobs: vec![status; 3],
    }
}

pub fn job(id: &str, name: &str, parts: &[(&str, &str)], status: JobStatus) -> JobRow {
    let offset = i64::try_from(id.len() + name.len() + parts.len()).unwrap_or(0) * S;
    let started = !matches!(status, JobStatus::Waiting | JobStatus::Queued | JobStatus::Skipped);
    let number: i64 = id.bytes().map(i64::from).sum();
    JobRow {
        id: id.into(),
        name: name.into(),
        cell: cell(parts),
        status,
        reason: match status {
            JobStatus::Failed => Some("Step `integration` exited with 101.".into()),
            JobStatus::Errored => Some("The agent was lost and no attempt is left.".into()),
            JobStatus::Queued => Some("All 2 matching agents are busy; agent-2 is free next.".into()),
            JobStatus::Waiting => Some("It waits for job test.".into()),
            JobStatus::Skipped => Some("Job test did not pass.".into()),
            _ => None,
        },
        needs: Vec::new(),
        allow_failure: false,
        attempts: 1,
        agent: started.then(|| "agent-2".into()),
        queued_at: (status != JobStatus::Waiting).then_some(NOW - 834 * S),
        started_at: started.then_some(NOW - 832 * S + offset / 2),
        finished_at: (status.is_final() && started).then_some(NOW - 780 * S + offset + number % 60 * S),
    }
}

pub fn line(n: u64, s: LogSource, text: &str) -> LogLine {
    LogLine {
        n,
        t: NOW - 60 * S + i64::try_from(n).unwrap_or(0) * 137_000,
        s,
        text: text.into(),
    }
}

pub fn log(stream: &str, lines: Vec<LogLine>, errors: &[u64]) -> LogView {
    let last = lines.last().map_or(0, |line| line.n);
    let bytes = lines.iter().map(|line| line.text.len() as u64).sum();
    LogView {
        stream: stream.into(),
        lines: last,
        bytes,
        eof: true,
        errors: errors.to_vec(),
        shown: lines,
    }
}
