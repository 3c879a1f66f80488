//! What tests said, and which tests a job takes: `drover tests …`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// `drover tests`
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    arg_required_else_help = true
)]
#[command(after_help = "Examples:
  drover tests 42 --failed
  drover tests flaky app
  ls tests/*.py | drover tests split --by timings --timings timings.json --index 0 --total 4 | xargs pytest")]
pub struct Tests {
    /// Build number
    #[arg(required = true)]
    pub number: Option<i64>,
    /// Only those that failed, with their messages
    #[arg(long)]
    pub failed: bool,
    /// Only of this job (name or title)
    #[arg(long, value_name = "JOB")]
    pub job: Option<String>,
    /// At most so many
    #[arg(long, short = 'n', default_value_t = 100)]
    pub limit: u32,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Something else than the tests of a build.
    #[command(subcommand)]
    pub other: Option<OtherTests>,
}

/// `drover tests flaky|slow|history|timings|split`
#[derive(Debug, Subcommand)]
pub enum OtherTests {
    /// Tests that passed and failed at one commit within 14 days
    Flaky(OfRepository),
    /// The slowest tests
    Slow(OfRepository),
    /// The newest results of one test
    History {
        /// Repository
        repository: String,
        /// The test's name
        name: String,
        /// Its suite
        #[arg(long, default_value = "")]
        suite: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// How long each test takes, as JSON: for `split --timings FILE`
    Timings {
        /// Repository
        repository: String,
    },
    /// Say which tests the job of this index takes, so that all take equally long
    Split(Split),
}

/// A list of one repository.
#[derive(Debug, Args)]
pub struct OfRepository {
    /// Repository
    pub repository: String,
    /// At most so many
    #[arg(long, short = 'n', default_value_t = 20)]
    pub limit: u32,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `drover tests split`
#[derive(Debug, Args)]
pub struct Split {
    /// How to share them out
    #[arg(long, value_enum, default_value_t = By::Timings)]
    pub by: By,
    /// Which part, from 0
    #[arg(long, value_name = "I")]
    pub index: usize,
    /// How many parts
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub total: u32,
    /// Times as `drover tests timings` prints them
    #[arg(long, value_name = "FILE")]
    pub timings: Option<PathBuf>,
    /// Times from JUnit reports of an earlier run, by globs below this folder
    #[arg(long, value_name = "GLOB")]
    pub junit: Vec<String>,
    /// Times of this repository, from the coordinator
    #[arg(long, value_name = "NAME", env = "DROVER_REPOSITORY")]
    pub repository: Option<String>,
    /// Test files, classes or names; without any, the lines of standard input
    pub items: Vec<String>,
}

/// How to share tests out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// By how long they took
    Timings,
    /// Sorted by name, in turn
    Name,
    /// As they come, in runs of equal length
    Count,
}
