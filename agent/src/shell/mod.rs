//! Shells: a person's terminal in the container of a running step, of a service, or of a held job. Separate from
//! attempts because it only looks: it finds containers by their labels, changes nothing in the journal, and leaves no
//! process behind.
//!
//! # Layout
//! [`target`] which container, and what is known of it · [`session`] the command in it, from the first byte to the last ·
//! `mask_buffer` secrets in what it prints.

mod mask_buffer;
pub mod session;
pub mod target;

pub use session::{Session, SessionEnd};
pub use target::{NoShellContainer, ShellContainer};
