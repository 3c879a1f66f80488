//! `cargo xtask dist`: what people install. One static program, compiled once, goes into an archive, a Debian package and,
//! where an engine is, a container image. The same commit gives the same bytes of archive and package in every folder;
//! `--check` compiles in a second folder to see that.

use crate::setup::{self, packages};
use crate::{process, say};
use anyhow::{Context, bail};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

mod archive;
mod compile;
mod debian;
mod files;
mod image;

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The largest program, in bytes: people fetch it over slow lines, and on each machine of an agent.
const MAX_BYTES: usize = 40_000_000;
const SUMS: &str = "SHA256SUMS";

/// Make the archive, the Debian package and the container image.
#[derive(clap::Args)]
pub struct Arguments {
    /// Compile the same commit in a second folder, too, and compare archive and package byte by byte.
    #[arg(long)]
    check: bool,
    /// Make no container image.
    #[arg(long)]
    no_image: bool,
    /// What the container image is built on [default: that of docker/Dockerfile].
    #[arg(long, value_name = "IMAGE")]
    base: Option<String>,
}

/// What is packed.
struct Product {
    /// The source's root, where the files are that go along.
    root: PathBuf,
    program: Vec<u8>,
    /// Seconds since 1970: the time of every file.
    epoch: u64,
}

/// `cargo xtask dist`.
///
/// # Errors
/// When something is missing, does not compile or cannot be packed.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let root = process::workspace();
    let epoch = epoch(root)?;
    if arguments.check {
        let changed = process::output(Command::new("git").current_dir(root).args(["status", "--porcelain"]))?;
        if !changed.is_empty() {
            bail!("commit first: the second folder has what the commit has, and here there is more:\n{changed}");
        }
    }
    say::heading("setup");
    packages::install(&packages::missing_for_dist())?;
    setup::musl::target()?;
    say::heading("compile");
    let target = process::target();
    let program = say::timed(format_args!("drover for {}", setup::musl::TARGET), || {
        compile::program(root, &target)
    })?;
    say::line(format_args!("static, {:.1} MB", program.len() as f64 / 1e6));
    if program.len() > MAX_BYTES {
        bail!(
            "the program has {} bytes, and {MAX_BYTES} are the most it may have",
            program.len()
        );
    }
    let product = Product {
        root: root.to_owned(),
        program,
        epoch,
    };
    say::heading("pack");
    let folder = target.join("dist");
    let made = pack(&product, &folder)?;
    made.iter().for_each(|file| say::line(file.display()));
    if !arguments.no_image {
        image::build(&product, arguments.base.as_deref())?;
    }
    if arguments.check {
        check(&made, epoch)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The time of the commit, unless the environment names another.
fn epoch(root: &Path) -> anyhow::Result<u64> {
    let text = match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => text,
        Err(_) => {
            let mut git = Command::new("git");
            git.current_dir(root).args(["log", "-1", "--format=%ct"]);
            process::output(&mut git).context("find the time of the commit; SOURCE_DATE_EPOCH may name one")?
        }
    };
    text.trim()
        .parse()
        .with_context(|| format!("read the time `{}`", text.trim()))
}

/// Writes archive, package and their sums into an empty `folder`; gives the paths.
fn pack(product: &Product, folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(|| format!("empty {}", folder.display()))?;
    }
    std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    let archive = archive::write(product, folder)?;
    let package = debian::write(product, folder)?;
    let sums = folder.join(SUMS);
    let mut text = String::new();
    for file in [&archive, &package] {
        let bytes = std::fs::read(file).with_context(|| format!("read {}", file.display()))?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        text += &format!("{}  {name}\n", hex::encode(Sha256::digest(&bytes)));
    }
    std::fs::write(&sums, text).with_context(|| format!("write {}", sums.display()))?;
    Ok(vec![archive, package, sums])
}

/// Does it all again in another folder and compares.
fn check(made: &[PathBuf], epoch: u64) -> anyhow::Result<()> {
    say::heading("the same again in another folder");
    let folder = tempfile::Builder::new()
        .prefix("drover-dist-")
        .tempdir()
        .context("make a second folder")?;
    let root = folder.path().join("source");
    std::fs::create_dir(&root).context("make a second folder")?;
    let mut copy = Command::new("sh");
    copy.current_dir(process::workspace())
        .args(["-c", r#"git archive HEAD | tar --extract --directory "$0""#])
        .arg(&root);
    process::run(&mut copy)?;
    let program = say::timed("compiled", || compile::program(&root, &folder.path().join("target")))?;
    let product = Product { root, program, epoch };
    let again = pack(&product, &folder.path().join("dist"))?;
    let mut differing = Vec::new();
    for (one, other) in made.iter().zip(&again) {
        let is_same = std::fs::read(one)? == std::fs::read(other)?;
        let name = one.file_name().unwrap_or_default().to_string_lossy().into_owned();
        say::line(format_args!(
            "{name}: {}",
            if is_same { "the same bytes" } else { "OTHER BYTES" }
        ));
        differing.extend((!is_same).then_some(name));
    }
    if !differing.is_empty() {
        let kept = folder.keep();
        bail!(
            "not reproducible: {}; the second is in {}",
            differing.join(", "),
            kept.display()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_program_packed_twice_gives_the_same_bytes() {
        if process::find("dpkg-deb").is_none() {
            return;
        }
        let product = Product {
            root: process::workspace().to_owned(),
            program: b"\x7fELF: a stand-in".repeat(5000),
            epoch: 1_700_000_000,
        };
        let folder = tempfile::tempdir().unwrap();
        let one = pack(&product, &folder.path().join("one")).unwrap();
        // Times of files count in whole seconds.
        std::thread::sleep(std::time::Duration::from_millis(1100));
        let other = pack(&product, &folder.path().join("another/folder")).unwrap();
        assert_eq!(one.len(), 3);
        for (one, other) in one.iter().zip(&other) {
            assert_eq!(one.file_name(), other.file_name());
            assert!(
                std::fs::read(one).unwrap() == std::fs::read(other).unwrap(),
                "{}",
                one.display()
            );
        }
        let check = Command::new("sha256sum")
            .args(["--check", SUMS])
            .current_dir(folder.path().join("one"))
            .output();
        assert!(check.unwrap().status.success());
    }
}
