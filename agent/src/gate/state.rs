//! What a client knows of its gate, by the events that it was told.

use ::gate::exit::ExitStatus;
use ::gate::wire::{Event, Health, State};

/// All that is known of a gate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GateState {
    /// Where it stands.
    pub phase: GatePhase,
    /// When the child was started, microseconds since 1970.
    pub started_us: Option<i64>,
    /// What its health command says, when it has one and it has said something.
    pub health: Option<Health>,
    /// It has said hello, or is over.
    pub(super) greeted: bool,
    /// Version of its messages; 0 before it has said hello.
    pub(super) version: u32,
    /// Its answers to what its child is at: how many, and the last one.
    pub(super) busy: (u64, Option<String>),
    /// It has said that its log has all that it will have.
    pub(super) log_ended: bool,
}

/// Where a gate stands, as its client sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum GatePhase {
    /// It waits for `go`.
    #[default]
    Idle,
    /// Its child runs.
    Running,
    /// Its child is over.
    Exited(ExitStatus),
    /// The gate is gone and left no status: its container was killed.
    Lost,
}

impl GateState {
    pub(super) fn end(&mut self, phase: GatePhase) {
        if let GatePhase::Exited(status) = &phase {
            self.started_us = Some(status.started_us);
        }
        (self.greeted, self.log_ended) = (true, true);
        self.phase = phase;
    }

    pub(super) fn apply(&mut self, event: Event) {
        match event {
            Event::Hello { version, state } => {
                self.greeted = true;
                self.version = version;
                if state != State::Idle {
                    self.phase = GatePhase::Running;
                }
            }
            Event::Started { at } => {
                self.started_us = Some(at);
                self.phase = GatePhase::Running;
            }
            Event::Health(health) => self.health = Some(health),
            Event::Exited(status) => self.end(GatePhase::Exited(status)),
            Event::Busy { command, .. } => {
                let (count, last) = &mut self.busy;
                *count += 1;
                *last = Some(command).filter(|command| !command.is_empty());
            }
            Event::LogEnded => self.log_ended = true,
            Event::ProbeDone { .. } => {}
        }
    }
}
