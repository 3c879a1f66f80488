//! Drover as its users meet it: the real binary, real Git, a real engine, a real browser. Every story ends by looking
//! that nothing is left in the engine.
#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

mod browser;
mod death;
mod examples;
mod here;
mod matrices;
mod mcp;
mod private;
mod push;
mod running;
mod same;
mod sessions;
mod shell;
mod stage;
mod text;
mod upgrade;
mod whole;
