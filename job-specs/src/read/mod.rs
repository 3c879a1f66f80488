//! From the tree to the model. The same reading runs twice: while a file is checked (facts of a build are unknown, what
//! is made is thrown away, every finding counts) and when a build is made. A job is read once for each of its cells,
//! so every field can hold `${{ }}` without a second set of types.

mod fields;
mod file;
mod globs;
mod healthcheck;
mod image_step;
mod job;
mod kept;
mod matrix;
mod ready;
mod retry;
mod secrets;
mod service;
mod step;
mod text;
mod values;
mod when;

pub(crate) use fields::{Fields, Slot};
pub(crate) use file::read_file;
pub(crate) use job::{JobSource, read_job};
pub(crate) use service::{PlacedDependency, PlacedService};
pub(crate) use text::{Reader, Spent};
