//! The running stack.

use tokio::sync::mpsc;

use super::failure::StackFailure;
use super::spec::{StackEvent, StackSpec};
use crate::engine::Engine;
use crate::sandbox::Sandbox;

/// A stack that runs. Stop it with [`Stack::stop`]; a stack that is only dropped goes on until it is swept.
pub struct Stack {}

impl Stack {
    /// Starts everything; returns at once. Failures are told by [`Stack::ready`] and [`Stack::death`].
    pub fn start(
        engine: &Engine,
        sandbox: &Sandbox,
        spec: StackSpec,
        observer: mpsc::UnboundedSender<StackEvent>,
    ) -> Stack {
        let _ = (engine, sandbox, spec, observer);
        unimplemented!()
    }

    /// Goes on with the stack of that id after a restart of the agent: services that run are watched again, the
    /// others are started.
    pub async fn resume(
        engine: &Engine,
        sandbox: &Sandbox,
        spec: StackSpec,
        observer: mpsc::UnboundedSender<StackEvent>,
    ) -> Stack {
        let _ = (engine, sandbox, spec, observer);
        unimplemented!()
    }

    /// Waits until every service is ready, or one has failed.
    pub async fn ready(&self) -> Result<(), StackFailure> {
        unimplemented!()
    }

    /// Waits for the first failure that counts, before or after [`Stack::ready`]; for ever when there is none.
    pub async fn death(&self) -> StackFailure {
        unimplemented!()
    }

    /// Ends and removes every service, in parallel. To be called when the result is known.
    pub async fn stop(self) {
        unimplemented!()
    }
}
