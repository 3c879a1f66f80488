//! What needs no coordinator: `run`, `lint`.

use std::path::PathBuf;

use clap::Args;

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
    /// File with `NAME=value` lines for the steps' secrets
    #[arg(long, value_name = "FILE")]
    pub secrets_file: Option<PathBuf>,
}

/// `drover lint`
#[derive(Debug, Args)]
pub struct Lint {
    /// Job files [default: those of this folder]
    pub files: Vec<PathBuf>,
    /// Print the diagnostics as JSON
    #[arg(long)]
    pub json: bool,
}
