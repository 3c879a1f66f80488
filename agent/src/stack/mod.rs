//! Stacks: services on one private network, started as parallel as their `depends_on` allows, each watched until it is
//! ready and until it dies. Knows nothing of jobs: a job, an environment or a database owns it.
//!
//! # Layout
//! `spec` what to run · `failure` what went wrong, in words · `launch` service and image to what the gate is told and
//! how readiness is known, pure · `ready_timeout` how long that may take, pure · `ports` what well-known ports tell, pure ·
//! `states` how the services stand, for each other and for the owner · `body` a service's container, with or without a
//! gate · `image`, `container`, `files`, `workspace` what it is made of · `prepare` how it is made · `ready` the probes ·
//! `excerpt` a log's lines · `scale`, `restart` how many and how often · `service` the life of one service · `run` the
//! `Stack`.

mod body;
mod container;
mod excerpt;
mod failure;
mod files;
mod image;
mod launch;
mod ports;
mod prepare;
mod ready;
mod ready_timeout;
mod restart;
mod run;
mod scale;
mod service;
mod signal;
mod spec;
mod states;
mod workspace;

pub use failure::{FailureKind, StackFailure, Stage, WaitEnd};
pub use ready_timeout::AllowedBy;
pub use run::Stack;
pub use spec::{MaskHook, PullHook, StackEvent, StackSpec, Workspace};
