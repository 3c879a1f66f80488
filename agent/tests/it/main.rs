//! The agent's parts at work on real processes and containers.
#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

mod gate_in_container;
mod gate_process;
mod gate_service;
mod gates;
mod logs;
