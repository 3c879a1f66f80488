//! The pool.

use std::collections::BTreeSet;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::engine::labels::Labels;
use crate::engine::{ContainerId, Engine, EngineError, Network, NetworkId};

/// How many sandboxes, for whom.
#[derive(Debug, Clone, Default)]
pub struct PoolConfig {
    /// Jobs that may run at once. So many sandboxes are kept warm, and one more while all are in use.
    /// 0: none is kept warm; each is made when it is asked for (one job by hand).
    pub slots: usize,
    /// Holders (see [`Want::holder`]) that go on after a restart of the agent and will be adopted; sandboxes of other
    /// holders are made anew.
    pub holders: BTreeSet<String>,
    /// Unix seconds, the label `drover.expires`; `None`: the sandboxes live as long as the agent.
    pub expires: Option<i64>,
}

/// What a job wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    /// Who takes it: the attempt's id. A restarted agent finds the sandbox by it.
    pub holder: String,
    /// Whose code will run in it.
    pub repository: String,
    /// The code is trusted: it may get a sandbox that the same repository used before.
    pub trusted: bool,
}

/// May it be used again by the same repository?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    /// Yes, if the code was trusted and nothing is left on it.
    Allowed,
    /// No: the job tainted it (NET_ADMIN, faults) or we do not know.
    Never,
}

/// A network with a running anchor on it, in the hands of one holder. Give it back with [`Pool::put_back`].
#[derive(Debug)]
pub struct Sandbox {
    id: String,
    network: NetworkId,
    anchor: ContainerId,
}

impl Sandbox {
    /// Its id, the value of `drover.sandbox`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The network that services are put on.
    pub fn network(&self) -> &NetworkId {
        &self.network
    }

    /// What a step joins: the anchor's network namespace.
    pub fn join(&self) -> Network {
        Network::Join(self.anchor.clone())
    }

    /// `labels` and the sandbox's own; every container in it must carry them.
    pub fn labels(&self, labels: Labels) -> Labels {
        labels
    }
}

/// The sandboxes of one agent. Clones share everything.
#[derive(Clone)]
pub struct Pool {}

impl Pool {
    /// Finds the sandboxes that an earlier run of this agent left, and begins to fill up. Returns before they are
    /// warm.
    pub async fn start(
        engine: &Engine,
        config: PoolConfig,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Result<Pool, EngineError> {
        let _ = (engine, config, tasks, stop);
        unimplemented!()
    }

    /// A sandbox for that job: at once when one is warm.
    pub async fn take(&self, want: &Want) -> Result<Sandbox, EngineError> {
        let _ = want;
        unimplemented!()
    }

    /// The sandbox that `holder` had before the agent was restarted, if it still stands.
    pub async fn adopt(&self, holder: &str) -> Option<Sandbox> {
        let _ = holder;
        unimplemented!()
    }

    /// Takes it back; what is to be cleaned is cleaned behind.
    pub fn put_back(&self, sandbox: Sandbox, reuse: Reuse) {
        let _ = (sandbox, reuse);
        unimplemented!()
    }

    /// Removes every sandbox that is not in somebody's hands; afterwards nothing new is made.
    pub async fn stop(&self) {
        unimplemented!()
    }
}
