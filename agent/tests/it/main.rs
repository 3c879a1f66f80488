//! Tests of the agent against a real container engine. Each makes everything under a label of its own and asserts
//! that nothing with that label is left.
#![expect(clippy::unwrap_used, reason = "a test says what went wrong by failing")]

mod attempts;
mod checkout;
mod coordinator;
mod daemon;
mod engine;
mod gate_in_container;
mod gate_process;
mod gate_service;
mod gates;
mod images;
mod local;
mod logs;
mod registry;
mod sandbox;
mod services;
mod stack;
mod stage;
mod wire;
mod world;
