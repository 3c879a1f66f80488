//! `cargo xtask test`: everything that must be true, on a machine where nothing runs yet. Each check counts as one
//! test; the last line is `N passed, M failed`.

use crate::setup::from_nothing::Begin;
use crate::setup::images::names::Policy;
use crate::setup::{self, Needs, Prepared, S3, Servers, images};
use crate::{leftovers, process, say, tidy};
use anyhow::Context;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};
use tally::Tally;

mod scripts;
mod suite;
mod tally;

/// Check and test everything; the last line is `N passed, M failed`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Only the tests, and of them only those whose name contains this.
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// First remove what this project made on this machine: images, containers, networks and volumes by their labels,
    /// and scratch files. Whatever else uses Drover on this engine loses its containers, too. With the variable CI set,
    /// a run does this by itself when an image is of an older recipe.
    #[arg(long)]
    from_nothing: bool,
}

impl Arguments {
    fn begin(&self) -> Begin {
        let ci = std::env::var("CI").unwrap_or_default();
        match (self.from_nothing, ci.as_str()) {
            (true, _) => Begin::FromNothing,
            (false, "" | "false" | "0") => Begin::AsItIs,
            (false, _) => Begin::FromNothingWhenStale,
        }
    }
}

/// Where it stands: the count, and how long each stage took.
struct Run {
    tally: Tally,
    stages: Vec<(&'static str, Duration)>,
}

/// `cargo xtask test`.
///
/// # Errors
/// When the machine cannot be made ready, or a tool cannot be started.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut run = Run {
        tally: Tally::default(),
        stages: Vec::new(),
    };
    let needs = Needs {
        begin: arguments.begin(),
        images: images::all(),
        policy: Policy::OursAlone,
        servers: Servers::PostgresAndBrowser,
        s3: S3::Server,
    };
    // The compiler wants the processors, the setup mostly waits for the network.
    let build = suite::begin_build()?;
    let prepared = run.stage("setup", |_| setup::prepare(&needs))?;
    run.stage("build the tests", |run| suite::finish_build(build, &mut run.tally))?;
    if arguments.only.is_none() {
        run.checks()?;
    }
    run.tests(&prepared, arguments.only.as_deref())?;
    drop(prepared);
    Ok(run.summary())
}

impl Run {
    /// Does a part of the work and remembers how long it took.
    fn stage<T>(&mut self, name: &'static str, work: impl FnOnce(&mut Run) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let begin = Instant::now();
        let done = work(self).with_context(|| format!("in the stage `{name}`"))?;
        self.stages.push((name, begin.elapsed()));
        Ok(done)
    }

    fn checks(&mut self) -> anyhow::Result<()> {
        self.check("fmt", process::cargo().args(["fmt", "--all", "--check"]))?;
        self.stage("tidy", Run::tidy)?;
        let clippy = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
        self.check("clippy", process::cargo().args(clippy))?;
        let mut doc = process::cargo();
        doc.args(["doc", "--workspace", "--no-deps"]);
        self.check("doc", doc.env("RUSTDOCFLAGS", "-D warnings"))
    }

    /// One command that says yes or no.
    fn check(&mut self, name: &'static str, command: &mut Command) -> anyhow::Result<()> {
        self.stage(name, |run| {
            say::heading(format_args!("{name}: {}", process::line(command)));
            let status = command
                .status()
                .with_context(|| format!("start {}", process::line(command)))?;
            run.tally.record(name, status.success());
            Ok(())
        })
    }

    fn tidy(&mut self) -> anyhow::Result<()> {
        tidy::check(|rule, broken| self.tally.record(rule, broken.is_empty()))
    }

    fn tests(&mut self, prepared: &Prepared, only: Option<&str>) -> anyhow::Result<()> {
        let before = leftovers::look()?;
        // They are short and want a processor; most of the other tests wait.
        let scripts = if only.is_none() { scripts::begin()? } else { None };
        let tested = self.stage("tests", |run| suite::run(prepared, only, &mut run.tally));
        if let Some(scripts) = scripts {
            self.stage("pages' scripts", |run| scripts.finish(&mut run.tally))?;
        }
        tested?;
        self.stage("leftovers", |run| {
            say::heading("leftovers: what the tests left in the engine");
            let left = leftovers::since(&before)?;
            left.iter().for_each(say::line);
            say::line(if left.is_empty() {
                "nothing"
            } else {
                "these should be gone"
            });
            run.tally.record("nothing is left in the engine", left.is_empty());
            Ok(())
        })
    }

    fn summary(self) -> ExitCode {
        say::heading("summary");
        for (name, took) in &self.stages {
            say::line(format_args!("{name:<16} {:>12}", say::duration(*took)));
        }
        let all: Duration = self.stages.iter().map(|(_, took)| *took).sum();
        say::line(format_args!("{:<16} {:>12}", "all", say::duration(all)));
        if !self.tally.broken.is_empty() {
            say::line("failed:");
            self.tally
                .broken
                .iter()
                .for_each(|name| say::line(format_args!("  {name}")));
        }
        println!("\n{} passed, {} failed", self.tally.passed, self.tally.failed);
        ExitCode::from(u8::from(self.tally.failed > 0))
    }
}
