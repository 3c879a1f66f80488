//! What a terminal sees: tables, times, the shapes and colours of a status. Everything here takes data and gives text;
//! the commands decide where it goes.

pub mod builds;
pub mod deliveries;
pub mod progress;
pub mod repositories;
pub mod table;
pub mod test_cases;

use std::io::IsTerminal;

use anstyle::{AnsiColor, Style};
use job_specs::status::JobStatus;
use job_specs::units::micros;

use crate::args::Progress;
use protocol::api::Job;

/// The columns that stderr has: the terminal's, else 100.
pub fn terminal_width() -> usize {
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let asked = rustix::termios::tcgetwinsize(std::io::stderr())
        .ok()
        .map(|size| usize::from(size.ws_col));
    asked.filter(|width| *width >= 40).or(columns).unwrap_or(100)
}

/// Whether progress may redraw lines.
pub fn redraws(progress: Progress) -> bool {
    match progress {
        Progress::Auto => std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb"),
        Progress::Tty => true,
        Progress::Plain | Progress::Quiet | Progress::Json => false,
    }
}

/// The shape and colour of a status: never by colour alone.
pub fn mark(status: JobStatus) -> (&'static str, Style) {
    let colour = |colour: AnsiColor| Style::new().fg_color(Some(colour.into()));
    match status {
        JobStatus::Waiting | JobStatus::Queued => ("○", Style::new().dimmed()),
        JobStatus::Assigned | JobStatus::Running => ("◐", colour(AnsiColor::Blue)),
        JobStatus::Passed => ("✓", colour(AnsiColor::Green)),
        JobStatus::Failed | JobStatus::TimedOut => ("✕", colour(AnsiColor::Red)),
        JobStatus::Errored => ("!", colour(AnsiColor::Red)),
        JobStatus::Cancelled => ("■", Style::new().dimmed()),
        JobStatus::Skipped => ("⊘", Style::new().dimmed()),
    }
}

/// `✓ passed`, in its colour.
pub fn status(status: JobStatus) -> String {
    let (shape, style) = mark(status);
    format!("{style}{shape} {}{style:#}", status.name().replace('_', " "))
}

/// `12:03:01.123` in local time.
pub fn clock(micros: i64) -> String {
    local(micros, "%H:%M:%S%.3f")
}

/// `2026-11-20 12:03` in local time.
pub fn date(micros: i64) -> String {
    local(micros, "%Y-%m-%d %H:%M")
}

fn local(micros: i64, format: &str) -> String {
    match jiff::Timestamp::from_microsecond(micros) {
        Ok(time) => time.to_zoned(jiff::tz::TimeZone::system()).strftime(format).to_string(),
        Err(_) => "?".to_owned(),
    }
}

/// `3s ago`, `5m ago`, `2d ago`.
pub fn ago(micros: i64) -> String {
    let secs = (jiff::Timestamp::now().as_microsecond() - micros).max(0) / 1_000_000;
    match secs {
        0..2 => "now".to_owned(),
        2..90 => format!("{secs}s ago"),
        90..5_400 => format!("{}m ago", secs / 60),
        5_400..172_800 => format!("{}h ago", secs / 3_600),
        _ => format!("{}d ago", secs / 86_400),
    }
}

/// `✓ passed  test (postgres=15)  12s`
pub fn job_line(job: &Job) -> String {
    let took = match (job.started_at, job.finished_at) {
        (Some(start), Some(end)) => format!("  {}", micros(end - start)),
        _ => String::new(),
    };
    let allowed = if job.allow_failure { "  (may fail)" } else { "" };
    format!("{}  {}{took}{allowed}", status(job.status), job.title)
}

/// The first ten digits of an object id.
pub fn short(commit: &str) -> &str {
    commit.get(..10).unwrap_or(commit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_a_shape_and_a_word() {
        let words = JobStatus::ALL.map(|s| anstream::adapter::strip_str(&status(s)).to_string());
        insta::assert_snapshot!(words.join(", "), @"○ waiting, ○ queued, ◐ assigned, ◐ running, ✓ passed, ✕ failed, ! errored, ■ cancelled, ✕ timed out, ⊘ skipped");
    }
}
