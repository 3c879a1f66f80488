//! `cargo xtask fuzz`: the stress test of the job language with as many inputs as are asked for, at full speed. Coverage
//! guides the targets in `job-specs/fuzz` (`cargo +nightly fuzz run parse`); this one needs nothing installed.

use std::process::ExitCode;

use crate::process;

/// How much.
#[derive(clap::Args)]
pub struct Arguments {
    /// How many inputs
    #[arg(long, default_value_t = 1_000_000)]
    inputs: u64,
    /// Where the generator begins; the same seed makes the same inputs
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Runs it; its last lines say how many inputs there were, how long the slowest took and how much memory was used.
///
/// # Errors
/// When an input panics, takes longer than a second, or the run more than 200 MB.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut command = process::cargo();
    command
        .args([
            "test",
            "--release",
            "--package",
            "job-specs",
            "--test",
            "it",
            "stress::",
            "--",
            "--nocapture",
        ])
        .env("DROVER_FUZZ_INPUTS", arguments.inputs.to_string())
        .env("DROVER_FUZZ_SEED", arguments.seed.to_string());
    process::run(&mut command)?;
    Ok(ExitCode::SUCCESS)
}
