//! The health command of a service: run as a plain child again and again, as often as the service asks for, and quickly
//! once its agent has seen that a port of the service is open. What it prints is not part of the service's log; only a
//! changed verdict and the last output are told.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use gate::units::micros;
use gate::wire::{Health, HealthCheck, HealthState};

use crate::launch::Launcher;
use crate::sys::{self, ReapedProcess};

/// How much of the output is kept, from its end.
const KEEP: usize = 4096;
/// How often failures before the first success are told.
const TELL_STARTING: Duration = Duration::from_secs(1);
/// Between two quick tries, and at least between any two.
const QUICK: Duration = Duration::from_millis(50);
/// Between a quick success and the one that confirms it.
const CONFIRM: Duration = Duration::from_millis(20);
/// Quick tries get slower by and by: the pause is this part of the time since they began.
const SLOWER: u32 = 20;
/// Successes in a row that make a service healthy in quick tries: one could be the last of a server that is just being
/// replaced.
const CONFIRMED: u32 = 2;

/// The schedule and verdict of one health command.
pub struct HealthRunner {
    check: HealthCheck,
    state: HealthState,
    ever_healthy: bool,
    started: Instant,
    /// What the agent has called its last look; 0: it has not looked again.
    round: u64,
    /// Since when tries are quick; `None`: they are not.
    quick: Option<Instant>,
    /// Successes in a row in quick tries.
    successes: u32,
    /// Counted failures in a row.
    failures: u32,
    last_counted: Instant,
    last_reported: Option<Instant>,
    next: Instant,
    current: Option<Try>,
}

/// One run of the command.
struct Try {
    pid: i32,
    pipe: Option<File>,
    output: Vec<u8>,
    began: Instant,
    deadline: Instant,
    timed_out: bool,
    /// The round in which it began.
    round: u64,
}

impl HealthRunner {
    /// For a service that was just started.
    pub fn new(check: HealthCheck, now: Instant) -> HealthRunner {
        HealthRunner {
            state: HealthState::Starting,
            ever_healthy: false,
            started: now,
            round: 0,
            quick: None,
            successes: 0,
            failures: 0,
            last_counted: now,
            last_reported: None,
            next: now + Duration::from_millis(check.starting_interval_ms.into()),
            current: None,
            check,
        }
    }

    /// What it has said is forgotten: only tries that begin from now on count, and they are quick.
    pub fn look_again(&mut self, round: u64, now: Instant) {
        self.round = round;
        self.quick = Some(now);
        self.successes = 0;
        self.state = HealthState::Starting;
        self.next = now;
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

    /// Starts a try that is due, ends one that takes too long; what to report, if anything.
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
            Err((code, why)) => self.verdict(Some(code), why, now, now),
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

    /// Takes the end of its command; what to report, if anything. `Err`: it is somebody else's.
    pub fn take_exit(&mut self, reaped: &ReapedProcess, now: Instant) -> Result<Option<Health>, ()> {
        let mut current = self.current.take_if(|current| current.pid == reaped.pid).ok_or(())?;
        let left = current
            .pipe
            .as_ref()
            .map_or(0, |pipe| sys::readable_bytes(pipe.as_fd()));
        current.read(left);
        // Background processes of the command must not pile up.
        sys::signal_group(current.pid, libc::SIGKILL);
        if current.round != self.round {
            return Ok(None); // it began before the agent looked again
        }
        let output = String::from_utf8_lossy(&current.output).trim_end().to_owned();
        if current.timed_out {
            let output = format!(
                "{output}\n(killed: it took longer than {})",
                micros(u64::from(self.check.timeout_ms) * 1000)
            );
            return Ok(self.verdict(None, output.trim_start().to_owned(), current.began, now));
        }
        let output = match reaped.how {
            Err(signal) => format!("{output}\n(ended by signal {signal})").trim_start().to_owned(),
            Ok(_) => output,
        };
        Ok(self.verdict(reaped.how.ok(), output, current.began, now))
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
            began: now,
            round: self.round,
            deadline: now + Duration::from_millis(self.check.timeout_ms.max(1).into()),
            timed_out: false,
        })
    }

    /// Counts a try that began at `began`, and plans the next; what to report, if anything.
    fn verdict(&mut self, exit_code: Option<i32>, output: String, began: Instant, now: Instant) -> Option<Health> {
        let before = self.state;
        if exit_code == Some(0) {
            self.failures = 0;
            self.successes += 1;
            if self.quick.is_none() || self.successes >= CONFIRMED {
                self.ever_healthy = true;
                self.quick = None;
                self.state = HealthState::Healthy;
            }
        } else {
            self.successes = 0;
            if self.counts(began) {
                self.failures += 1;
                self.last_counted = now;
                if self.failures >= self.check.retries.max(1) {
                    self.state = HealthState::Unhealthy;
                }
            }
        }
        self.next = now + self.pause(now);
        let quiet = self.last_reported.is_some_and(|message| now - message < TELL_STARTING);
        if self.state == before && (self.state != HealthState::Starting || quiet) {
            return None;
        }
        self.last_reported = Some(now);
        Some(Health {
            state: self.state,
            exit_code,
            output,
            round: self.round,
        })
    }

    fn pause(&self, now: Instant) -> Duration {
        let millis = |ms: u32| Duration::from_millis(ms.max(1).into());
        match self.quick {
            Some(_) if self.successes > 0 => CONFIRM,
            Some(since) => ((now - since) / SLOWER).clamp(QUICK, millis(self.check.interval_ms).max(QUICK)),
            None if self.ever_healthy => millis(self.check.interval_ms),
            None => millis(self.check.starting_interval_ms),
        }
    }

    /// While it starts, tries may be more frequent than the user asked for: at most one failure in an interval counts,
    /// and none in the start period. Once it has been healthy, all count.
    fn counts(&self, began: Instant) -> bool {
        let since =
            |start: Instant, ms: u32| began.saturating_duration_since(start) >= Duration::from_millis(ms.into());
        let has_started = self.ever_healthy && self.quick.is_none();
        has_started
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
