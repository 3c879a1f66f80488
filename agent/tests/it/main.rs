//! The agent's parts at work on real processes, a real engine and a fake coordinator. Each test makes everything under
//! a label of its own and asserts that nothing with that label is left.
#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

mod archives;
mod attacks;
mod attempts;
mod blobs;
mod checkout;
mod clones;
mod coordinator;
mod daemon;
mod docker_registry;
mod engine;
mod full_disk;
mod gate_in_container;
mod gate_process;
mod gate_service;
mod gates;
mod image_step;
mod images;
mod keeper;
mod layers;
mod local;
mod logs;
mod mirrors;
mod registry;
mod reports;
mod repositories;
mod retained;
mod sandbox;
mod services;
mod stack;
mod stage;
mod tries;
mod wire;
mod world;
