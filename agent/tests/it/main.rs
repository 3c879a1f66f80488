//! Tests of the agent against a real container engine. Each makes everything under a label of its own and asserts
//! that nothing with that label is left.
#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

mod attempts;
mod checkout;
mod coordinator;
mod daemon;
mod engine;
mod gate_in_container;
mod gate_process;
mod gates;
mod logs;
mod sandbox;
mod services;
mod stage;
mod world;
