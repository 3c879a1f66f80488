//! The life of a gate: wait for *go*, run the child, keep its output, tell its end. One loop around one poll; nothing in
//! it blocks but the poll, so that signals and agents are always heard.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use gate::exit::ExitStatus;
use gate::wire::{Event, Go, Health, Request, State};
use gate::{LOG, SCRIPT, SOCKET, STATUS, VERSION};

use crate::child::{Child, Ended};
use crate::clients::{ClientId, Clients, poll_fd};
use crate::launch::{Folders, LaunchError, Launcher, write_files, write_script};
use crate::log::{self, Log, now_us};
use crate::probe::Probes;
use crate::processes;
use crate::sys::{self, PollFd};
use crate::waiting::{Waiting, push};

/// How long to wait before the status is written again after the disk refused it.
const RETRY: Duration = Duration::from_millis(100);
/// The name under which the status is written before it gets its own.
const STATUS_DRAFT: &str = "status.new";

/// What kind of gate this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Runs a child: a step or a service.
    Child,
    /// Runs nothing: keeps a network namespace and probes.
    Anchor,
}

/// A gate.
pub struct Supervisor {
    mode: Mode,
    folders: Folders,
    signals: OwnedFd,
    clients: Clients,
    log: Option<Log>,
    probes: Probes,
    phase: Phase,
    started_us: Option<i64>,
    health: Option<Health>,
}

/// Where it stands.
enum Phase {
    Idle,
    Running(Box<Child>),
    /// The child is over; what it left goes to the log, then the status is written.
    Ending(Box<Ended>),
}

impl Supervisor {
    /// Sets everything up in the working directory, which is the gate's folder.
    pub fn new(mode: Mode, folders: Folders) -> io::Result<Supervisor> {
        let signals = sys::signals_as_descriptor()?;
        if std::process::id() != 1 {
            sys::become_subreaper()?;
        }
        let log = match mode {
            Mode::Child => Some(Log::open(LOG)?),
            Mode::Anchor => None,
        };
        Ok(Supervisor {
            mode,
            folders,
            signals,
            log,
            probes: Probes::new()?,
            clients: Clients::listen(SOCKET)?,
            phase: Phase::Idle,
            started_us: None,
            health: None,
        })
    }

    /// Runs until there is nothing left to do; the exit code of the gate.
    pub fn run(&mut self) -> io::Result<i32> {
        let mut fds = Vec::new();
        loop {
            let (waiting, timeout) = self.interest(&mut fds);
            sys::poll(&mut fds, timeout)?;
            let now = Instant::now();
            let fixed = &fds[..waiting.clients_from];
            if let Some(log) = &mut self.log
                && log.waits().is_some()
            {
                log.flush();
            }
            self.read_output(&waiting, fixed, now);
            if fixed[1].revents != 0 {
                self.tell_probes();
            }
            if fixed[0].revents != 0
                && let Some(code) = self.take_signals(now)
            {
                return Ok(code);
            }
            if let Some(code) = self.serve_clients(&fds[waiting.clients_from..], now) {
                return Ok(code);
            }
            self.tick_health(now);
            if let Some(code) = self.try_end(now) {
                return Ok(code);
            }
        }
    }

    /// What to wait for and how long.
    fn interest(&mut self, fds: &mut Vec<PollFd>) -> (Waiting, Option<Duration>) {
        fds.clear();
        fds.push(poll_fd(&self.signals, libc::POLLIN));
        fds.push(poll_fd(self.probes.wake(), libc::POLLIN));
        let mut waiting = Waiting::default();
        let mut timeout = self.log.as_ref().and_then(Log::waits);
        match &mut self.phase {
            Phase::Idle => {}
            Phase::Running(child) => {
                let now = Instant::now();
                if timeout.is_none() {
                    timeout = waiting.watch(&mut child.output, fds, now);
                }
                if let Some(health) = &child.health {
                    waiting.health = health.pipe().map(|pipe| push(fds, poll_fd(pipe, libc::POLLIN)));
                    let due = health.due().map(|due| due.saturating_duration_since(now));
                    timeout = [timeout, due].into_iter().flatten().min();
                }
            }
            Phase::Ending(ended) => match &mut ended.left {
                Some(left) if timeout.is_none() && left.rest.is_some() => {
                    let now = Instant::now();
                    let nap = waiting.watch(&mut left.output, fds, now);
                    timeout = [nap, left.rest.as_ref().map(|rest| rest.due(now))]
                        .into_iter()
                        .flatten()
                        .min();
                }
                _ => timeout = Some(RETRY),
            },
        }
        waiting.clients_from = fds.len();
        self.clients.interest(fds);
        (waiting, timeout)
    }

    fn read_output(&mut self, waiting: &Waiting, fds: &[PollFd], now: Instant) {
        let Some(log) = &mut self.log else { return };
        let ready = waiting
            .pipes
            .map(|place| place.is_some_and(|place| fds[place].revents != 0));
        let child = match &mut self.phase {
            Phase::Idle => return,
            Phase::Running(child) => child,
            Phase::Ending(ended) => return ended.read_ready(ready, log, now),
        };
        child.output.read_ready(ready, log, now);
        if waiting.health.is_some_and(|place| fds[place].revents != 0)
            && let Some(health) = &mut child.health
        {
            health.read();
        }
    }

    fn tell_probes(&mut self) {
        for (client, event) in self.probes.finished() {
            self.clients.send(client, &event);
        }
    }

    /// Reads the signals that came; an exit code when one of them ends the gate.
    fn take_signals(&mut self, now: Instant) -> Option<i32> {
        while let Some(signal) = sys::read_signal(self.signals.as_fd()) {
            match (signal, &self.phase) {
                (libc::SIGCHLD, _) => self.reap(now),
                (signal, _) if !sys::is_for_the_child(signal) => {}
                (_, Phase::Running(child)) => child.forward(signal),
                (libc::SIGTERM | libc::SIGINT | libc::SIGQUIT, Phase::Idle) => return Some(128 + signal),
                (libc::SIGTERM | libc::SIGINT | libc::SIGQUIT, Phase::Ending(_)) => self.wait_no_more(),
                (_, Phase::Idle | Phase::Ending(_)) => {}
            }
        }
        None
    }

    /// The child is over, and nothing that its processes still write counts.
    fn wait_no_more(&mut self) {
        if let Phase::Ending(ended) = &mut self.phase {
            ended.wait_no_more();
        }
    }

    /// Takes every process that is over: the child, its health command, orphans.
    fn reap(&mut self, now: Instant) {
        while let Some(reaped) = sys::reap() {
            self.phase = match std::mem::replace(&mut self.phase, Phase::Idle) {
                Phase::Running(child) if child.pid == reaped.pid => {
                    Phase::Ending(Box::new(child.end(&reaped, self.started_us.unwrap_or_default(), now)))
                }
                Phase::Running(mut child) => {
                    let message = child
                        .health
                        .as_mut()
                        .and_then(|health| health.take_exit(&reaped, now).ok())
                        .flatten();
                    self.tell_health(message);
                    Phase::Running(child)
                }
                other => other,
            };
        }
    }

    /// Does what agents ask for; an exit code when one of them ends the gate.
    fn serve_clients(&mut self, fds: &[PollFd], now: Instant) -> Option<i32> {
        let (requests, new) = self.clients.serve(fds);
        new.into_iter().for_each(|client| self.greet(client));
        for (client, request) in requests {
            match request {
                Request::Go(go) => self.go(go, now),
                Request::Signal(signal) => match &self.phase {
                    Phase::Running(child) => sys::signal_group(child.pid, signal),
                    Phase::Ending(_) => self.wait_no_more(),
                    Phase::Idle => {}
                },
                Request::Kill => match &self.phase {
                    Phase::Running(child) => child.kill(),
                    Phase::Idle => return Some(128 + libc::SIGKILL),
                    Phase::Ending(ended) if ended.is_waiting() => self.wait_no_more(),
                    Phase::Ending(ended) => return Some(ended.status.code()),
                },
                Request::Quit => match &self.phase {
                    Phase::Running(_) => {}
                    Phase::Idle => return Some(0),
                    Phase::Ending(ended) if ended.is_waiting() => {}
                    Phase::Ending(ended) => return Some(ended.status.code()),
                },
                Request::WhatRuns => {
                    if let Phase::Running(child) = &self.phase {
                        let (pid, command) = processes::innermost(child.pid).unwrap_or_default();
                        self.clients.send(client, &Event::Busy { pid, command });
                    }
                }
                Request::EndSession(session) => processes::end_session(&session),
                Request::LookAgain(round) => {
                    if let Phase::Running(child) = &mut self.phase
                        && let Some(health) = &mut child.health
                    {
                        health.look_again(round, now);
                    }
                }
                Request::EndLog => {
                    self.end_log(now);
                    self.clients.send(client, &Event::LogEnded);
                }
                Request::Probe(probe) => match self.mode {
                    Mode::Anchor => self.probes.start(client, probe),
                    // Its threads and the forks of a gate with a child would not go together.
                    Mode::Child => self.refuse(client, probe.id),
                },
            }
        }
        None
    }

    /// Ends the log with what the child has written so far.
    fn end_log(&mut self, now: Instant) {
        let Some(log) = &mut self.log else { return };
        if let Phase::Running(child) = &mut self.phase {
            child.output.read_so_far(log, now);
        }
        log.end();
    }

    fn refuse(&mut self, client: ClientId, id: u64) {
        let message = "only an anchor probes".to_owned();
        self.clients.send(client, &Event::ProbeDone { id, ok: false, message });
    }

    /// Sends a new client what holds.
    fn greet(&mut self, client: ClientId) {
        let state = match self.phase {
            Phase::Idle => State::Idle,
            Phase::Running(_) => State::Running,
            Phase::Ending(_) => State::Exited,
        };
        self.clients.send(
            client,
            &Event::Hello {
                version: VERSION,
                state,
            },
        );
        if let Some(at) = self.started_us {
            self.clients.send(client, &Event::Started { at });
        }
        if let Some(health) = &self.health {
            self.clients.send(client, &Event::Health(health.clone()));
        }
    }

    fn go(&mut self, go: Go, now: Instant) {
        if self.mode == Mode::Anchor || !matches!(self.phase, Phase::Idle) {
            return;
        }
        if let Some(log) = &mut self.log {
            log.limit(go.log_limit);
        }
        let started_us = now_us();
        self.started_us = Some(started_us);
        match self.start(go, now) {
            Ok(child) => {
                self.phase = Phase::Running(Box::new(child));
                self.clients.send_all(&Event::Started { at: started_us });
            }
            Err(error) => {
                let status = ExitStatus {
                    exit_code: Some(error.code),
                    started_us,
                    ended_us: now_us(),
                    error: Some(error.sentence),
                    ..ExitStatus::default()
                };
                self.phase = Phase::Ending(Box::new(Ended { status, left: None }));
            }
        }
    }

    fn start(&self, go: Go, now: Instant) -> Result<Child, LaunchError> {
        if let Some(script) = &go.script {
            write_script(SCRIPT, script)?;
        }
        write_files(&go.files)?;
        let launcher = Launcher::new(&go.env, go.cwd.clone(), &self.folders)
            .map_err(|error| LaunchError::broke(&format!("prepare the command: {error}")))?;
        Child::start(go, launcher, now)
    }

    fn tick_health(&mut self, now: Instant) {
        let Phase::Running(child) = &mut self.phase else { return };
        let Some(health) = &mut child.health else { return };
        let message = health.tick(&child.launcher, now);
        self.tell_health(message);
    }

    fn tell_health(&mut self, message: Option<Health>) {
        if let Some(health) = message {
            self.clients.send_all(&Event::Health(health.clone()));
            self.health = Some(health);
        }
    }

    /// Once the child is over: its last output, its status, the news; then the gate's exit code. `None`: not yet, the
    /// disk does not take it. A status that can never be written (the child made a folder in its place) is only told.
    fn try_end(&mut self, now: Instant) -> Option<i32> {
        let Phase::Ending(ended) = &mut self.phase else {
            return None;
        };
        if let (Some(left), Some(log)) = (&mut ended.left, &mut self.log) {
            if !left.is_over(log, now) || !left.output.drain(log) {
                return None;
            }
            left.end_processes();
            log.end();
        }
        ended.left = None;
        if self.log.as_ref().is_some_and(|log| log.waits().is_some()) {
            return None;
        }
        let status = ended.status.clone();
        let written = fs::write(STATUS_DRAFT, status.to_text()).and_then(|()| fs::rename(STATUS_DRAFT, STATUS));
        if written.is_err_and(|error| log::means_later(&error)) {
            return None;
        }
        let code = status.code();
        self.clients.send_all(&Event::Exited(status));
        Some(code)
    }
}
