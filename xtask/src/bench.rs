//! Not yet.
use std::process::ExitCode;
/// a
#[derive(clap::Args)]
pub struct Arguments {}
/// a
pub fn run(_: &Arguments) -> anyhow::Result<ExitCode> {
    Ok(ExitCode::SUCCESS)
}
