//! `cargo xtask demo`: what Drover is, in one minute and on this machine: a repository, a push, a matrix over two
//! PostgreSQL versions, logs as they come, and the page where it can be seen again.

use crate::process::{self, Beside};
use crate::say;
use crate::setup::from_nothing::Begin;
use crate::setup::images::names::Policy;
use crate::setup::{self, Needs, S3, Servers};
use crate::stage::{self, Stage};
use anyhow::Context;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

/// That of the tests: who runs both compiles once.
const PROFILE: &str = "dev";
const IMAGES: &[&str] = &["postgres:15", "postgres:17"];

/// Show a push becoming a green build, from nothing.
#[derive(clap::Args)]
pub struct Arguments {
    /// Leave it running, to look at the pages.
    #[arg(long)]
    keep: bool,
}

/// `cargo xtask demo`; the exit code is the build's.
///
/// # Errors
/// When something cannot be installed, started or pushed.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let needs = Needs {
        begin: Begin::AsItIs,
        images: IMAGES.to_vec(),
        policy: Policy::Anybody,
        servers: Servers::No,
        s3: S3::No,
    };
    // Both take minutes: the compiler wants the processors, the setup mostly waits for the network.
    let begin = Instant::now();
    let build = Beside::start(&mut stage::compile(PROFILE))?;
    let _prepared = setup::prepare(&needs)?;
    say::heading("build drover, which began with the setup");
    build.finish()?;
    let binary = stage::binary(PROFILE)?;
    say::line(format_args!("built ({})", say::duration(begin.elapsed())));

    say::heading("drover up: a coordinator and an agent in one process, with SQLite in a temporary folder");
    let stage = say::timed("ready", || Stage::up(&binary, 2))?;
    say::line(&stage.url);

    say::heading("a repository with a job file, and the hook that `drover repo hook` prints");
    let clone = stage.repository("shop")?;
    copy(&process::workspace().join("xtask/demo"), &clone)?;
    show(&clone.join(".drover.yml"))?;

    say::heading("git push");
    let number = say::timed("pushed, and there is a build", || {
        stage::push(&clone, "Test the shop on two versions of PostgreSQL", "main")?;
        stage.build_after(0)
    })?;

    say::heading(format_args!("drover logs {number} --follow"));
    let number = number.to_string();
    process::run(&mut stage.drover(&["logs", &number, "--follow"]))?;
    say::heading(format_args!("drover watch {number}"));
    let watch = stage
        .drover(&["watch", &number, "--progress", "plain"])
        .status()
        .context("start `drover watch`")?;
    let code = u8::try_from(watch.code().unwrap_or(1)).unwrap_or(1);
    farewell(stage, &number, arguments.keep);
    Ok(ExitCode::from(code))
}

/// Where to look, and how to get rid of it.
fn farewell(stage: Stage, number: &str, keep: bool) {
    let page = format!("{}/builds/{number}", stage.url);
    say::heading("the same build in the browser");
    if keep {
        say::line(say::bold(&page));
        if let Ok(link) = stage.login_link() {
            say::line(format_args!("log in first, once: {link}"));
        }
        let folder = stage.folder().to_owned();
        if let Some(pid) = stage.release() {
            say::line(format_args!(
                "it runs on; to end it: kill {pid}; rm -r {}",
                folder.display()
            ));
        }
    } else {
        say::line(page);
        say::line("it ends now; `cargo xtask demo --keep` leaves it running");
    }
}

fn show(file: &Path) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
    text.lines().for_each(say::line);
    Ok(())
}

/// Copies a folder with everything in it.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to).with_context(|| format!("make {}", to.display()))?;
    for entry in std::fs::read_dir(from).with_context(|| format!("list {}", from.display()))? {
        let entry = entry.context("list a folder")?;
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), &target).with_context(|| format!("copy to {}", target.display()))?;
        }
    }
    Ok(())
}
