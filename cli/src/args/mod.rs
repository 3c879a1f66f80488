//! The command line, as data: what may be written, and the help that stands beside it.

mod ask;
mod deliveries;
mod here;
mod kept;
mod machine;
mod mcp;
mod reports;
mod serve;
mod shell;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use self::ask::{
    Audit, Build, BuildRef, Connection, Logs, Repo, Report, Rerun, Secret, Session, Token, Trigger, Watch, Why,
};
pub use self::deliveries::Delivery;
pub use self::here::{From, Init, Lint, Run};
pub use self::kept::{Artifact, Cache};
pub use self::mcp::Mcp;
pub use self::reports::{By, OfRepository, OtherTests, Split, Tests};
pub use self::serve::{Agent, Agents, Coordinator, Up};
pub use self::shell::{Shell, StackCommand};

/// How a client of the Model Context Protocol is told of the server.
const MCP_HELP: &str = r#"Coding agents start it themselves. Most read a JSON file, such as .mcp.json or .cursor/mcp.json:
  {"mcpServers": {"drover": {"command": "drover", "args": ["mcp"]}}}
With a coordinator on another machine, after `drover login`, or with its address and a token:
  {"mcpServers": {"drover": {"command": "drover", "args": ["mcp"],
    "env": {"DROVER_URL": "https://ci.example", "DROVER_TOKEN": "…"}}}}

Examples:
  drover mcp                          reads only: builds, failure reports, logs, tests, deliveries
  drover mcp --write                  can also run builds again, cancel and trigger them
  claude mcp add drover -- drover mcp
  codex mcp add drover -- drover mcp"#;

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
    /// Data folder of this machine's Drover [default: ~/.local/share/drover; for `drover run`: ~/.cache/drover]
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
        after_help = "Examples:\n  drover run\n  drover run test --matrix postgres=17\n  drover run --watch\n  drover run test --hold=30m"
    )]
    Run(Run),
    /// Make a job file for this folder
    #[command(
        after_help = "Examples:\n  drover init\n  drover init --from compose\n  drover init --from gitlab .gitlab-ci.yml --stdout"
    )]
    Init(Init),
    /// Check job files
    #[command(after_help = "Examples:\n  drover lint\n  drover lint --fix\n  drover lint .drover.yml --json")]
    Lint(Lint),
    /// Explain the code of a diagnostic
    #[command(after_help = "Examples:\n  drover explain DRV0114")]
    Explain {
        /// `DRV0114`, or `114`
        code: String,
    },
    /// Print the JSON Schema of the job file, for editors
    Schema,
    /// Repositories: add, ls, show, rm, hook
    #[command(subcommand)]
    Repo(Repo),
    /// Webhooks as they came: ls, show, redeliver
    #[command(subcommand)]
    #[command(after_help = "Examples:\n  drover delivery ls app\n  drover delivery show 0198c1f2-… --json")]
    Delivery(Delivery),
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
    /// Enter a step that runs, a service, or what a failed job left (`hold_on_failure`)
    #[command(after_help = "Examples:
  drover shell 42
  drover shell 42 --job 'test (postgres=15)' --service db -- psql -U postgres
  drover shell 42 --release")]
    Shell(Shell),
    /// What outlives its job (`hold_on_failure`): ls, extend, rm
    #[command(subcommand)]
    Stack(StackCommand),
    /// Let the build of a stranger's pull request run, after a look at its commit
    Approve(BuildRef),
    /// Stop a build
    Cancel(BuildRef),
    /// Run a build again
    Rerun(Rerun),
    /// What tests said: failed first; flaky and slow ones; share them out
    Tests(Tests),
    /// What went wrong in a build, in one answer: Markdown, for people and coding agents
    #[command(after_help = "Examples:\n  drover report 42\n  drover report 42 --json | jq '.failures[].errors'")]
    Report(Report),
    /// Serve coding agents: a Model Context Protocol server over stdin and stdout
    #[command(after_help = MCP_HELP)]
    Mcp(Mcp),
    /// Why is it waiting?
    Why(Why),
    /// Secrets: ls, set, rm
    #[command(subcommand)]
    Secret(Secret),
    /// Artifacts of a build: ls, get
    #[command(subcommand)]
    Artifact(Artifact),
    /// Caches of a repository: ls, prune
    #[command(subcommand)]
    Cache(Cache),
    /// API tokens: ls, add, rm
    #[command(subcommand)]
    Token(Token),
    /// Sessions of browsers: ls, rm
    #[command(subcommand)]
    Session(Session),
    /// List who changed what, newest first
    #[command(after_help = "Examples:\n  drover audit\n  drover audit -n 500 --json")]
    Audit(Audit),
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
    /// (inner) writes the reference pages
    #[command(name = "__reference", hide = true)]
    Reference {
        /// The sources' top folder
        root: PathBuf,
        /// Only say which differ
        #[arg(long)]
        check: bool,
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

/// `64m`, `1.5g`
fn size(text: &str) -> Result<u64, String> {
    job_specs::size_bytes(text).ok_or_else(|| format!("`{text}` is no size: 64m, 1.5g"))
}

pub(crate) fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(format!("`{text}` is not of the form NAME=VALUE")),
    }
}
