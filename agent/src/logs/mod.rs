//! The way of a log through the agent: a gate's file is followed ([`tail`]), its chunks become lines ([`lines`]) without
//! secrets ([`mask`]); what is not sent yet waits in a [`spool`]. The agent's own words go the same way ([`writer`]).

pub mod lines;
pub mod mask;
mod shapes;
pub mod spool;
pub mod tail;
pub mod writer;
