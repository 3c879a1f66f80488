//! The way of a log through the agent: a gate's file is followed ([`tail`]), its chunks become lines ([`lines`]) without
//! secrets ([`mask`]); the agent's own words go the same way ([`writer`]).

pub mod lines;
pub mod mask;
mod shapes;
pub mod tail;
pub mod writer;
