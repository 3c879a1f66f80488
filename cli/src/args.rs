//! The command line, as data: what may be written, and the help that stands beside it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Drover: a self-hosted CI runner whose services are ready, whose logs are whole and whose jobs are fast.
#[derive(Debug, Parser)]
#[command(
    name = "drover",
    version,
    max_term_width = 100,
    propagate_version = true,
    disable_help_subcommand = true
)]
#[command(after_help = "Examples:
  drover up                                   coordinator and agent on this machine
  drover run                                  this folder's jobs, here and now
  drover repo add app --git ~/src/app.git     a repository; prints its hook
  drover watch 42                             follow build 42; exits as it does")]
pub struct Arguments {
    /// Where the coordinator is [default: the one of this machine]
    #[arg(
        long,
        global = true,
        env = "DROVER_URL",
        value_name = "URL",
        help_heading = "Coordinator"
    )]
    pub url: Option<String>,
    /// The token to show it [default: `drover login`'s, or the administrator's on this machine]
    #[arg(
        long,
        global = true,
        env = "DROVER_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true
    )]
    #[arg(help_heading = "Coordinator", hide = true)]
    pub token: Option<String>,
    /// Data folder of this machine's Drover [default: ~/.local/share/drover]
    #[arg(
        long,
        global = true,
        env = "DROVER_DATA",
        value_name = "DIR",
        help_heading = "Coordinator"
    )]
    pub data: Option<PathBuf>,
    /// How to show progress, on stderr
    #[arg(long, global = true, value_enum, default_value_t = Progress::Auto, value_name = "HOW")]
    pub progress: Progress,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Progress {
    /// `tty` on a terminal, else `plain`
    Auto,
    /// Colours and redrawn lines
    Tty,
    /// One line an event, greppable
    Plain,
    /// Nothing but the result
    Quiet,
    /// One JSON object an event
    Json,
}

/// Every command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start coordinator and agent in one process
    #[command(
        after_help = "Examples:\n  drover up\n  drover up --listen 0.0.0.0:7878 --slots 4 --data /var/lib/drover"
    )]
    Up(Up),
    /// Start a coordinator alone
    Coordinator(Coordinator),
    /// Start an agent, or look after the coordinator's agents
    #[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
    #[command(after_help = "Examples:
  drover agent token                                         a code for a new agent (one use)
  drover agent --coordinator https://ci.example --token-file /etc/drover/agent.token --slots 4
  drover agent ls")]
    Agent(Agent),
    /// Run jobs of this folder here and now: the same engine, no coordinator
    #[command(
        after_help = "Examples:\n  drover run\n  drover run test --matrix postgres=17\n  drover run --file ci.yml"
    )]
    Run(Run),
    /// Check job files
    #[command(after_help = "Examples:\n  drover lint\n  drover lint .drover.yml --json")]
    Lint(Lint),
    /// Print the JSON Schema of the job file, for editors
    Schema,
    /// Repositories: add, ls, show, rm, hook
    #[command(subcommand)]
    Repo(Repo),
    /// Start a build by hand
    Trigger(Trigger),
    /// Builds: ls, show
    #[command(subcommand)]
    Build(Build),
    /// Follow a build to its end, and exit as it does
    Watch(Watch),
    /// Print the logs of a build
    #[command(
        after_help = "Examples:\n  drover logs 42 -f\n  drover logs 42 --job test --service db\n  drover logs 42 --raw"
    )]
    Logs(Logs),
    /// Stop a build
    Cancel(BuildRef),
    /// Run a build again
    Rerun(Rerun),
    /// Why is it waiting?
    Why(Why),
    /// Secrets: ls, set, rm
    #[command(subcommand)]
    Secret(Secret),
    /// API tokens: ls, add, rm
    #[command(subcommand)]
    Token(Token),
    /// Remember a coordinator and a token (read from stdin)
    Login,
    /// A new one-time link to log in to the web pages
    LoginLink,
    /// Check engine, disk, clock and coordinator, and say what to mend
    Doctor(Json),
    /// Print the version
    Version(Json),
    /// Print a completion script
    Completion {
        /// For which shell
        shell: clap_complete::Shell,
    },
    /// (inner) removes what a local run left
    #[command(name = "__reap", hide = true)]
    Reap,
}

/// `--json` of a view.
#[derive(Debug, Clone, Copy, Args)]
pub struct Json {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

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
    /// The address that people and forges use [default: the one it listens on]
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
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
    /// What jobs may ask for: `arch=amd64,gpu=true`
    #[arg(long, value_name = "K=V", value_delimiter = ',', value_parser = key_value)]
    pub labels: Vec<(String, String)>,
    /// How people call it [default: the host's name]
    #[arg(long)]
    pub name: Option<String>,
    /// Take one job, then end
    #[arg(long)]
    pub once: bool,
    /// Look after agents instead
    #[command(subcommand)]
    pub look: Option<Agents>,
}

/// `drover agent ls|drain|rm|token`
#[derive(Debug, Subcommand)]
pub enum Agents {
    /// List agents
    Ls(Json),
    /// Let an agent finish what it has, and give it nothing new
    Drain {
        /// Its name or id
        agent: String,
        /// Give it work again
        #[arg(long)]
        undo: bool,
    },
    /// Forget an agent; its token stops working
    Rm {
        /// Its name or id
        agent: String,
    },
    /// Print a one-time enrolment code for a new agent
    Token(Json),
}

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

/// `drover repo …`
#[derive(Debug, Subcommand)]
pub enum Repo {
    /// Add a repository; prints its hook URL and secret
    #[command(after_help = "Examples:
  drover repo add app --git https://git.example/app.git --forge gitea
  drover repo add app --git /srv/git/app.git && drover repo hook app --post-receive > /srv/git/app.git/hooks/post-receive")]
    Add {
        /// Its name here: letters, digits, `.`, `_`, `-`, `/`
        name: String,
        /// Where to fetch it from
        #[arg(long, value_name = "URL|PATH")]
        git: String,
        /// Who sends its hooks
        #[arg(long, default_value = "generic", value_name = "FORGE")]
        #[arg(value_parser = ["generic", "github", "gitea", "forgejo"])]
        forge: String,
        /// Anyone may read its builds
        #[arg(long)]
        public: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List repositories
    Ls(Json),
    /// Show a repository and its last deliveries
    Show {
        /// Its name
        name: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Change a repository
    Set {
        /// Its name
        name: String,
        /// May anyone read its builds?
        #[arg(long, value_name = "BOOL")]
        public: bool,
    },
    /// Remove a repository with its builds
    Rm {
        /// Its name
        name: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Print the hook of a repository
    Hook {
        /// Its name
        name: String,
        /// As a ready post-receive script
        #[arg(long)]
        post_receive: bool,
        /// Make a new secret first; the old one stops working
        #[arg(long)]
        rotate: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// `drover trigger`
#[derive(Debug, Args)]
pub struct Trigger {
    /// Repository
    pub repository: String,
    /// Branch, tag, full reference or commit [default: the default branch]
    #[arg(long = "ref", value_name = "REF")]
    pub reference: Option<String>,
    /// Follow the build
    #[arg(long)]
    pub watch: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `drover build …`
#[derive(Debug, Subcommand)]
pub enum Build {
    /// List builds, newest first
    Ls {
        /// Only of this repository
        #[arg(long, value_name = "NAME")]
        repository: Option<String>,
        /// At most so many
        #[arg(long, short = 'n', default_value_t = 20)]
        limit: u32,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show a build and its jobs
    Show {
        /// Build number
        number: i64,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// A build by its number.
#[derive(Debug, Args)]
pub struct BuildRef {
    /// Build number
    pub number: i64,
}

/// `drover watch`
#[derive(Debug, Args)]
pub struct Watch {
    /// Build number
    pub number: i64,
    /// Give up after so many seconds (exit code 8)
    #[arg(long, value_name = "SECONDS")]
    pub timeout: Option<u64>,
}

/// `drover logs`
#[derive(Debug, Args)]
pub struct Logs {
    /// Build number
    pub number: i64,
    /// Only of this job (`test`, or `test (postgres=15)`)
    #[arg(long)]
    pub job: Option<String>,
    /// Only of this step (name or number, from 1)
    #[arg(long, conflicts_with = "service")]
    pub step: Option<String>,
    /// Only of this service
    #[arg(long)]
    pub service: Option<String>,
    /// Go on until the build ends
    #[arg(long, short)]
    pub follow: bool,
    /// The text alone
    #[arg(long, conflicts_with = "json")]
    pub raw: bool,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// `drover rerun`
#[derive(Debug, Args)]
pub struct Rerun {
    /// Build number
    pub number: i64,
    /// Only jobs that did not pass
    #[arg(long)]
    pub failed: bool,
    /// Follow it
    #[arg(long)]
    pub watch: bool,
}

/// `drover why`
#[derive(Debug, Args)]
pub struct Why {
    /// Build number
    pub number: i64,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `drover secret …`
#[derive(Debug, Subcommand)]
pub enum Secret {
    /// List the names
    Ls {
        /// Repository
        repository: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Set a secret; its value is read from stdin
    #[command(
        after_help = "Examples:\n  printf %s \"$TOKEN\" | drover secret set app API_TOKEN\n  drover secret set app SSH_KEY < id_ed25519"
    )]
    Set {
        /// Repository
        repository: String,
        /// Name: letters, digits and `_`
        name: String,
    },
    /// Remove a secret
    Rm {
        /// Repository
        repository: String,
        /// Name
        name: String,
    },
}

/// `drover token …`
#[derive(Debug, Subcommand)]
pub enum Token {
    /// List tokens (never their values)
    Ls(Json),
    /// Make a token; it is shown once
    Add {
        /// What it is for
        name: String,
    },
    /// Revoke a token
    Rm {
        /// Its name or id
        token: String,
    },
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(format!("`{text}` is not of the form NAME=VALUE")),
    }
}
