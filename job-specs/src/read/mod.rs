//! From the tree to the model. The same reading runs twice: while a file is checked (facts of a build are unknown, what
//! is made is thrown away, every finding counts) and when a build is made. A job is read once for each of its cells,
//! so every field can hold `${{ }}` without a second set of types. The keys of each level stand in a table beside what
//! reads their values.

mod build;
mod concurrency;
mod definitions;
mod depends_on;
mod file;
mod foreign;
mod globs;
mod healthcheck;
mod image_step;
mod inputs;
mod job;
mod kept;
mod matrix;
mod needs;
mod on;
mod output_cells;
mod ready;
mod resources;
mod retry;
mod schedule;
mod secrets;
mod service;
mod service_entry;
mod service_env;
mod service_files;
mod service_limits;
mod service_mounts;
mod service_network;
mod service_rights;
mod services;
mod step;
mod when;

pub(crate) use file::{FILE, read_file};
pub(crate) use job::{read_env, read_job};
pub(crate) use output_cells::cells_of_output;
pub use service::refused_in_service;
