//! The S3 server for the tests of the blob store: a program from the Python package index, in a folder of its own. Each
//! test run starts it on loopback and ends it.

use super::packages::{self, PYTHON};
use crate::{process, say};
use anyhow::Context;
use std::path::PathBuf;
use std::process::Command;

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
        if !PYTHON.is_installed() {
            packages::install(&[&PYTHON])?;
        }
        say::timed("an S3 server for the tests", || {
            process::run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
            let mut pip = Command::new(folder.join("bin/pip"));
            process::run(pip.args(["install", "--quiet", "--disable-pip-version-check", PACKAGE]))
        })
        .context("install an S3 server")?;
    }
    Ok(program)
}
