//! How coding agents are let in.

use clap::Args;

/// `drover mcp`
#[derive(Debug, Args)]
pub struct Mcp {
    /// Also offer the tools that run builds again, cancel and trigger them
    #[arg(long)]
    pub write: bool,
}
