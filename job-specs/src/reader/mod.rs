//! Reading values of the tree: the keys of a map against a table, texts with their `${{ }}`, numbers, durations, sizes,
//! lists and files of the repository, each with what to say when it is none. What the levels of a job file and of a
//! Compose file are made of is read with these, in `read` and `compose`.

mod fields;
mod files;
pub(crate) mod keys;
pub(crate) mod kinds;
mod text;
mod unknown;
mod values;

pub(crate) use fields::{CONTAINER_NAME, Fields, Slot};
pub(crate) use files::{folder_of, joined};
pub(crate) use text::{Reader, Spent};
pub(crate) use unknown::unknown_input;
