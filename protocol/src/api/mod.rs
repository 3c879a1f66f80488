//! The JSON of the HTTP API under `/api/v1`: what the coordinator answers and is sent, and what the command line reads and
//! sends. Apart from the store's structs, so that a column can be renamed without breaking a script. Who reads an answer
//! ignores fields that it does not know, so a newer coordinator may say more; times are microseconds since 1970.

mod access;
mod agents;
mod builds;
mod deliveries;
mod failure_report;
mod forges;
mod kept;
mod reports;
mod repositories;

pub use crate::attempt::Micros;
pub use access::*;
pub use agents::*;
pub use builds::*;
pub use deliveries::*;
pub use failure_report::*;
pub use forges::*;
pub use kept::*;
pub use reports::*;
pub use repositories::*;
