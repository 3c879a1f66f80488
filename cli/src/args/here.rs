//! What needs no coordinator: `run`, `init`, `lint`.

use std::path::PathBuf;

use agent::local::Hold;
use clap::{Args, ValueEnum};

use super::key_value;

/// `drover run`
#[derive(Debug, Args)]
pub struct Run {
    /// Jobs to run, with what they need [default: all]
    pub jobs: Vec<String>,
    /// Job file [default: .drover.yml, or .drover/*.yml]
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Only cells with this value; may be given several times
    #[arg(long, value_name = "K=V", value_parser = key_value)]
    pub matrix: Vec<(String, String)>,
    /// Cells and jobs at once
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub slots: usize,
    /// File with `NAME=value` lines for the secrets; a value of several lines stands in quotes
    #[arg(long, value_name = "FILE")]
    pub secrets_file: Option<PathBuf>,
    /// Run again whenever a file changes: the jobs whose paths the change touches
    #[arg(long)]
    pub watch: bool,
    /// Keep services and a container of failed jobs: for an hour, so long, or `always` of passed jobs too
    #[arg(
        long,
        value_name = "TIME|always",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "1h",
        value_parser = hold_for,
        conflicts_with = "watch"
    )]
    pub hold: Option<Hold>,
    /// Print every line and event as JSON
    #[arg(long)]
    pub json: bool,
}

fn hold_for(text: &str) -> Result<Hold, String> {
    let (always, time) = if text == "always" { (true, "1h") } else { (false, text) };
    match job_specs::duration_ms(time).filter(|ms| (1000..=12 * 3_600_000).contains(ms)) {
        Some(ms) => Ok(Hold {
            secs: ms / 1000,
            always,
        }),
        None => Err(format!("`{text}` is neither `always` nor a time up to 12h: 10m, 1h30m")),
    }
}

/// `drover init`
#[derive(Debug, Args)]
pub struct Init {
    /// Carry over the file of another system [default: look at the files of this folder]
    #[arg(long, value_enum, value_name = "SYSTEM")]
    pub from: Option<From>,
    /// That file [default: where the system has it]
    #[arg(requires = "from")]
    pub file: Option<PathBuf>,
    /// Overwrite a job file that is there
    #[arg(long)]
    pub force: bool,
    /// Print the file instead of writing it
    #[arg(long)]
    pub stdout: bool,
    /// Print path, text and notes as JSON
    #[arg(long)]
    pub json: bool,
}

/// `--from` of `drover init`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum From {
    /// compose.yaml, docker-compose.yml: its services
    Compose,
    /// .woodpecker.yml, .woodpecker/*.yml
    Woodpecker,
    /// .gitlab-ci.yml
    Gitlab,
    /// .github/workflows/*.yml
    Github,
    /// .drone.yml
    Drone,
}

/// `drover lint`
#[derive(Debug, Args)]
pub struct Lint {
    /// Job files [default: those of this folder]
    pub files: Vec<PathBuf>,
    /// Mend what can be mended without a doubt, and say what
    #[arg(long)]
    pub fix: bool,
    /// Print what a code means, and nothing else
    #[arg(long, value_name = "CODE", conflicts_with_all = ["files", "fix"])]
    pub explain: Option<String>,
    /// Print the diagnostics as JSON
    #[arg(long)]
    pub json: bool,
}
