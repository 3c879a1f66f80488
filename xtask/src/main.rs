//! `cargo xtask demo | test | dist | bench | tidy | docs | fuzz | images`: everything that is done with the project rather than by it.
//! It needs nothing but a Rust toolchain: what else is missing, `setup` installs or names.

use clap::{Parser, Subcommand};
use std::process::ExitCode;

mod bench;
mod demo;
mod dist;
mod docs;
mod fuzz;
mod http;
mod keeper;
mod leftovers;
mod process;
mod say;
mod setup;
mod stage;
mod test;
mod tidy;

/// Tasks of the Drover workspace.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Show a push becoming a green build, from nothing.
    Demo(demo::Arguments),
    /// Check and test everything; the last line is `N passed, M failed`.
    Test(test::Arguments),
    /// Make what people install: archive, Debian package, container image.
    Dist(dist::Arguments),
    /// Measure Drover beside the docker CLI.
    Bench(bench::Arguments),
    /// Check the rules that no compiler knows.
    Tidy,
    /// Write `docs/reference` from the tables of keys, the list of codes and the command line.
    Docs,
    /// Read a great many mutated files, payloads, archives and messages: none may panic, be slow or take much memory.
    Fuzz(fuzz::Arguments),
    /// Make the images that tests and demo use.
    Images(setup::images::Arguments),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Demo(arguments) => demo::run(&arguments),
        Task::Test(arguments) => test::run(&arguments),
        Task::Dist(arguments) => dist::run(&arguments),
        Task::Bench(arguments) => bench::run(&arguments),
        Task::Tidy => tidy::run(),
        Task::Docs => docs::run(),
        Task::Fuzz(arguments) => fuzz::run(&arguments),
        Task::Images(arguments) => setup::images::run(&arguments),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            match error.downcast_ref::<setup::Missing>() {
                Some(_) => ExitCode::from(2),
                None => ExitCode::FAILURE,
            }
        }
    }
}
