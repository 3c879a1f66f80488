//! The container image: `docker/Dockerfile` up to its stage that takes the program as it is.

use super::{Product, VERSION};
use crate::setup::engine;
use crate::{process, say};
use anyhow::Context;
use std::os::unix::fs::PermissionsExt;

/// Builds it, when an engine answers.
///
/// # Errors
/// When the engine says no.
pub fn build(product: &Product, base: Option<&str>) -> anyhow::Result<()> {
    say::heading("container image");
    if process::find("docker").is_none() || !engine::answers() {
        say::line("left out: no engine answers");
        return Ok(());
    }
    let folder = tempfile::tempdir().context("make a folder for the image")?;
    let program = folder.path().join("drover");
    std::fs::write(&program, &product.program).context("write the program")?;
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).context("make it a program")?;
    let name = format!("drover:{VERSION}");
    let mut build = process::docker(&["build", "--quiet", "--target", "packed", "--tag", &name]);
    if let Some(base) = base {
        build.args(["--build-arg", &format!("BASE={base}")]);
    }
    build
        .arg("--file")
        .arg(product.root.join("docker/Dockerfile"))
        .arg(folder.path());
    say::timed(&name, || process::output(&mut build).map(drop))
}
