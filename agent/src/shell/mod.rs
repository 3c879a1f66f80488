//! Shells: a person's terminal in the container of a running step, of a service, or of a held job. Separate from
//! attempts because it only looks: it finds containers by their labels, changes nothing in the journal, and leaves no
//! process behind.
//!
//! # Layout
//! [`room`] which container, and what is known of it · [`session`] the command in it, from the first byte to the last ·
//! `veil` secrets in what it prints.

pub mod room;
pub mod session;
mod veil;

pub use room::{NoRoom, Room};
pub use session::{Session, SessionEnd};
