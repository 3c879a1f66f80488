//! `shell`: looking around where a job runs.

use clap::{Args, Subcommand};

use super::Json;

/// `drover shell`
#[derive(Debug, Args)]
pub struct Shell {
    /// Build number
    #[arg(required_unless_present = "local")]
    pub number: Option<i64>,
    /// Which job (`test`, or `test (postgres=15)`) [default: the only one that runs or is retained]
    #[arg(long, value_name = "JOB")]
    pub job: Option<String>,
    /// Its step that runs or is retained, by name or number [default: the one there is]
    #[arg(long, value_name = "STEP", conflicts_with = "service")]
    pub step: Option<String>,
    /// Not a step: this service
    #[arg(long, value_name = "SERVICE")]
    pub service: Option<String>,
    /// Do not enter: remove what is retained of the job, or of all
    #[arg(long, conflicts_with_all = ["step", "service", "command"])]
    pub release: bool,
    /// A job of `drover run --hold` on this machine instead of a build's
    #[arg(long, conflicts_with_all = ["number", "release"])]
    pub local: bool,
    /// What to run [default: bash, or else sh]
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// `drover stack …`
#[derive(Debug, Subcommand)]
pub enum StackCommand {
    /// List what is retained of failed jobs, on which agent and until when
    #[command(after_help = "Examples:\n  drover stack ls\n  drover stack ls --json")]
    #[command(alias = "list")]
    Ls(Json),
    /// Give a stack its full time again, as every shell in it does
    #[command(after_help = "Examples:\n  drover stack extend 019abf5e2c3d7e8f9a0b1c2d3e4f5a6b")]
    Extend {
        /// Its id
        stack: String,
    },
    /// Remove a stack before its time
    #[command(after_help = "Examples:\n  drover stack rm 019abf5e2c3d7e8f9a0b1c2d3e4f5a6b")]
    Rm {
        /// Its id
        stack: String,
    },
}
