//! Who waits for whom: people for the agent of their shell, agents for what they are to open or let go, and which jobs
//! are held. In memory alone: a shell lives as long as its connections, and agents tell what they hold with every poll.
//! An agent brings a shell to the coordinator that it polls, so people must ask that one.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::ws::WebSocket;
use protocol::ids::{AgentId, AttemptId};
use protocol::shell::{HeldJob, ShellCall};
use tokio::sync::{oneshot, watch};

use crate::store::Micros;

/// A poll that was on its way when a hold began does not name it yet.
const NOT_YET_NAMED: Duration = Duration::from_secs(30);

/// The board; clones share it.
#[derive(Clone)]
pub(crate) struct Shells {
    state: Arc<Mutex<State>>,
    /// Rings when an agent has something to hear.
    bell: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    calls: HashMap<AgentId, Vec<ShellCall>>,
    releases: HashMap<AgentId, HashSet<AttemptId>>,
    meetings: HashMap<String, Meeting>,
    holds: HashMap<AttemptId, Held>,
    /// Let go, and until when they would have been held: their agents may name them once more.
    released: HashMap<AttemptId, Micros>,
}

/// A person who waits.
struct Meeting {
    agent: AgentId,
    person: oneshot::Sender<WebSocket>,
}

struct Held {
    agent: AgentId,
    until: Micros,
    since: Instant,
}

impl Default for Shells {
    fn default() -> Shells {
        Shells {
            state: Arc::default(),
            bell: watch::Sender::new(0),
        }
    }
}

impl Shells {
    /// To be listened to before the board is read.
    pub fn bell(&self) -> watch::Receiver<u64> {
        self.bell.subscribe()
    }

    /// Asks the agent for a shell; its connection comes out of the answer.
    pub fn call(&self, agent: &AgentId, call: ShellCall) -> oneshot::Receiver<WebSocket> {
        let (person, agents_socket) = oneshot::channel();
        let mut state = self.state();
        let meeting = Meeting {
            agent: agent.clone(),
            person,
        };
        state.meetings.insert(call.id.clone(), meeting);
        state.calls.entry(agent.clone()).or_default().push(call);
        drop(state);
        self.ring();
        agents_socket
    }

    /// Nobody waits for that shell any more.
    pub fn give_up(&self, id: &str) {
        let mut state = self.state();
        state.meetings.remove(id);
        state
            .calls
            .values_mut()
            .for_each(|calls| calls.retain(|call| call.id != id));
    }

    /// Who waits for the shell that this agent brings.
    pub fn meet(&self, agent: &AgentId, id: &str) -> Option<oneshot::Sender<WebSocket>> {
        let mut state = self.state();
        if state.meetings.get(id)?.agent != *agent {
            return None;
        }
        state.meetings.remove(id).map(|meeting| meeting.person)
    }

    /// What the agent is to open and to let go; each is handed out once.
    pub fn news_for(&self, agent: &AgentId) -> (Vec<ShellCall>, Vec<AttemptId>) {
        let mut state = self.state();
        let calls = state.calls.remove(agent).unwrap_or_default();
        let releases = state.releases.remove(agent).unwrap_or_default();
        (calls, releases.into_iter().collect())
    }

    /// A job ended and is held.
    pub fn hold(&self, agent: &AgentId, attempt: &AttemptId, until: Micros) {
        let held = Held {
            agent: agent.clone(),
            until,
            since: Instant::now(),
        };
        self.state().holds.insert(attempt.clone(), held);
    }

    /// What an agent says that it holds.
    pub fn holds_of(&self, agent: &AgentId, held: &[HeldJob]) {
        let mut state = self.state();
        state
            .holds
            .retain(|_, other| other.agent != *agent || other.since.elapsed() < NOT_YET_NAMED);
        let now = jiff::Timestamp::now().as_microsecond();
        state.released.retain(|_, until| *until > now);
        for HeldJob { attempt, until } in held {
            if state.released.contains_key(attempt) {
                continue;
            }
            let since = state.holds.get(attempt).map_or_else(Instant::now, |held| held.since);
            let held = Held {
                agent: agent.clone(),
                until: *until,
                since,
            };
            state.holds.insert(attempt.clone(), held);
        }
    }

    /// Until when that attempt is held, if it is.
    pub fn held_until(&self, attempt: &AttemptId) -> Option<Micros> {
        let now = jiff::Timestamp::now().as_microsecond();
        let state = self.state();
        let until = state.holds.get(attempt)?.until;
        (until > now).then_some(until)
    }

    /// Every held attempt.
    pub fn held(&self) -> Vec<AttemptId> {
        self.state().holds.keys().cloned().collect()
    }

    /// Lets a held job go; false: it is not held.
    pub fn release(&self, attempt: &AttemptId) -> bool {
        let mut state = self.state();
        let Some(held) = state.holds.remove(attempt) else {
            return false;
        };
        state.released.insert(attempt.clone(), held.until);
        state.releases.entry(held.agent).or_default().insert(attempt.clone());
        drop(state);
        self.ring();
        true
    }

    fn ring(&self) {
        self.bell.send_modify(|rung| *rung += 1);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> (AgentId, AttemptId) {
        (AgentId(format!("agent-{name}")), AttemptId(name.to_owned()))
    }

    #[test]
    fn a_hold_is_what_its_agent_says_and_is_let_go_once() {
        let shells = Shells::default();
        let ((agent, attempt), (other, elsewhere)) = (id("a"), id("b"));
        let soon = jiff::Timestamp::now().as_microsecond() + 60_000_000;
        shells.hold(&agent, &attempt, soon);
        shells.holds_of(&agent, &[]);
        assert_eq!(
            shells.held_until(&attempt),
            Some(soon),
            "a poll from before does not end it"
        );
        let later = HeldJob {
            attempt: attempt.clone(),
            until: soon + 1,
        };
        shells.holds_of(&agent, &[later]);
        assert_eq!(shells.held_until(&attempt), Some(soon + 1));
        shells.hold(&other, &elsewhere, 5);
        assert_eq!(shells.held_until(&elsewhere), None, "its time is over");
        assert!(shells.release(&attempt) && !shells.release(&attempt));
        assert_eq!(shells.news_for(&agent), (Vec::new(), vec![attempt.clone()]));
        assert_eq!(shells.news_for(&agent), (Vec::new(), Vec::new()));
        let late = HeldJob {
            attempt: attempt.clone(),
            until: soon,
        };
        shells.holds_of(&agent, &[late]);
        assert_eq!(shells.held_until(&attempt), None, "it was on its way");
    }
}
