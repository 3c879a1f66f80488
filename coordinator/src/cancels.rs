//! Which cancellations agents have been sent. Apart from the polls because every request shares it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use protocol::ids::{AgentId, AttemptId};

/// The cancellations that each agent was sent with its last answer. A job that takes long to stop would otherwise
/// have every poll of its agent answered at once. Kept in memory: reporting one once more does no harm.
#[derive(Clone, Default)]
pub(crate) struct Cancels(Arc<Mutex<HashMap<AgentId, HashSet<AttemptId>>>>);

impl Cancels {
    /// What it was sent.
    pub fn announced(&self, agent: &AgentId) -> HashSet<AttemptId> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(agent)
            .cloned()
            .unwrap_or_default()
    }

    /// It is sent that now, and of nothing else.
    pub fn announce(&self, agent: AgentId, cancel: &[AttemptId]) {
        let mut announced = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if cancel.is_empty() {
            announced.remove(&agent);
        } else {
            announced.insert(agent, cancel.iter().cloned().collect());
        }
    }
}
