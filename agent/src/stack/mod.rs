//! Stacks: services on one private network, started as parallel as their `depends_on` allows, each watched until it is
//! ready and until it dies. Knows nothing of jobs: a job, an environment or a database owns it.
//!
//! # Layout
//! [`spec`] what to run · [`failure`] what went wrong, in words · [`run`] the [`Stack`].

mod failure;
mod run;
mod spec;

pub use failure::{FailureKind, StackFailure};
pub use run::Stack;
pub use spec::{MaskHook, PullHook, StackEvent, StackSpec};
