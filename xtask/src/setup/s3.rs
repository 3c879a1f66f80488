//! The S3 server for the tests of the blob store: a program from the Python package index, in a folder of its own. Each
//! test run starts it on loopback and ends it.

use super::pypi;
use crate::{process, say};
use std::path::PathBuf;

/// What is asked of pip.
const PACKAGE: &str = "moto[server]==5.*";

/// The server's program, installed when it is not there.
///
/// # Errors
/// When Python is missing and may not be installed, or the package cannot be had.
pub fn program() -> anyhow::Result<PathBuf> {
    let folder = process::target().join("s3-server");
    let program = folder.join("bin/moto_server");
    if !program.exists() {
        say::timed("an S3 server for the tests", || pypi::install(&folder, PACKAGE))?;
    }
    Ok(program)
}
