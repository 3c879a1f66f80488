//! `cargo xtask bench`: what Drover costs beside the docker CLI, on this machine, in this hour. Everything is measured
//! from outside, by the binary's commands and its API; nothing here is a test, and nothing here may fail one.

use crate::leftovers::{self, Thing};
use crate::setup::from_nothing::Begin;
use crate::setup::images::names::Policy;
use crate::setup::{self, Needs, Prepared, S3, Servers};
use crate::stage::{self, Stage};
use crate::{process, say};
use anyhow::Context;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

mod archives;
mod browser;
mod flood;
mod race;
mod samples;
mod servers;
mod table;
mod workloads;

const IMAGES: &[&str] = &["busybox", "debian:bookworm", "redis:7"];
/// What runs at the end has this long to remove what it made.
const REMOVAL: Duration = Duration::from_secs(60);

/// Measure Drover beside the docker CLI.
#[derive(clap::Args)]
pub struct Arguments {
    /// Fewer rounds and samples: a first look.
    #[arg(long)]
    quick: bool,
    /// Write every number there, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Rounds of the race [default: 7, with --quick 2].
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// Archives of caches and artifacts too; needs 4 GB of disk.
    #[arg(long)]
    blobs: bool,
    /// Measure only this
    #[command(subcommand)]
    only: Option<Only>,
}

/// What can be measured alone.
#[derive(clap::Subcommand)]
enum Only {
    /// What strangers can take of a coordinator: memory and connections.
    Flood {
        /// Cargo's profile of the binary.
        #[arg(long, default_value = "release")]
        profile: String,
    },
}

impl Arguments {
    fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.quick { 2 } else { 7 })
    }

    fn pick<T>(&self, quick: T, thorough: T) -> T {
        if self.quick { quick } else { thorough }
    }
}

/// `cargo xtask bench`.
///
/// # Errors
/// When something cannot be built or started, or a workload does not end well or loses a line.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    if let Some(Only::Flood { profile }) = &arguments.only {
        let measured = flood::run(&stage::build(profile)?)?;
        return write(arguments, &measured);
    }
    let needs = Needs {
        begin: Begin::AsItIs,
        images: IMAGES.to_vec(),
        policy: Policy::OursAlone,
        servers: Servers::PostgresAndBrowser,
        s3: S3::No,
    };
    let prepared = setup::prepare(&needs)?;
    say::heading("build drover, as it is released");
    let binary = say::timed("built", || stage::build("release"))?;
    let before = leftovers::look()?;
    let mut report = json!({"machine": machine()?, "rounds": arguments.rounds()});

    report["race"] = the_race(arguments, &binary, &mut report)?;
    say::heading("other numbers");
    report["servers"] = the_servers(arguments, &binary)?;
    report["claims"] = claims(&prepared)?;
    if arguments.blobs {
        report["archives"] = archives::run()?;
    }
    drop(prepared);
    report["leftovers"] = the_end(&before)?;
    write(arguments, &report)
}

fn write(arguments: &Arguments, report: &Value) -> anyhow::Result<ExitCode> {
    if let Some(file) = &arguments.json {
        std::fs::write(file, format!("{report:#}\n")).with_context(|| format!("write {}", file.display()))?;
        say::line(format_args!("written to {}", file.display()));
    }
    Ok(ExitCode::SUCCESS)
}

/// The race and everything else that wants a Drover that is warm.
fn the_race(arguments: &Arguments, binary: &Path, report: &mut Value) -> anyhow::Result<Value> {
    say::heading("the race: by hand, by `drover run`, and through a warm coordinator and agent");
    let stage = Stage::up(binary, 2)?;
    let race = race::run(&stage, arguments.rounds())?;
    let after = servers::resident(stage.pid())?;
    let visible = browser::print_to_visible(&stage, arguments.pick(20, 100)).context("measure print to visible");
    drop(stage);
    table::race(&race);
    say::heading("while it ran");
    table::number(
        "from a step's end to the next one's begin",
        race.gaps.median(),
        "ms",
        Some(10.0),
    );
    table::number("memory of `drover up` after the race", Some(after), "MB", None);
    match visible {
        Ok(visible) => {
            table::number("print to visible, median", visible.median(), "ms", None);
            table::number("print to visible, 95 of 100", visible.quantile(0.95), "ms", Some(300.0));
            report["print_to_visible_ms"] = visible.json();
        }
        // Without a page there is still a race.
        Err(error) => say::line(format_args!("print to visible was not measured: {error:#}")),
    }
    report["step_gap_ms"] = race.gaps.json();
    report["up_memory_after_mb"] = json!(after);
    Ok(table::race_json(&race))
}

fn the_servers(arguments: &Arguments, binary: &Path) -> anyhow::Result<Value> {
    let starts = servers::starts(binary, arguments.pick(2, 7))?;
    table::number(
        "`drover up` answers, in an empty folder",
        starts.first.median(),
        "ms",
        Some(300.0),
    );
    table::number(
        "`drover up` answers, in a folder it knows",
        starts.again.median(),
        "ms",
        Some(300.0),
    );
    let memory = servers::memory(binary, Duration::from_secs(arguments.pick(3, 20)))?;
    table::number(
        "memory of a coordinator at rest",
        Some(memory.coordinator),
        "MB",
        Some(40.0),
    );
    table::number("memory of an agent at rest", Some(memory.agent), "MB", Some(25.0));
    let size = servers::size(binary)?;
    table::number("size of the program", Some(size), "MB", Some(40.0));
    Ok(json!({
        "first_start_ms": starts.first.json(),
        "start_ms": starts.again.json(),
        "coordinator_mb": memory.coordinator,
        "agent_mb": memory.agent,
        "binary_mb": size,
    }))
}

/// What is left in the engine once its removal had time, and how long that took.
fn the_end(before: &BTreeSet<Thing>) -> anyhow::Result<Value> {
    let left = leftovers::wait(before, REMOVAL)?;
    let took = left.waited.as_secs_f64() * 1e3;
    table::number("until nothing is left in the engine", Some(took), "ms", None);
    table::number(
        "left in the engine",
        Some(left.things.len() as f64),
        "things",
        Some(0.0),
    );
    left.things.iter().for_each(say::line);
    let things: Vec<String> = left.things.iter().map(Thing::to_string).collect();
    Ok(json!({"after_ms": took, "things": things}))
}

/// Claims per second, by the coordinator's own example, which simulates the agents and prints one JSON object.
fn claims(prepared: &Prepared) -> anyhow::Result<Value> {
    let folder = tempfile::tempdir().context("make a folder")?;
    let sqlite = format!("sqlite://{}", folder.path().join("claims.db").display());
    let postgres = prepared.postgres.as_ref().map(setup::postgres::Cluster::url);
    let mut claims = json!({});
    for (name, url) in [("sqlite", Some(sqlite)), ("postgres", postgres)] {
        let Some(url) = url else { continue };
        let measured = process::measure("coordinator", "claims", &[url.as_ref()])?;
        table::number(
            &format!("claims on {name}"),
            measured["per_second"].as_f64(),
            "a second",
            None,
        );
        claims[name] = measured;
    }
    Ok(claims)
}

/// Where the numbers come from.
fn machine() -> anyhow::Result<Value> {
    let ask = |program: &str, arguments: &[&str]| -> anyhow::Result<String> {
        Ok(
            process::output(Command::new(program).args(arguments).current_dir(process::workspace()))?
                .trim()
                .to_owned(),
        )
    };
    Ok(json!({
        "time": ask("date", &["-u", "+%Y-%m-%dT%H:%M:%SZ"])?,
        "commit": ask("git", &["rev-parse", "HEAD"]).ok(),
        "kernel": ask("uname", &["-sr"])?,
        "processors": std::thread::available_parallelism().map_or(0, usize::from),
        "engine": ask("docker", &["version", "--format", "{{.Server.Version}}"])?,
    }))
}
