//! PID 1 of a step or service container.

fn main() {}
