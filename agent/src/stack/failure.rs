//! What went wrong with a service, in words for people and for programs.

use std::time::Duration;

use job_specs::units::{duration, size};

use super::ready_timeout::AllowedBy;
use crate::build::BuildError;
use crate::engine::EngineError;

/// A service failed and with it the stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackFailure {
    /// Which.
    pub service: String,
    /// How.
    pub kind: FailureKind,
    /// The last lines of its log, at most 50, masked.
    pub last_lines: Vec<String>,
}

/// How a service can fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FailureKind {
    /// Its process ended while it was needed.
    Exited {
        /// Exit code (128 + signal), if any.
        code: Option<i32>,
        /// For using more memory than it may.
        oom: bool,
        /// What it had been until then.
        stage: Stage,
        /// Its memory limit in bytes, when it has one.
        memory_bytes: Option<u64>,
        /// Why its command could not be run at all, when that is so.
        error: Option<String>,
        /// How often it had been started again before (`restart`).
        restarts: u32,
    },
    /// It did not become ready in time.
    NotReady {
        /// How long we waited, milliseconds.
        waited_ms: u64,
        /// What was looked at: `healthcheck`, `tcp 5432`, …
        probe: String,
        /// What the last probe said.
        last_probe: Option<String>,
        /// What ended the wait.
        over: WaitEnd,
    },
    /// A service that it depends on failed, and that one may fail.
    Dependency {
        /// That one.
        on: String,
    },
    /// The image does not exist, or the registry refuses it.
    ImageNotFound {
        /// In words.
        detail: String,
    },
    /// The container cannot be started as asked.
    CannotStart {
        /// In words.
        detail: String,
    },
    /// Its image cannot be built.
    BuildFailed {
        /// In words.
        detail: String,
    },
    /// A secret that one of its files is to hold does not exist.
    SecretMissing {
        /// Which.
        secret: String,
        /// The file in the container.
        target: String,
    },
    /// We broke: the engine, the gate, the registry's network.
    Engine {
        /// In words.
        detail: String,
    },
}

/// What ended the wait for a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitEnd {
    /// The time was over.
    Time(AllowedBy),
    /// Its health command had failed so often in a row, which is as often as it may.
    Retries(u32),
}

/// How far a service had come when its process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Not ready yet.
    Starting,
    /// Ready: others relied on it.
    Ready,
    /// It is a task (`run_once`), and had to exit with 0.
    Task,
}

impl From<EngineError> for FailureKind {
    fn from(error: EngineError) -> FailureKind {
        let detail = error.to_string();
        match error {
            EngineError::ImageNotFound { .. } | EngineError::ImageRefused { .. } => {
                FailureKind::ImageNotFound { detail }
            }
            EngineError::CannotStart { detail } | EngineError::NotAllowed { detail } => {
                FailureKind::CannotStart { detail }
            }
            EngineError::BuildFailed { detail } => FailureKind::BuildFailed { detail },
            _ => FailureKind::Engine { detail },
        }
    }
}

impl From<BuildError> for FailureKind {
    fn from(error: BuildError) -> FailureKind {
        match error {
            BuildError::Failed(detail) => FailureKind::BuildFailed { detail },
            BuildError::Engine(error) => error.into(),
        }
    }
}

impl StackFailure {
    /// One plain sentence, without its full stop.
    pub fn sentence(&self) -> String {
        let service = format!("service `{}`", self.service);
        match &self.kind {
            FailureKind::Exited { error: Some(error), .. } => format!("{service} cannot run its command: {error}"),
            FailureKind::Exited {
                oom: true,
                memory_bytes,
                ..
            } => format!("{service} {}", out_of_memory(*memory_bytes)),
            FailureKind::Exited {
                code, stage, restarts, ..
            } => format!("{service} {}{}", exited(*code, *stage), again(*restarts)),
            FailureKind::NotReady {
                waited_ms,
                probe,
                last_probe,
                over,
            } => {
                let said = last_probe
                    .as_deref()
                    .and_then(last_line)
                    .map(|line| format!(": {line}"));
                let said = said.unwrap_or_default();
                let waited = duration(Duration::from_millis(*waited_ms));
                match over {
                    WaitEnd::Time(AllowedBy::Ready) => {
                        format!("{service} was not ready within {waited} ({probe}){said}")
                    }
                    WaitEnd::Time(AllowedBy::Healthcheck) => {
                        format!("{service} was not ready within the {waited} that its healthcheck allows{said}")
                    }
                    WaitEnd::Retries(times) => format!(
                        "{service} was not ready after {waited}: its healthcheck failed {}, which is as often as it \
                         may{said}",
                        in_a_row(*times)
                    ),
                }
            }
            FailureKind::Dependency { on } => {
                format!("{service} cannot start: it depends on service `{on}`, which failed")
            }
            FailureKind::ImageNotFound { detail } => format!("{service}: {detail}"),
            FailureKind::CannotStart { detail } => format!("{service} cannot be started: {detail}"),
            FailureKind::BuildFailed { detail } => format!("the image of {service} cannot be built: {detail}"),
            FailureKind::SecretMissing { secret, target } => format!(
                "{service} cannot be started: the secret `{secret}` for its file `{target}` does not exist; set it with \
                 `drover secret set`"
            ),
            FailureKind::Engine { detail } => format!("{service} could not be run: {detail}"),
        }
    }
}

fn out_of_memory(limit: Option<u64>) -> String {
    match limit {
        Some(bytes) => format!(
            "ran out of memory and was ended: it may use {}; give it more with `mem_limit`",
            size(bytes)
        ),
        None => "ran out of memory and was ended".into(),
    }
}

fn exited(code: Option<i32>, stage: Stage) -> String {
    let how = match code {
        None => "disappeared".to_owned(),
        Some(code @ 129..=159) => format!("was ended by signal {}", code - 128),
        Some(code) => format!("exited with {code}"),
    };
    match stage {
        Stage::Starting if code == Some(0) => {
            format!("{how} before it was ready; if it is meant to end, give it `run_once: true`")
        }
        Stage::Starting => format!("{how} before it was ready"),
        Stage::Ready => format!("{how} while it was needed"),
        Stage::Task => format!("{how}; a `run_once` service must exit with 0"),
    }
}

fn again(restarts: u32) -> String {
    match restarts {
        0 => String::new(),
        1 => ", also after it was started again".into(),
        times => format!(", also after it was started again {times} times"),
    }
}

fn in_a_row(times: u32) -> String {
    match times {
        1 => "once".into(),
        times => format!("{times} times in a row"),
    }
}

fn last_line(text: &str) -> Option<&str> {
    text.lines().map(str::trim).rfind(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(code: Option<i32>, stage: Stage) -> FailureKind {
        FailureKind::Exited {
            code,
            oom: false,
            stage,
            memory_bytes: None,
            error: None,
            restarts: 0,
        }
    }

    #[test]
    fn every_failure_has_its_sentence() {
        let oom = FailureKind::Exited {
            code: Some(137),
            oom: true,
            stage: Stage::Ready,
            memory_bytes: Some(16 << 20),
            error: None,
            restarts: 0,
        };
        let no_command = FailureKind::Exited {
            code: Some(127),
            oom: false,
            stage: Stage::Starting,
            memory_bytes: None,
            error: Some("`postgers` was not found in the image".into()),
            restarts: 0,
        };
        let not_ready = |last_probe: Option<&str>, over| FailureKind::NotReady {
            waited_ms: 1500,
            probe: "healthcheck".into(),
            last_probe: last_probe.map(String::from),
            over,
        };
        let message: Vec<String> = [
            exit(Some(7), Stage::Starting),
            exit(Some(0), Stage::Starting),
            exit(Some(139), Stage::Ready),
            exit(None, Stage::Ready),
            exit(Some(1), Stage::Task),
            oom,
            no_command,
            not_ready(Some("checking\nno response\n\n"), WaitEnd::Time(AllowedBy::Ready)),
            not_ready(None, WaitEnd::Time(AllowedBy::Healthcheck)),
            not_ready(Some("no response"), WaitEnd::Retries(3)),
            not_ready(None, WaitEnd::Retries(1)),
            FailureKind::Dependency { on: "seed".into() },
            EngineError::ImageNotFound {
                image: "nope:1".into(),
                detail: "manifest unknown".into(),
            }
            .into(),
            EngineError::Gate("the gate is gone".into()).into(),
        ]
        .into_iter()
        .map(|kind| {
            let failure = StackFailure {
                service: "db".into(),
                kind,
                last_lines: Vec::new(),
            };
            format!(
                "{:?}: {}",
                crate::attempt::report::reasons::code_of(&failure),
                failure.sentence()
            )
        })
        .collect();
        insta::assert_snapshot!(message.join("\n"), @r#"
        ServiceExited: service `db` exited with 7 before it was ready
        ServiceExited: service `db` exited with 0 before it was ready; if it is meant to end, give it `run_once: true`
        ServiceExited: service `db` was ended by signal 11 while it was needed
        ServiceExited: service `db` disappeared while it was needed
        ServiceExited: service `db` exited with 1; a `run_once` service must exit with 0
        OutOfMemory: service `db` ran out of memory and was ended: it may use 16 MiB; give it more with `mem_limit`
        CommandNotFound: service `db` cannot run its command: `postgers` was not found in the image
        ServiceNotReady: service `db` was not ready within 1.5s (healthcheck): no response
        ServiceNotReady: service `db` was not ready within the 1.5s that its healthcheck allows
        ServiceNotReady: service `db` was not ready after 1.5s: its healthcheck failed 3 times in a row, which is as often as it may: no response
        ServiceNotReady: service `db` was not ready after 1.5s: its healthcheck failed once, which is as often as it may
        ServiceNotReady: service `db` cannot start: it depends on service `seed`, which failed
        ImageNotFound: service `db`: image `nope:1` does not exist: manifest unknown
        Infrastructure: service `db` could not be run: gate: the gate is gone
        "#);
    }
}
