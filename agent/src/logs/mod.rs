//! The road of a log inside the agent: a gate's file is followed ([`tail`]), its chunks become lines ([`lines`]) without
//! secrets ([`mask`]); the agent's own words go the same road ([`writer`]).

pub mod lines;
pub mod mask;
mod shapes;
pub mod tail;
pub mod writer;
