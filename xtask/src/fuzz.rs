//! `cargo xtask fuzz`: the driver in `fuzz/`, built for speed. A process that an input ended (no memory left, no stack
//! left) is told from one that ended by itself.

use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::process;

/// What the driver takes; `cargo xtask fuzz --help` is its own.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub struct Arguments {
    /// For the driver
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Runs it; its last line says how many inputs there were and how many failed.
///
/// # Errors
/// When an input ended the driver.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut command = process::cargo();
    command.args(["run", "--quiet", "--release", "--package", "fuzz", "--"]);
    let status = command.args(&arguments.rest).status().context("start the driver")?;
    match status.code() {
        Some(0) => Ok(ExitCode::SUCCESS),
        Some(1) => Ok(ExitCode::FAILURE),
        _ => bail!(
            "the driver ended with {status}: the file that it named at its begin has the input's index; repeat it with --from INDEX --inputs 1, go on with --from INDEX+1"
        ),
    }
}
