//! Feeds mutated inputs to everything of Drover that reads what others wrote. An input is known by target, seed and
//! index alone, so a run can be stopped and gone on with, and a failure can be had again. Separate from the crates under
//! test because it looks at all of them, and from `xtask` because that imports nothing of ours.
//!
//! # Layout
//! `targets` what is read, and its examples · `mutate` examples to inputs · `measure` what an input costs · `run` many
//! inputs, and what is left of those that fail.

mod measure;
mod mutate;
mod random;
mod run;
mod targets;

pub use run::{Failure, Plan, Progress, read_file, run, scratch};
