//! The job language of Drover, pure: parse a job file, check it, expand its matrix into jobs, and the one state
//! machine that a job's life follows. It is separate so that the coordinator, the laptop (`drover run`, `drover
//! lint`) and the web pages share one reading of a file; it does no I/O and knows no async runtime.
//!
//! Data flows one way: text -> [`parse`] -> checked [`file::JobFile`] -> [`expand`] -> [`model::JobSpec`] per cell.

pub mod diagnostics;
pub mod model;
pub mod status;
