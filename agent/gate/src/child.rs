//! The child: what was started, how it is reached, and what is known when it is over.

use std::os::fd::AsFd;
use std::time::Instant;

use gate::exit::ExitStatus;
use gate::units::duration;
use gate::wire::Go;

use crate::cgroup;
use crate::health::HealthRunner;
use crate::launch::{LaunchError, Launcher};
use crate::log::{Log, now_us};
use crate::output::Output;
use crate::rest::{Rest, Verdict};
use crate::sys::{self, ReapedProcess};

/// A running child.
pub struct Child {
    /// Its process id, and that of its group and session.
    pub pid: i32,
    /// Its pipes.
    pub output: Output,
    /// Starts its health command.
    pub launcher: Launcher,
    /// Its health command.
    pub health: Option<HealthRunner>,
    stop_signal: i32,
    oom_kills_before: u64,
}

/// A child that is over.
pub struct Ended {
    /// How.
    pub status: ExitStatus,
    /// What it left; `None` when it never ran, or when all of it is in the log.
    pub left: Option<Remains>,
}

/// What a child leaves.
pub struct Remains {
    /// Its pipes.
    pub output: Output,
    /// The wait for what its processes still write; `None` once that is over.
    pub rest: Option<Rest>,
    /// The child's group.
    group: i32,
}

impl Ended {
    /// Its processes may still write something that counts.
    pub fn is_waiting(&self) -> bool {
        self.left.as_ref().is_some_and(|left| left.rest.is_some())
    }

    /// Reads what they write.
    pub fn read_ready(&mut self, ready: [bool; 2], log: &mut Log, now: Instant) {
        if let Some(left) = &mut self.left
            && let Some(rest) = &mut left.rest
            && left.output.read_ready(ready, log, now) > 0
        {
            rest.written(now);
        }
    }

    /// Nothing that they still write counts.
    pub fn wait_no_more(&mut self) {
        if let Some(left) = &mut self.left
            && left.rest.take().is_some()
        {
            left.output.close();
        }
    }
}

impl Remains {
    /// Whether nothing more counts than what is in the pipes. When a filter is cut short, the log says so.
    pub fn is_over(&mut self, log: &mut Log, now: Instant) -> bool {
        let Some(rest) = &mut self.rest else { return true };
        let verdict = rest.look(&self.output.with_writers(), now);
        if verdict == Verdict::Wait || log.waits().is_some() {
            return false;
        }
        if let Verdict::Cut(waited) = verdict {
            log.say(&format!(
                "the command ended {} ago, and a process that it left is still not done with its output: from here \
                 on it is lost",
                duration(waited)
            ));
        }
        self.output.close();
        self.rest = None;
        true
    }

    /// Ends the processes, where the kernel does not do it at our end.
    pub fn end_processes(&self) {
        if std::process::id() != 1 {
            sys::signal_group(self.group, libc::SIGKILL);
        }
    }
}

impl Child {
    /// Starts it.
    pub fn start(go: Go, launcher: Launcher, now: Instant) -> Result<Child, LaunchError> {
        let pipes = Output::new(now).map_err(|error| LaunchError::broke(&format!("make the output's pipes: {error}")));
        let (output, [out, err]) = pipes?;
        let oom_kills_before = cgroup::oom_kills();
        let pid = launcher.start(&go.argv, out.as_fd(), err.as_fd())?;
        Ok(Child {
            pid,
            output,
            launcher,
            health: go.health.map(|check| HealthRunner::new(check, now)),
            stop_signal: if go.stop_signal == 0 {
                libc::SIGTERM
            } else {
                go.stop_signal
            },
            oom_kills_before,
        })
    }

    /// Hands on a signal that came to the gate. SIGTERM is an engine's stop.
    pub fn forward(&self, signal: i32) {
        let signal = if signal == libc::SIGTERM {
            self.stop_signal
        } else {
            signal
        };
        sys::signal_group(self.pid, signal);
    }

    /// Ends it and, in a container, everything else there.
    pub fn kill(&self) {
        if std::process::id() == 1 {
            sys::kill_everything();
        } else {
            sys::signal_group(self.pid, libc::SIGKILL);
        }
    }

    /// It is over.
    pub fn end(mut self, reaped: &ReapedProcess, started_us: i64, now: Instant) -> Ended {
        if let Some(health) = &mut self.health {
            health.stop();
        }
        let status = ExitStatus {
            exit_code: reaped.how.ok(),
            signal: reaped.how.err(),
            oom: reaped.how != Ok(0) && cgroup::oom_kills() > self.oom_kills_before,
            started_us,
            ended_us: now_us(),
            peak_memory_bytes: cgroup::peak_memory_bytes().unwrap_or(reaped.max_rss_bytes),
            cpu_us: reaped.cpu_us,
            error: None,
        };
        Ended {
            status,
            left: Some(Remains {
                rest: Some(Rest::new(now, self.output.active())),
                output: self.output,
                group: self.pid,
            }),
        }
    }
}
