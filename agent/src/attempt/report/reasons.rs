//! How a step ended, in the words that people read: exit statuses and troubles to outcome, verdict and sentence. Pure,
//! and in one place, so that every way to end has its own plain sentence.

use std::time::Duration;

use job_specs::model::{SecretUse, Shell, StepAction, StepSpec};
use job_specs::units::{duration, size};
use protocol::attempt::{AttemptResult, ReasonCode, StepOutcome, StepStatus, Verdict};

use crate::checkout::CheckoutError;
use crate::engine::EngineError;
use crate::gate::{ExitStatus, exit};
use crate::stack::{FailureKind, StackFailure};

/// How a step ended, for its own line and for the job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepEnd {
    /// For the step's line.
    pub outcome: StepOutcome,
    /// What it makes of the job; `None`: it went well, or it did not run.
    pub failure: Option<AttemptResult>,
}

/// The word for a service's failure. [`ReasonCode::Infrastructure`] is our fault, everything else the user's.
pub fn code_of(failure: &StackFailure) -> ReasonCode {
    match &failure.kind {
        FailureKind::Exited {
            code, error: Some(_), ..
        } if *code == Some(exit::NOT_FOUND) => ReasonCode::CommandNotFound,
        FailureKind::Exited { oom: true, .. } => ReasonCode::OutOfMemory,
        FailureKind::Exited { .. } | FailureKind::CannotStart { .. } => ReasonCode::ServiceExited,
        FailureKind::NotReady { .. } | FailureKind::Dependency { .. } => ReasonCode::ServiceNotReady,
        FailureKind::ImageNotFound { .. } | FailureKind::BuildFailed { .. } => ReasonCode::ImageNotFound,
        FailureKind::SecretMissing { .. } => ReasonCode::SecretMissing,
        FailureKind::Engine { .. } => ReasonCode::Infrastructure,
    }
}

/// Judges an exit status; `memory_limit` in bytes is what the step was allowed.
pub fn of_exit(step: &StepSpec, status: &ExitStatus, memory_limit: Option<u64>) -> StepEnd {
    let mut outcome = StepOutcome {
        exit_code: status.exit_code,
        signal: status.signal,
        oom: status.oom,
        duration_us: u64::try_from(status.ended_us - status.started_us).unwrap_or(0),
        peak_memory_bytes: status.peak_memory_bytes,
        cpu_us: status.cpu_us,
        ..without_run(StepStatus::Passed, None)
    };
    if status.is_success() {
        return StepEnd { outcome, failure: None };
    }
    let (code, sentence) = why_it_failed(step, status, memory_limit);
    let verdict = match code {
        ReasonCode::Infrastructure => Verdict::Errored,
        _ => Verdict::Failed,
    };
    outcome.status = StepStatus::Failed;
    outcome.reason = Some(sentence.clone());
    let failure = with_exit_code(AttemptResult::because(verdict, code, sentence), status.exit_code);
    StepEnd {
        outcome,
        failure: Some(failure),
    }
}

/// The result with the exit code of the step that decided.
fn with_exit_code(mut result: AttemptResult, exit_code: Option<i32>) -> AttemptResult {
    if let Some(reason) = &mut result.reason {
        reason.exit_code = exit_code;
    }
    result
}

fn why_it_failed(step: &StepSpec, status: &ExitStatus, memory_limit: Option<u64>) -> (ReasonCode, String) {
    let name = &step.name;
    match (&status.error, status.exit_code, status.signal) {
        _ if status.oom => (
            ReasonCode::OutOfMemory,
            out_of_memory(name, status.peak_memory_bytes, memory_limit),
        ),
        (Some(error), Some(exit::NOT_FOUND), _) => (ReasonCode::CommandNotFound, no_command(step, error)),
        (Some(error), Some(exit::GATE_BROKE), _) => (
            ReasonCode::Infrastructure,
            format!("step `{name}` could not be run: {error}"),
        ),
        (Some(error), ..) => (
            ReasonCode::StepFailed,
            format!("step `{name}` could not be started: {error}"),
        ),
        (None, Some(exit::NOT_FOUND), _) => (
            ReasonCode::CommandNotFound,
            format!(
                "step `{name}` exited with 127: a command that it calls is not in the image `{}` (the end of its log \
                 says which)",
                step.image
            ),
        ),
        (None, Some(exit::NOT_RUNNABLE), _) => (
            ReasonCode::StepFailed,
            format!("step `{name}` exited with 126: a command that it calls cannot be run (is it executable?)"),
        ),
        (None, Some(code), _) => (ReasonCode::StepFailed, format!("step `{name}` exited with {code}")),
        (None, None, signal) => {
            let signal = signal.unwrap_or(0);
            let named = signal_name(signal).map(|name| format!(" ({name})")).unwrap_or_default();
            (
                ReasonCode::StepFailed,
                format!("step `{name}` was ended by signal {signal}{named}"),
            )
        }
    }
}

fn out_of_memory(name: &str, peak: u64, limit: Option<u64>) -> String {
    let used = if peak > 0 {
        format!(" after using {}", size(peak))
    } else {
        String::new()
    };
    match limit {
        Some(limit) => format!(
            "step `{name}` ran out of memory: it was ended{used}; its limit is {} (`resources: {{memory: …}}`)",
            size(limit)
        ),
        None => format!("step `{name}` ran out of memory: it was ended{used}; the machine had no more"),
    }
}

/// The command, or the shell that should run the script, is not in the image.
fn no_command(step: &StepSpec, error: &str) -> String {
    let StepSpec { name, image, .. } = step;
    match &step.action {
        StepAction::Run { shell, .. } => {
            let (shell, instead) = match shell {
                Shell::Sh => ("sh", ""),
                Shell::Bash => ("bash", "`shell: sh`, "),
            };
            format!(
                "step `{name}` cannot run: the image `{image}` has no `{shell}`; use {instead}an image that has it, or \
                 `entrypoint: [program, argument]` instead of `run`"
            )
        }
        StepAction::Entrypoint(_) | StepAction::Image(_) => {
            format!("step `{name}` cannot run in the image `{image}`: {error}")
        }
    }
}

fn running_then(command: Option<&str>) -> String {
    command.map_or_else(String::new, |command| format!("; running then: `{command}`"))
}

/// The step ran into its own limit, at work on that command.
pub fn step_timeout(step: &StepSpec, limit: Duration, running: Option<&str>) -> (StepStatus, AttemptResult) {
    let sentence = format!(
        "step `{}` ran longer than its timeout of {} and was stopped{}",
        step.name,
        duration(limit),
        running_then(running)
    );
    (
        StepStatus::TimedOut,
        AttemptResult::because(Verdict::TimedOut, ReasonCode::Timeout, sentence),
    )
}

/// The job ran into its limit, at work on that command if a step ran; `when` is one of `activity`.
pub fn job_timeout(when: &str, limit: Duration, running: Option<&str>) -> AttemptResult {
    let sentence = format!(
        "the job ran longer than its timeout of {} and was stopped{when}{}",
        duration(limit),
        running_then(running)
    );
    AttemptResult::because(Verdict::TimedOut, ReasonCode::Timeout, sentence)
}

/// It takes more of the agent's disk than it may: `how` says what and how much.
pub fn disk_limit(when: &str, how: &str) -> AttemptResult {
    let sentence = format!("the job was stopped{when}: {how}");
    AttemptResult::because(Verdict::Failed, ReasonCode::DiskLimit, sentence)
}

/// Somebody stopped it.
pub fn cancelled(when: &str) -> AttemptResult {
    let mut result = AttemptResult::because(Verdict::Cancelled, ReasonCode::Cancelled, format!("cancelled{when}"));
    if let Some(reason) = result.reason.as_mut().filter(|_| !when.is_empty()) {
        reason.during = Some(when.trim_start().to_owned());
    }
    result
}

/// A step names secrets that do not exist.
pub fn secrets_missing(missing: &[(&str, &str)]) -> AttemptResult {
    let token = |(step, name): &(&str, &str)| Some((step.to_string(), SecretUse::audience(name)?.to_owned()));
    if let Some((step, audience)) = missing.iter().find_map(token) {
        let sentence = format!("step `{step}` asks for an ID token for {audience}, which only a coordinator signs");
        return AttemptResult::because(Verdict::Failed, ReasonCode::SecretMissing, sentence);
    }
    let each: Vec<String> = missing
        .iter()
        .map(|(step, secret)| format!("`{secret}` (step `{step}`)"))
        .collect();
    let (noun, verb, it) = match missing.len() {
        1 => ("secret", "does", "it"),
        _ => ("secrets", "do", "them"),
    };
    let sentence = format!(
        "the {noun} {} {verb} not exist; set {it} with `drover secret set`",
        each.join(", ")
    );
    AttemptResult::because(Verdict::Failed, ReasonCode::SecretMissing, sentence)
}

/// No code.
pub fn of_checkout(error: &CheckoutError) -> AttemptResult {
    let verdict = if error.is_users() {
        Verdict::Failed
    } else {
        Verdict::Errored
    };
    AttemptResult::because(verdict, ReasonCode::CheckoutFailed, format!("checkout: {error}"))
}

/// The engine cannot give a step its container.
pub fn of_engine(step: &StepSpec, error: &EngineError) -> AttemptResult {
    let name = &step.name;
    let (code, sentence) = match error {
        EngineError::ImageNotFound { .. } | EngineError::ImageRefused { .. } => {
            (ReasonCode::ImageNotFound, format!("step `{name}`: {error}"))
        }
        EngineError::NotAllowed { detail } => (ReasonCode::StepFailed, format!("step `{name}`: {detail}")),
        EngineError::CannotStart { detail } => (
            ReasonCode::StepFailed,
            format!("step `{name}` cannot be started: {detail}"),
        ),
        _ => (ReasonCode::Infrastructure, format!("step `{name}`: {error}")),
    };
    let verdict = if error.is_users() {
        Verdict::Failed
    } else {
        Verdict::Errored
    };
    AttemptResult::because(verdict, code, sentence)
}

/// A service failed.
pub fn of_service(failure: &StackFailure) -> AttemptResult {
    let code = code_of(failure);
    let verdict = match code {
        ReasonCode::Infrastructure => Verdict::Errored,
        _ => Verdict::Failed,
    };
    let mut result = AttemptResult::because(verdict, code, failure.sentence());
    if let Some(reason) = &mut result.reason {
        reason.service = Some(failure.service.clone());
    }
    result
}

/// Something of ours broke.
pub fn broken(what: impl std::fmt::Display) -> AttemptResult {
    AttemptResult::because(Verdict::Errored, ReasonCode::Infrastructure, what.to_string())
}

/// A step that never got so far as to run.
pub fn never_ran(failure: AttemptResult) -> StepEnd {
    let reason = failure.reason.as_ref().map(|reason| reason.sentence.clone());
    StepEnd {
        outcome: without_run(StepStatus::Failed, reason),
        failure: Some(failure),
    }
}

/// What a step's outcome, kept over a restart, makes of the job; `None`: nothing bad.
pub fn of_outcome(outcome: &StepOutcome) -> Option<AttemptResult> {
    let (verdict, code) = match outcome.status {
        StepStatus::Passed | StepStatus::Skipped => return None,
        StepStatus::TimedOut => (Verdict::TimedOut, ReasonCode::Timeout),
        StepStatus::Cancelled => (Verdict::Cancelled, ReasonCode::Cancelled),
        StepStatus::Failed if outcome.oom => (Verdict::Failed, ReasonCode::OutOfMemory),
        StepStatus::Failed if outcome.exit_code == Some(exit::NOT_FOUND) => {
            (Verdict::Failed, ReasonCode::CommandNotFound)
        }
        StepStatus::Failed => (Verdict::Failed, ReasonCode::StepFailed),
    };
    let sentence = outcome.reason.clone().unwrap_or_default();
    let exit_code = outcome.exit_code.filter(|_| outcome.status == StepStatus::Failed);
    Some(with_exit_code(
        AttemptResult::because(verdict, code, sentence),
        exit_code,
    ))
}

/// The outcome of a step without figures.
pub fn without_run(status: StepStatus, reason: Option<String>) -> StepOutcome {
    StepOutcome {
        status,
        exit_code: None,
        signal: None,
        oom: false,
        reason,
        duration_us: 0,
        peak_memory_bytes: 0,
        cpu_us: 0,
        tries: 1,
    }
}

fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
