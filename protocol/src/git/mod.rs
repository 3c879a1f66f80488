//! What coordinator and agent agree on about git, pure: which addresses a repository may have, how the git program is
//! closed in, and what its complaints mean. One place, so that the two sides never trust differently.

mod address;
mod environment;
mod said;

pub use address::{Address, BadAddress, without_credentials};
pub use environment::{GLOBAL_CONFIG, KEPT, PROTOCOLS, SETTINGS, environment};
pub use said::{Trouble, reason, trouble};
