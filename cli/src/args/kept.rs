//! What jobs kept: artifacts and caches.

use std::path::PathBuf;

use clap::Subcommand;

/// `drover artifact …`
#[derive(Debug, Subcommand)]
pub enum Artifact {
    /// List the artifacts of a build
    #[command(after_help = "Examples:\n  drover artifact ls 42\n  drover artifact ls 42 --json")]
    #[command(alias = "list")]
    Ls {
        /// Build number
        number: i64,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Fetch an artifact and unpack it
    #[command(after_help = "Examples:
  drover artifact get 42 binary                          into the folder `binary`
  drover artifact get 42 binary --job 'build (arch=arm64)' --output out
  drover artifact get 42 binary --output - > binary.tar.zst")]
    Get {
        /// Build number
        number: i64,
        /// Its name
        name: String,
        /// Of this job (`build`, or `build (arch=arm64)`), when several have one of that name
        #[arg(long)]
        job: Option<String>,
        /// Unpack it there; `-`: write the archive to stdout
        #[arg(long, short, value_name = "DIR|-")]
        output: Option<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// `drover cache …`
#[derive(Debug, Subcommand)]
pub enum Cache {
    /// List the caches of a repository, last used first
    #[command(after_help = "Examples:\n  drover cache ls app")]
    #[command(alias = "list")]
    Ls {
        /// Repository
        repository: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove the caches of a repository
    #[command(after_help = "Examples:\n  drover cache prune app\n  drover cache prune app --scope refs/heads/old")]
    Prune {
        /// Repository
        repository: String,
        /// Only those that builds of this reference wrote
        #[arg(long, value_name = "REF")]
        scope: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}
