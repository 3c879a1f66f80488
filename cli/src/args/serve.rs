//! What runs for long: `up`, `coordinator`, `agent`, and the looks after agents.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::machine::Machine;
use super::{Json, key_value, size};

/// `drover up`
#[derive(Debug, Args)]
pub struct Up {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:7878", value_name = "ADDR")]
    pub listen: std::net::SocketAddr,
    /// Jobs at once [default: the number of processors]
    #[arg(long, value_name = "N")]
    pub slots: Option<u32>,
    /// `sqlite:FILE` or `postgres://…` [default: SQLite in the data folder]
    #[arg(long, env = "DROVER_DATABASE", value_name = "URL", hide_env_values = true)]
    pub database: Option<String>,
    /// File with that URL, so that its password is not in the arguments
    #[arg(long, value_name = "FILE", conflicts_with = "database")]
    pub database_file: Option<PathBuf>,
    /// The address that people and forges use [default: the one it listens on]
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// The most that the log of a step or service may have; of more its begin and end are kept [default: 64m; 0: any]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub log_limit: Option<u64>,
    #[command(flatten)]
    pub machine: Machine,
}

/// `drover coordinator`
#[derive(Debug, Args)]
pub struct Coordinator {
    /// TOML file; see docs/reference/coordinator.toml
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
}

/// `drover agent`
#[derive(Debug, Args)]
pub struct Agent {
    /// The coordinator's address
    #[arg(long, value_name = "URL", required = true)]
    pub coordinator: Option<String>,
    /// File with the agent's token, or with an enrolment code that becomes one
    #[arg(long, value_name = "FILE", required = true)]
    pub token_file: Option<PathBuf>,
    /// Jobs at once [default: the number of processors]
    #[arg(long, value_name = "N")]
    pub slots: Option<u32>,
    /// What jobs may ask for: `arch=amd64,gpu=true`; told once, when an enrolment code without labels is used
    #[arg(long, value_name = "K=V", value_delimiter = ',', value_parser = key_value)]
    pub labels: Vec<(String, String)>,
    /// How people call it [default: the host's name]
    #[arg(long)]
    pub name: Option<String>,
    /// Take one job, then end
    #[arg(long)]
    pub once: bool,
    /// The most that the log of a step or service may have; of more its begin and end are kept [default: 64m; 0: any]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub log_limit: Option<u64>,
    /// Speak to a coordinator on another machine without TLS: token and secrets can be read on the way
    #[arg(long)]
    pub insecure_http: bool,
    #[command(flatten)]
    pub machine: Machine,
    /// Look after agents instead
    #[command(subcommand)]
    pub look: Option<Agents>,
}

/// `drover agent ls|drain|label|rm|token`
#[derive(Debug, Subcommand)]
pub enum Agents {
    /// List agents
    #[command(alias = "list")]
    Ls(Json),
    /// Let an agent finish what it has, and give it nothing new
    Drain {
        /// Its name or id
        agent: String,
        /// Give it work again
        #[arg(long)]
        undo: bool,
    },
    /// Give an agent other labels, all of them at once
    Label {
        /// Its name or id
        agent: String,
        /// `arch=arm64,gpu=true`; none takes them all away
        #[arg(value_name = "K=V", value_delimiter = ',', value_parser = key_value)]
        labels: Vec<(String, String)>,
    },
    /// Forget an agent; its token stops working
    Rm {
        /// Its name or id
        agent: String,
    },
    /// Print a one-time enrolment code for a new agent
    Token {
        /// The labels that the agent will have, whatever it asks for: `arch=arm64,gpu=true`, or `""` for none
        #[arg(long, value_name = "K=V,..")]
        labels: Option<String>,
        #[command(flatten)]
        json: Json,
    },
}
