//! What is asked about webhooks.

use clap::Subcommand;

/// `drover delivery …`
#[derive(Debug, Subcommand)]
pub enum Delivery {
    /// List what came for a repository, newest first
    #[command(alias = "list")]
    Ls {
        /// Its name
        repository: String,
        /// How many, at most 500
        #[arg(short = 'n', long, default_value_t = 50, value_name = "N")]
        limit: u32,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one: what it means, what came of it, and what was received
    Show {
        /// Its id, as `drover delivery ls` prints it
        id: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Process one again, whatever became of it
    Redeliver {
        /// Its id
        id: String,
    },
}
