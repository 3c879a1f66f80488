//! The agent's parts at work on real processes and on a real container engine. What makes things in the engine does so
//! under a label of its own and asserts that nothing with that label is left.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by failing")]

mod engine;
mod gate_in_container;
mod gate_process;
mod gate_service;
mod gates;
mod images;
mod logs;
mod registry;
mod sandbox;
mod stack;
mod wire;
mod world;
