//! The checker of accessibility for the tests of the pages: axe-core from the npm registry, in a folder of its own.

use super::packages::{self, NPM};
use crate::{process, say};
use anyhow::Context;
use std::path::PathBuf;
use std::process::Command;

/// What is asked of npm.
const PACKAGE: &str = "axe-core@4.14.1";

/// The script to run in a page, installed when it is not there.
///
/// # Errors
/// When npm is missing and may not be installed, or the package cannot be had.
pub fn script() -> anyhow::Result<PathBuf> {
    let folder = process::target().join("axe");
    let script = folder.join("node_modules/axe-core/axe.min.js");
    if !script.exists() {
        if !NPM.is_installed() {
            packages::install(&[&NPM])?;
        }
        say::timed("a checker of accessibility for the tests", || {
            let mut npm = Command::new("npm");
            npm.args([
                "install",
                "--silent",
                "--no-audit",
                "--no-fund",
                "--ignore-scripts",
                "--prefix",
            ]);
            process::run(npm.arg(&folder).arg(PACKAGE))
        })
        .context("install axe-core")?;
    }
    Ok(script)
}
