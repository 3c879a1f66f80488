//! What is asked of a coordinator: repositories, builds, logs, secrets, tokens.

use std::path::PathBuf;

use clap::builder::{OsStringValueParser, PossibleValuesParser, TypedValueParser};
use clap::{ArgGroup, Args, Subcommand};
use coordinator::forges::Forge;
use protocol::api::ApprovalPolicy;

use super::Json;

/// `drover repo …`
#[derive(Debug, Subcommand)]
pub enum Repo {
    /// List the schedules of a repository, with their next times
    Schedules {
        /// Name
        name: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Add a repository; connects it with its forge, or prints its hook URL and secret
    #[command(after_help = "Examples:
  drover repo add https://github.com/acme/app --token-file token    registers the webhook, reports statuses
  drover repo add app --git https://git.example/app.git --forge gitea
  drover repo add app --git /srv/git/app.git && drover repo hook app --post-receive > /srv/git/app.git/hooks/post-receive")]
    Add {
        /// Its name here (letters, digits, `.`, `_`, `-`), or its URL, whose last part is then its name
        #[arg(value_name = "NAME|URL")]
        name: String,
        /// Where to fetch it from
        #[arg(long, value_name = "URL|PATH")]
        git: Option<String>,
        /// Who hosts it and sends its hooks [default: as a well-known host says, else generic]
        #[arg(long, value_name = "FORGE")]
        #[arg(value_parser = PossibleValuesParser::new(Forge::ALL.map(Forge::word)).try_map(|word| word.parse::<Forge>()))]
        forge: Option<Forge>,
        /// Anyone may read its builds
        #[arg(long)]
        public: bool,
        #[command(flatten)]
        connection: Connection,
        /// Ask it for new commits this often, 10s to 1d: for a repository that sends no webhooks
        #[arg(long, value_name = "TIME", value_parser = poll_secs)]
        poll: Option<u32>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Connect a repository with its forge, or change its token: registers the webhook, reports commit statuses
    #[command(after_help = "Examples:
  drover repo connect app --token-file token
  pass show forge | drover repo connect app --token-file - --api https://git.example/api/v1 --project acme/app")]
    Connect {
        /// Its name
        name: String,
        #[command(flatten)]
        connection: Connection,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Destroy the token of a repository: its forge is told nothing more
    Disconnect {
        /// Its name
        name: String,
    },
    /// List repositories
    #[command(alias = "list")]
    Ls(Json),
    /// Show a repository, what its forge was told, and its last deliveries
    Show {
        /// Its name
        name: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Change a repository
    #[command(group = ArgGroup::new("change").args(["public", "poll"]).required(true).multiple(true))]
    #[command(
        after_help = "Examples:\n  drover repo set app --poll 5m\n  drover repo set app --poll off --public false"
    )]
    Set {
        /// Its name
        name: String,
        /// May anyone read its builds?
        #[arg(long, value_name = "BOOL")]
        public: Option<bool>,
        /// Ask it for new commits this often, 10s to 1d, or not at all
        #[arg(long, value_name = "TIME|off", value_parser = poll_secs)]
        poll: Option<u32>,
        /// Whose pull requests wait until somebody approves their commit
        #[arg(long, value_name = "WHOSE", value_parser = approval_policy())]
        approval: Option<ApprovalPolicy>,
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
        /// Make a new secret first; the old one works for 7 days more
        #[arg(long)]
        rotate: bool,
        /// With `--rotate`: the old secret stops working at once
        #[arg(long, requires = "rotate")]
        now: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// How a repository is reached at its forge.
#[derive(Debug, Args)]
pub struct Connection {
    /// File with a token that may write webhooks and commit statuses; `-`: read it from stdin
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// URL of the forge's API [default: as the repository's URL says]
    #[arg(long, value_name = "URL", requires = "token_file")]
    pub api: Option<String>,
    /// The project at the forge [default: as the repository's URL says]
    #[arg(long, value_name = "OWNER/NAME", requires = "token_file")]
    pub project: Option<String>,
}

/// `--approval`: `untrusted` or `never`.
fn approval_policy() -> impl TypedValueParser<Value = ApprovalPolicy> {
    let words = PossibleValuesParser::new(["untrusted", "never"]);
    words.map(|word| match word.as_str() {
        "never" => ApprovalPolicy::Never,
        _ => ApprovalPolicy::Untrusted,
    })
}

/// `--poll`: in seconds; 0 is `off`.
fn poll_secs(text: &str) -> Result<u32, String> {
    if text == "off" {
        return Ok(0);
    }
    let ms = job_specs::duration_ms(text).filter(|ms| *ms > 0);
    let secs = ms.and_then(|ms| u32::try_from(ms.div_ceil(1000)).ok());
    secs.ok_or_else(|| format!("`{text}` is neither `off` nor a time from 10s to 1d: 30s, 5m, 1h"))
}

/// `drover trigger`
#[derive(Debug, Args)]
pub struct Trigger {
    /// Repository
    pub repository: String,
    /// Branch, tag, full reference or commit [default: the default branch]
    #[arg(long = "ref", value_name = "REF", value_parser = any_bytes())]
    pub reference: Option<String>,
    /// Value of an input of the job file; may be given several times
    #[arg(long = "input", value_name = "NAME=VALUE", value_parser = pair)]
    pub inputs: Vec<(String, String)>,
    /// Follow the build
    #[arg(long)]
    pub watch: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// A name in git may have any bytes; the coordinator knows it with a sign in the place of those that are not UTF-8.
fn any_bytes() -> impl TypedValueParser<Value = String> {
    OsStringValueParser::new().map(|text| text.to_string_lossy().into_owned())
}

/// `NAME=VALUE`
fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

/// `drover build …`
#[derive(Debug, Subcommand)]
pub enum Build {
    /// List builds, newest first
    #[command(alias = "list")]
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

/// `drover report`
#[derive(Debug, Args)]
pub struct Report {
    /// Build number
    pub number: i64,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
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
    /// The text alone: the bytes as they were written
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
    #[arg(long, conflicts_with = "jobs")]
    pub failed: bool,
    /// Only this job, and what was skipped because of it; may be given several times
    #[arg(long = "job", value_name = "JOB")]
    pub jobs: Vec<String>,
    /// Only its cells with this value
    #[arg(long, value_name = "AXIS=VALUE", value_parser = pair, requires = "jobs")]
    pub matrix: Vec<(String, String)>,
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

/// `drover audit`
#[derive(Debug, Args)]
pub struct Audit {
    /// At most so many
    #[arg(long, short = 'n', default_value_t = 50, value_name = "N")]
    pub limit: usize,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `drover secret …`
#[derive(Debug, Subcommand)]
pub enum Secret {
    /// List the names
    #[command(alias = "list")]
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
    #[command(alias = "list")]
    Ls(Json),
    /// Make a token; it is shown once
    #[command(after_help = "Examples:\n  drover token add laptop\n  drover token add nightly --days 365")]
    Add {
        /// What it is for
        name: String,
        /// Days that it works [default: 90]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=3650))]
        days: Option<u32>,
        /// It works until it is revoked
        #[arg(long, conflicts_with = "days")]
        no_expiry: bool,
    },
    /// Revoke a token
    Rm {
        /// Its id
        token: String,
    },
}

/// `drover session …`
#[derive(Debug, Subcommand)]
pub enum Session {
    /// List the browsers that are logged in
    #[command(after_help = "Examples:\n  drover session ls\n  drover session ls --json")]
    #[command(alias = "list")]
    Ls(Json),
    /// Log a browser out
    #[command(after_help = "Examples:
  drover session rm 019abf5e2c3d7e8f9a0b1c2d3e4f5a6b
  drover session rm --all")]
    Rm {
        /// Its id
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        session: Option<String>,
        /// Log all browsers out
        #[arg(long)]
        all: bool,
    },
}
