//! How a child ended: the text of the `status` file, `key=value` lines, so that a person can read it and a later
//! version can add to it.

use std::fmt::Write;

/// Exit code of a child whose command is not there.
pub const NOT_FOUND: i32 = 127;
/// Exit code of a child whose command is there but cannot be run.
pub const NOT_RUNNABLE: i32 = 126;
/// Exit code when the gate itself could not do its work; never the user's fault.
pub const GATE_BROKE: i32 = 125;

/// How the child of a gate ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExitStatus {
    /// Its exit code, when it exited. With `error` set: [`NOT_FOUND`], [`NOT_RUNNABLE`] or [`GATE_BROKE`].
    pub exit_code: Option<i32>,
    /// The signal, when one ended it.
    pub signal: Option<i32>,
    /// It did not end well, and a process of its container was ended for using more memory than it may.
    pub oom: bool,
    /// When it was started, microseconds since 1970.
    pub started_us: i64,
    /// When it ended, microseconds since 1970.
    pub ended_us: i64,
    /// Peak memory of the container, bytes; 0 when unknown.
    pub peak_memory_bytes: u64,
    /// Processor time of the child and all it waited for, microseconds.
    pub cpu_us: u64,
    /// Why the command could not be started, as a sentence without its full stop.
    pub error: Option<String>,
}

impl ExitStatus {
    /// It exited with 0.
    pub fn is_success(&self) -> bool {
        self.exit_code == Some(0)
    }

    /// The code a process reports for it: the exit code, or 128 + the signal.
    pub fn code(&self) -> i32 {
        match (self.exit_code, self.signal) {
            (Some(code), _) => code,
            (None, Some(signal)) => 128 + signal,
            (None, None) => GATE_BROKE,
        }
    }

    /// The text of the `status` file.
    pub fn to_text(&self) -> String {
        let mut text = String::with_capacity(192);
        let mut line = |key: &str, value: &dyn std::fmt::Display| {
            let _ = writeln!(text, "{key}={value}"); // a String takes everything
        };
        if let Some(code) = self.exit_code {
            line("exit_code", &code);
        }
        if let Some(signal) = self.signal {
            line("signal", &signal);
        }
        line("oom", &self.oom);
        line("started_us", &self.started_us);
        line("ended_us", &self.ended_us);
        line("peak_memory_bytes", &self.peak_memory_bytes);
        line("cpu_us", &self.cpu_us);
        if let Some(error) = &self.error {
            line("error", &error.replace(['\n', '\r'], " "));
        }
        text
    }

    /// Reads the text of a `status` file; keys that it does not know are ignored. `None`: not such a text.
    pub fn from_text(text: &str) -> Option<ExitStatus> {
        let mut status = ExitStatus::default();
        for line in text.lines() {
            let (key, value) = line.split_once('=')?;
            match key {
                "exit_code" => status.exit_code = Some(value.parse().ok()?),
                "signal" => status.signal = Some(value.parse().ok()?),
                "oom" => status.oom = value.parse().ok()?,
                "started_us" => status.started_us = value.parse().ok()?,
                "ended_us" => status.ended_us = value.parse().ok()?,
                "peak_memory_bytes" => status.peak_memory_bytes = value.parse().ok()?,
                "cpu_us" => status.cpu_us = value.parse().ok()?,
                "error" => status.error = Some(value.replace('\r', " ")),
                _ => {}
            }
        }
        (status.exit_code.is_some() || status.signal.is_some()).then_some(status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_survives_its_file() {
        let status = ExitStatus {
            exit_code: Some(127),
            started_us: -5,
            ended_us: 1_700_000_000_000_000,
            peak_memory_bytes: 4096,
            cpu_us: 7,
            error: Some("`a=b` was not found\nin the image".to_owned()),
            ..ExitStatus::default()
        };
        let back = ExitStatus::from_text(&status.to_text()).expect("its own text");
        assert_eq!(back.error.as_deref(), Some("`a=b` was not found in the image"));
        assert_eq!(ExitStatus { error: None, ..back }, ExitStatus { error: None, ..status });
    }

    #[test]
    fn half_a_status_is_none() {
        assert_eq!(ExitStatus::from_text(""), None);
        assert_eq!(ExitStatus::from_text("oom=false\n"), None);
        assert_eq!(ExitStatus::from_text("exit_code=zero\n"), None);
    }

    #[test]
    fn a_signal_is_a_code_over_128() {
        let killed = ExitStatus {
            signal: Some(9),
            ..ExitStatus::default()
        };
        assert_eq!((killed.code(), killed.is_success()), (137, false));
    }
}
