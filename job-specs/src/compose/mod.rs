//! Compose files of the repository as a job's services: the job's `compose:` names them, and what comes out is one list
//! of services in the same tree as those of a job file, so that one reader reads both. A file is interpolated, its
//! `extends` and `include` are followed, paths are made relative to the repository's root, and several files are merged,
//! all as Compose does it. Every value keeps the place where it is written.

mod canonical;
mod choose;
mod edit;
mod env_files;
mod env_lines;
mod extends;
mod include;
mod interpolate;
mod load;
mod merge;
mod paths;
mod unset;
mod values;
mod variables;

pub(crate) use canonical::one_form;
pub(crate) use choose::{Choice, chosen};
pub use env_lines::secret_lines;
pub(crate) use load::{Loader, Model, Wanted, folder_of_first};
pub(crate) use unset::without_unset;
pub(crate) use variables::Variables;
