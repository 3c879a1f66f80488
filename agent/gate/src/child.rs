//! The child: what was started, how it is reached, and what is known when it is over.

use std::os::fd::AsFd;
use std::time::Instant;

use gate::exit::ExitStatus;
use gate::wire::Go;

use crate::cgroup;
use crate::health::HealthRunner;
use crate::launch::{LaunchError, Launcher};
use crate::log::now_us;
use crate::output::Output;
use crate::sys::{self, Dead};

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
    /// What it left in its pipes; `None` when it never ran.
    pub output: Option<Output>,
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
    pub fn end(mut self, dead: &Dead, started_us: i64) -> Ended {
        if let Some(health) = &mut self.health {
            health.stop();
        }
        self.output.child_is_over();
        if std::process::id() != 1 {
            // Where the kernel does not do it at our end.
            sys::signal_group(self.pid, libc::SIGKILL);
        }
        let status = ExitStatus {
            exit_code: dead.how.ok(),
            signal: dead.how.err(),
            oom: dead.how != Ok(0) && cgroup::oom_kills() > self.oom_kills_before,
            started_us,
            ended_us: now_us(),
            peak_memory_bytes: cgroup::peak_memory_bytes().unwrap_or(dead.max_rss_bytes),
            cpu_us: dead.cpu_us,
            error: None,
        };
        Ended {
            status,
            output: Some(self.output),
        }
    }
}
