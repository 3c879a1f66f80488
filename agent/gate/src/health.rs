//! The health command of a service: run as a plain child again and again, quickly until it succeeds for the first time.
//! What it prints is not part of the service's log; only a changed verdict and the last output are told.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use gate::wire::{Health, HealthCheck, HealthState};

use crate::launch::Launcher;
use crate::sys::{self, Dead};

/// How much of the output is kept, from its end.
const KEEP: usize = 4096;
/// How often failures before the first success are told.
const TELL_STARTING: Duration = Duration::from_secs(1);

/// The schedule and verdict of one health command.
pub struct HealthRunner {
    check: HealthCheck,
    state: HealthState,
    ever_healthy: bool,
    started: Instant,
    /// Counted failures in a row.
    failures: u32,
    last_counted: Instant,
    last_told: Option<Instant>,
    next: Instant,
    current: Option<Try>,
}

/// One run of the command.
struct Try {
    pid: i32,
    pipe: Option<File>,
    output: Vec<u8>,
    deadline: Instant,
    timed_out: bool,
}

impl HealthRunner {
    /// For a service that was just started; the first try is due at once.
    pub fn new(check: HealthCheck, now: Instant) -> HealthRunner {
        HealthRunner {
            check,
            state: HealthState::Starting,
            ever_healthy: false,
            started: now,
            failures: 0,
            last_counted: now,
            last_told: None,
            next: now,
            current: None,
        }
    }

    /// The pipe to wait for.
    pub fn pipe(&self) -> Option<&File> {
        self.current.as_ref().and_then(|current| current.pipe.as_ref())
    }

    /// When [`HealthRunner::tick`] has something to do.
    pub fn due(&self) -> Option<Instant> {
        match &self.current {
            Some(current) if current.timed_out => None,
            Some(current) => Some(current.deadline),
            None => Some(self.next),
        }
    }

    /// Starts a try that is due, ends one that takes too long; what to tell, if anything.
    pub fn tick(&mut self, launcher: &Launcher, now: Instant) -> Option<Health> {
        if self.due().is_none_or(|due| now < due) {
            return None;
        }
        if let Some(current) = &mut self.current {
            current.timed_out = true;
            sys::signal_group(current.pid, libc::SIGKILL);
            return None;
        }
        match self.start(launcher, now) {
            Ok(current) => {
                self.current = Some(current);
                None
            }
            Err((code, why)) => self.verdict(Some(code), why, now),
        }
    }

    /// Reads what the command prints.
    pub fn read(&mut self) {
        if let Some(current) = &mut self.current {
            current.read(KEEP);
        }
    }

    /// The service is over: ends a try that still runs.
    pub fn stop(&mut self) {
        if let Some(current) = self.current.take() {
            sys::signal_group(current.pid, libc::SIGKILL);
        }
    }

    /// Takes the end of its command; what to tell, if anything. `Err`: it is somebody else's.
    pub fn take_dead(&mut self, dead: &Dead, now: Instant) -> Result<Option<Health>, ()> {
        let mut current = self.current.take_if(|current| current.pid == dead.pid).ok_or(())?;
        let left = current
            .pipe
            .as_ref()
            .map_or(0, |pipe| sys::readable_bytes(pipe.as_fd()));
        current.read(left);
        // Background processes of the command must not pile up.
        sys::signal_group(current.pid, libc::SIGKILL);
        let output = String::from_utf8_lossy(&current.output).trim_end().to_owned();
        if current.timed_out {
            let output = format!("{output}\n(killed: it took longer than {} ms)", self.check.timeout_ms);
            return Ok(self.verdict(None, output.trim_start().to_owned(), now));
        }
        let output = match dead.how {
            Err(signal) => format!("{output}\n(ended by signal {signal})").trim_start().to_owned(),
            Ok(_) => output,
        };
        Ok(self.verdict(dead.how.ok(), output, now))
    }

    fn start(&self, launcher: &Launcher, now: Instant) -> Result<Try, (i32, String)> {
        let broke = |error: io::Error| (gate::exit::GATE_BROKE, format!("make a pipe: {error}"));
        let (reader, writer) = io::pipe().map_err(broke)?;
        sys::set_nonblocking(reader.as_fd()).map_err(broke)?;
        let pid = launcher
            .start(&self.check.argv, writer.as_fd(), writer.as_fd())
            .map_err(|error| (error.code, error.sentence))?;
        Ok(Try {
            pid,
            pipe: Some(OwnedFd::from(reader).into()),
            output: Vec::new(),
            deadline: now + Duration::from_millis(self.check.timeout_ms.max(1).into()),
            timed_out: false,
        })
    }

    /// Counts a try and plans the next; what to tell, if anything.
    fn verdict(&mut self, exit_code: Option<i32>, output: String, now: Instant) -> Option<Health> {
        let before = self.state;
        if exit_code == Some(0) {
            self.failures = 0;
            self.ever_healthy = true;
            self.state = HealthState::Healthy;
        } else if self.counts(now) {
            self.failures += 1;
            self.last_counted = now;
            if self.failures >= self.check.retries.max(1) {
                self.state = HealthState::Unhealthy;
            }
        }
        let pause = if self.ever_healthy {
            self.check.interval_ms
        } else {
            self.check.starting_interval_ms
        };
        self.next = now + Duration::from_millis(pause.max(1).into());
        let quiet = self.last_told.is_some_and(|told| now - told < TELL_STARTING);
        if self.state == before && (self.state != HealthState::Starting || quiet) {
            return None;
        }
        self.last_told = Some(now);
        Some(Health {
            state: self.state,
            exit_code,
            output,
        })
    }

    /// Before the first success tries are far more frequent than the user asked for; at most one failure in an interval
    /// counts, and none in the start period.
    fn counts(&self, now: Instant) -> bool {
        let since = |start: Instant, ms: u32| now.saturating_duration_since(start) >= Duration::from_millis(ms.into());
        self.ever_healthy
            || since(self.started, self.check.start_period_ms) && since(self.last_counted, self.check.interval_ms)
    }
}

impl Try {
    /// Reads at most about `most` bytes that are there, keeping the last [`KEEP`].
    fn read(&mut self, most: usize) {
        let mut buffer = [0; KEEP];
        let mut read = 0;
        while read < most {
            let Some(pipe) = &mut self.pipe else { return };
            match pipe.read(&mut buffer) {
                Ok(0) => self.pipe = None,
                Ok(count) => {
                    read += count;
                    self.output.extend_from_slice(&buffer[..count]);
                    let excess = self.output.len().saturating_sub(KEEP);
                    self.output.drain(..excess);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }
}
