//! Rust's standard library for the static program. Its C libraries are compiled by `musl-gcc`, which is a package.

use super::Missing;
use crate::process;
use std::path::Path;
use std::process::Command;

/// What the static program is compiled for.
pub const TARGET: &str = "x86_64-unknown-linux-musl";

/// Makes sure that it is here.
///
/// # Errors
/// `Missing` when it is not and rustup cannot fetch it.
pub fn target() -> anyhow::Result<()> {
    if is_here() {
        return Ok(());
    }
    let add = format!("rustup target add {TARGET}");
    let fetched = process::find("rustup").is_some()
        && process::says_yes(
            Command::new("rustup")
                .current_dir(process::workspace())
                .args(["target", "add", TARGET]),
        );
    if fetched && is_here() {
        return Ok(());
    }
    let hint = format!("Fetch it:\n  {add}");
    Err(Missing::new(format!("Rust's standard library for {TARGET}"), hint).into())
}

fn is_here() -> bool {
    let mut ask = Command::new("rustc");
    ask.current_dir(process::workspace())
        .args(["--print", "target-libdir", "--target", TARGET]);
    process::output(&mut ask).is_ok_and(|folder| Path::new(folder.trim()).is_dir())
}
