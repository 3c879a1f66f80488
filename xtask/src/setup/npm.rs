//! What the tests take from the npm registry, each package in a folder of its own: a checker of accessibility, and examples of
//! GitHub's webhooks as GitHub publishes them.

use super::packages::{self, NPM};
use crate::{process, say};
use anyhow::Context;
use std::path::PathBuf;
use std::process::Command;

/// A package, and the file of it that is used.
pub struct Package {
    /// With its version: `axe-core@4.14.1`.
    package: &'static str,
    /// Below `node_modules`.
    file: &'static str,
    /// For people.
    what: &'static str,
}

/// The script to run in a page.
pub const AXE: Package = Package {
    package: "axe-core@4.14.1",
    file: "axe-core/axe.min.js",
    what: "a checker of accessibility for the tests",
};

/// Every event of GitHub with several bodies.
pub const WEBHOOKS: Package = Package {
    package: "@octokit/webhooks-examples@7.6.1",
    file: "@octokit/webhooks-examples/api.github.com/index.json",
    what: "examples of GitHub's webhooks for the tests",
};

/// The package's file, installed when it is not there.
///
/// # Errors
/// When npm is missing and may not be installed, or the package cannot be had.
pub fn file(package: &Package) -> anyhow::Result<PathBuf> {
    let name = package.file.trim_start_matches('@').split('/').next().unwrap_or("npm");
    let folder = process::target().join("npm").join(name);
    let file = folder.join("node_modules").join(package.file);
    if !file.exists() {
        if !NPM.is_installed() {
            packages::install(&[&NPM])?;
        }
        say::timed(package.what, || {
            let mut npm = Command::new("npm");
            npm.args([
                "install",
                "--silent",
                "--no-audit",
                "--no-fund",
                "--ignore-scripts",
                "--prefix",
            ]);
            process::run(npm.arg(&folder).arg(package.package))
        })
        .with_context(|| format!("install {}", package.package))?;
    }
    Ok(file)
}
