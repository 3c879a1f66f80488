//! Tests of the agent against a real container engine. Each makes everything under a label of its own and asserts
//! that nothing with that label is left.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by failing")]

mod engine;
mod images;
mod registry;
mod sandbox;
mod stack;
mod wire;
mod world;
