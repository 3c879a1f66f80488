//! Programs from the Python package index, each in a folder of its own.

use super::packages::{self, PYTHON};
use crate::process;
use anyhow::Context;
use std::path::Path;
use std::process::Command;

/// Installs what `requirement` says, a line as in a requirements file, into a virtual environment in `folder`.
///
/// # Errors
/// When Python is missing and may not be installed, or the package cannot be had.
pub fn install(folder: &Path, requirement: &str) -> anyhow::Result<()> {
    if !PYTHON.is_installed() {
        packages::install(&[&PYTHON])?;
    }
    process::run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
    let file = folder.join("requirements.txt");
    std::fs::write(&file, requirement).context("write what is required")?;
    let mut pip = Command::new(folder.join("bin/pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check", "--requirement"]);
    process::run(pip.arg(&file)).with_context(|| format!("install {requirement}"))
}
