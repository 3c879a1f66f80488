//! The `drover` command: thin over agent and coordinator.

fn main() {}
