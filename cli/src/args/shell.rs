//! `shell`: looking around where a job runs.

use clap::Args;

/// `drover shell`
#[derive(Debug, Args)]
pub struct Shell {
    /// Build number
    #[arg(required_unless_present = "local")]
    pub number: Option<i64>,
    /// Which job (`test`, or `test (postgres=15)`) [default: the only one that runs or is held]
    #[arg(long, value_name = "JOB")]
    pub job: Option<String>,
    /// Its step that runs or is held, by name or number [default: the one there is]
    #[arg(long, value_name = "STEP", conflicts_with = "service")]
    pub step: Option<String>,
    /// Not a step: this service
    #[arg(long, value_name = "SERVICE")]
    pub service: Option<String>,
    /// Do not enter: let the held containers go
    #[arg(long, conflicts_with_all = ["step", "service", "command"])]
    pub release: bool,
    /// A job of `drover run --hold` on this machine instead of a build's
    #[arg(long, conflicts_with_all = ["number", "release"])]
    pub local: bool,
    /// What to run [default: bash, or else sh]
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}
