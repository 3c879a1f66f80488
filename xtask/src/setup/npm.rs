//! What the tests take from the npm registry, one file of a package each: a checker of accessibility, examples of GitHub's
//! webhooks, and the description of GitHub's API. Only that file is unpacked, and nothing of a package is run.

use super::packages::{self, NPM};
use crate::{process, say};
use anyhow::Context;
use std::path::PathBuf;
use std::process::Command;

/// A package, and the file of it that is used.
pub struct Package {
    /// With its version: `axe-core@4.14.1`.
    package: &'static str,
    /// In the package.
    file: &'static str,
    /// For people.
    what: &'static str,
}

/// The script to run in a page.
pub const AXE: Package = Package {
    package: "axe-core@4.14.1",
    file: "axe.min.js",
    what: "a checker of accessibility for the tests",
};

/// Every event of GitHub with several bodies.
pub const WEBHOOKS: Package = Package {
    package: "@octokit/webhooks-examples@7.6.1",
    file: "api.github.com/index.json",
    what: "examples of GitHub's webhooks for the tests",
};

/// GitHub's API as OpenAPI, as GitHub publishes it.
pub const GITHUB_API: Package = Package {
    package: "@octokit/openapi@23.0.2",
    file: "generated/api.github.com.json",
    what: "the description of GitHub's API for the tests",
};

/// The package's file, fetched when it is not there.
///
/// # Errors
/// When npm is missing and may not be installed, or the package cannot be had.
pub fn file(package: &Package) -> anyhow::Result<PathBuf> {
    let name = package.package.trim_start_matches('@').replace('/', "-");
    let folder = process::target().join("npm").join(name);
    let file = folder.join(package.file);
    if !file.exists() {
        if !NPM.is_installed() {
            packages::install(&[&NPM])?;
        }
        say::timed(package.what, || fetch(package, &folder)).with_context(|| format!("fetch {}", package.package))?;
    }
    Ok(file)
}

fn fetch(package: &Package, folder: &std::path::Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    let mut pack = Command::new("npm");
    pack.args(["pack", "--silent", "--pack-destination"]);
    let packed = process::output(pack.arg(folder).arg(package.package))?;
    let packed = folder.join(packed.trim());
    let mut unpack = Command::new("tar");
    unpack.arg("-xzf").arg(&packed).arg("-C").arg(folder);
    process::run(unpack.args(["--strip-components=1", &format!("package/{}", package.file)]))?;
    Ok(std::fs::remove_file(packed)?)
}
