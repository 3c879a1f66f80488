//! The Kafka-protocol broker of the tests: no distribution packages one, so it is built from its crate, once for each
//! version, into Cargo's target folder.

use crate::{process, say};
use std::path::PathBuf;
use std::time::Instant;

/// The crate and its version.
pub const CRATE: (&str, &str) = ("tansu", "0.6.0");

/// The program, built when it is not here yet.
///
/// # Errors
/// When it cannot be built.
pub fn program() -> anyhow::Result<PathBuf> {
    let (name, version) = CRATE;
    let root = process::target().join("tools").join(format!("{name}-{version}"));
    let program = root.join("bin").join(name);
    if program.exists() {
        return Ok(program);
    }
    say::line(format_args!(
        "building the Kafka broker {name} {version}; this takes minutes"
    ));
    let begin = Instant::now();
    let mut install = process::cargo();
    install
        .args(["install", name, "--version", version, "--locked", "--quiet"])
        // Without optimisation it is built in half the time and fast enough; only its store in memory is needed.
        .args(["--debug", "--no-default-features", "--features", "dynostore"])
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("CARGO_PROFILE_DEV_STRIP", "symbols")
        .env("CARGO_TARGET_DIR", root.join("build"))
        .arg("--root")
        .arg(&root);
    process::run(&mut install)?;
    // What it was built from is of no use any more.
    std::fs::remove_dir_all(root.join("build"))?;
    say::line(format_args!(
        "built {name} {version} ({})",
        say::duration(begin.elapsed())
    ));
    Ok(program)
}
