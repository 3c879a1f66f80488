//! Leases jobs from a coordinator and runs their stacks and steps in containers; the same engine serves `drover run`.

pub mod gate;
pub mod logs;
