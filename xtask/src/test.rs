//! Not yet.
use std::process::ExitCode;
/// What the tests use.
pub const IMAGES: &[&str] = &[
    "busybox",
    "debian:bookworm",
    "redis:6",
    "redis:7",
    "postgres:15",
    "postgres:17",
];
/// a
#[derive(clap::Args)]
pub struct Arguments {}
/// a
pub fn run(_: &Arguments) -> anyhow::Result<ExitCode> {
    Ok(ExitCode::SUCCESS)
}
