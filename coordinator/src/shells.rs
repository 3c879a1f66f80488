//! Which people wait for the agent of their shell, and which shells an agent is to open. In memory alone: a shell lives as
//! long as its connections. An agent brings a shell to the coordinator that it polls, so people must ask that one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::ws::WebSocket;
use protocol::ids::AgentId;
use protocol::shell::ShellCall;
use tokio::sync::{oneshot, watch};

/// The waiting; clones share it.
#[derive(Clone)]
pub(crate) struct Shells {
    state: Arc<Mutex<State>>,
    /// Rings when an agent has something to hear.
    bell: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    calls: HashMap<AgentId, Vec<ShellCall>>,
    meetings: HashMap<String, Meeting>,
}

/// A person who waits.
struct Meeting {
    agent: AgentId,
    person: oneshot::Sender<WebSocket>,
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
    /// To be listened to before the calls are read.
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

    /// What the agent is to open; each is handed out once.
    pub fn calls_for(&self, agent: &AgentId) -> Vec<ShellCall> {
        self.state().calls.remove(agent).unwrap_or_default()
    }

    fn ring(&self) {
        self.bell.send_modify(|rung| *rung += 1);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
