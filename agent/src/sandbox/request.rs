//! What is asked of the pool: how many sandboxes it keeps, what a job wants, and whether one may be used again. Apart
//! from the pool so that its words can be read without its work.

use std::collections::BTreeSet;

/// How many sandboxes, for whom.
#[derive(Debug, Clone, Default)]
pub struct PoolConfig {
    /// Jobs that may run at once; each free slot has a warm sandbox.
    pub slots: usize,
    /// Fresh sandboxes that are kept even when every slot is in use or its sandbox belongs to a repository. 1 for an
    /// agent that serves many; 0 for one job by hand.
    pub spare: usize,
    /// Holders (see [`SandboxRequest::holder`]) that go on after a restart of the agent and will be adopted; sandboxes of other
    /// holders are made anew.
    pub holders: BTreeSet<String>,
    /// Unix seconds, the label `drover.expires`; `None`: the sandboxes live as long as the agent.
    pub expires: Option<i64>,
}

/// What a job wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxRequest {
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
