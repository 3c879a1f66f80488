//! What a lease is for: the execution of a job, or a stack. Both are named by a [`WorkId`] wherever somebody enters them,
//! reads their logs or looks at them.

use std::collections::BTreeMap;

use job_specs::model::JobSpec;
use serde::{Deserialize, Serialize};

use crate::attempt::Micros;
use crate::ids::{AttemptId, StackId};

/// A piece of work, by its name: `{"attempt": …}` or `{"stack": …}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkId {
    /// One execution of a job.
    Attempt(AttemptId),
    /// A stack.
    Stack(StackId),
}

impl std::fmt::Display for WorkId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            WorkId::Attempt(id) => write!(f, "attempt {id}"),
            WorkId::Stack(id) => write!(f, "stack {id}"),
        }
    }
}

/// A piece of work with all that its agent must know.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Work {
    /// To be run to its end. When the lease is lost, another agent runs the job again.
    Attempt(Box<AttemptWork>),
    /// To be kept until somebody ends it. When the lease is lost it is unreachable, and is never made elsewhere.
    Stack(StackWork),
}

/// One execution of a job.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AttemptWork {
    /// Which.
    pub attempt: AttemptId,
    /// From 1.
    pub number: u32,
    /// Build number.
    pub build: i64,
    /// Repository name.
    pub repository: String,
    /// Where the code is.
    pub source: Source,
    /// What to run.
    pub spec: JobSpec,
    /// `DROVER_*` variables for every step.
    pub env: BTreeMap<String, String>,
    /// Only the secrets that some step of the job names.
    #[serde(default)]
    pub secrets: BTreeMap<String, SecretValue>,
    /// The code is trusted: its sandbox may be used again by the same repository.
    pub trusted: bool,
}

/// The commit to check out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// URL or path.
    pub git: String,
    /// Full object id.
    pub commit: String,
    /// `refs/heads/main`: where a fetch finds it.
    pub reference: String,
    /// The transports that it and its submodules may use. Empty: those that `git-cli` allows.
    #[serde(default)]
    pub protocols: Vec<String>,
}

/// A secret's value. `Debug` never shows it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretValue(pub String);

impl std::fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretValue(…)")
    }
}

/// A stack as it is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackWork {
    /// Which.
    pub stack: StackId,
    /// What it is made of.
    pub spec: StackSpec,
    /// Until when, by the coordinator's clock. Using it renews that; the coordinator alone says when it is over.
    pub expires_at: Micros,
}

/// What a stack is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum StackSpec {
    /// The services and the step's container that an attempt left (`hold_on_failure`), on the agent that ran it.
    Retained {
        /// The attempt.
        attempt: AttemptId,
    },
}

/// A stack that an agent has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackReport {
    /// Which. Agents of version 1 name an attempt's by its attempt.
    #[serde(alias = "attempt")]
    pub stack: StackId,
    /// Under which epoch; 0 from an agent of version 1.
    #[serde(default)]
    pub epoch: i64,
}

/// How a stack stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StackState {
    /// It is there, and its agent says so.
    Running,
    /// Its agent is silent: it may be there.
    Unreachable,
    /// It is to be removed, and its agent has not said yet that it is gone.
    Deleting,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_named_by_its_kind() {
        let stack = WorkId::Stack(StackId("s1".into()));
        assert_eq!(serde_json::to_string(&stack).unwrap(), r#"{"stack":"s1"}"#);
        let old: StackReport = serde_json::from_str(r#"{"attempt":"a1","until":5}"#).unwrap();
        assert_eq!((old.stack, old.epoch), (StackId("a1".into()), 0));
    }
}
