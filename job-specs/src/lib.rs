//! The job language of Drover, pure: parse a job file, check it, expand its matrix into jobs, and the one state
//! machine that a job's life follows. It is separate so that the coordinator, the laptop (`drover run`, `drover
//! lint`) and the web pages share one reading of a file; it does no I/O and knows no async runtime.
//!
//! Data flows one way: text -> [`parse_with()`] -> checked [`file::JobFile`] -> [`fill_hashes()`] and [`expand()`] ->
//! [`model::JobSpec`] per cell; a job that waits for outputs of others goes through [`expand_job()`] once they are there.
//! Inside: `yaml` makes a tree in which every value knows its bytes; `reader` reads one value, or a map by its table of
//! keys; `read` has those tables and turns the tree into the model, one cell at a time, collecting `problems`; `compose`
//! does what Compose files ask for before that; `check` looks at several things at once. Modules import no circle.

pub mod codes;
pub mod cron;
pub mod dag;
pub mod diagnostics;
pub mod env;
pub mod file;
pub mod fix;
pub mod globs;
pub mod images;
pub mod limits;
pub mod model;
pub mod reference;
pub mod render;
pub mod repository;
pub mod result;
pub mod shell_words;
pub mod source;
pub mod status;
pub mod triggers;
pub mod units;
pub mod yaml;

mod check;
mod compose;
mod durations;
mod events;
mod expand;
mod hash;
mod located;
mod matrix;
mod names;
mod parse;
mod problems;
mod read;
mod reader;
mod schema;
mod seccomp;
mod sizes;
mod sources;
mod substitute;
mod suggest;

pub use compose::secret_lines;
pub use diagnostics::Diagnostic;
pub use durations::parse_ms as duration_ms;
pub use env::{Facts, builtin_env};
pub use expand::{Expansion, expand, expand_job};
pub use file::fill_hashes;
pub use hash::hash_files;
pub use model::{JobSpec, Outputs};
pub use parse::{Parsed, parse, parse_with};
pub use read::refused_in_service;
pub use render::{Look, render};
pub use repository::{NoRepository, Repository};
pub use schema::schema;
pub use sizes::parse_bytes as size_bytes;
pub use source::SourceFile;
