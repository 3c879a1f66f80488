//! What the coordinator can be told, from TOML (`drover coordinator --config FILE`) or from flags (`drover up`).
//! An unknown key is an error, so a misspelt limit is never silently the default.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::network::Network;

/// Everything the coordinator needs to start. Every field has a default, so `drover up` needs no file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The folder of everything kept: database, logs, keys, mirrors.
    pub data: PathBuf,
    /// `postgres://…`; by default an SQLite file in `data`.
    pub database: Option<String>,
    /// The address that people, forges and agents use, without a trailing slash; by default `http://<listen>`.
    pub public_url: Option<String>,
    /// How long logs and test reports are kept.
    pub retention: Retention,
    /// How much a request may send.
    pub limits: Limits,
    /// How many connections there may be, and how slow.
    pub connections: Connections,
    /// How git talks to repositories.
    pub git: Git,
    /// Where caches and artifacts are kept, and how much of them.
    pub blobs: Blobs,
}

/// How long logs, test reports, webhooks, builds and audit entries are kept; of several limits the first that is reached counts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Days after the end of an attempt.
    pub days: u32,
    /// Bytes of all logs on disk; the oldest go first.
    pub max_bytes: u64,
    /// Days that test reports are kept.
    pub test_days: u32,
    /// Days that the bodies of webhooks are kept.
    pub webhook_days: u32,
    /// Days that audit entries and builds are kept. A build that runs, that has artifacts, or that is the newest of its branch stays.
    pub build_days: u32,
    /// Builds of one repository.
    pub builds: u64,
}

/// The largest bodies that are read, in bytes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// A webhook.
    pub webhook_bytes: usize,
    /// Any other call.
    pub request_bytes: usize,
    /// A log upload after decompression.
    pub log_bytes: usize,
    /// Everything that callers without credentials are sending at once.
    pub public_bytes: usize,
}

/// How many connections there may be, and how slow.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Connections {
    /// At once. When all are taken, the oldest that has sent no request makes room; those of agents and users stay.
    pub most: usize,
    /// Of one address (of IPv6: one /64), unless it is a trusted proxy.
    pub per_address: usize,
    /// Requests a second of one address without credentials.
    pub requests_per_address: u32,
    /// Seconds until a request's head is there.
    pub header_secs: u64,
    /// Seconds that a connection may rest between two requests.
    pub idle_secs: u64,
    /// Seconds that somebody without credentials may take less than 64 KiB of an answer.
    pub stall_secs: u64,
    /// Reverse proxies: their `X-Forwarded-For` says whose request it is.
    pub trusted_proxies: Vec<Network>,
}

impl Connections {
    /// Whether its `X-Forwarded-For` is believed.
    pub fn is_proxy(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.has(address))
    }

    /// How long a request's head may take.
    pub fn head(&self) -> Duration {
        Duration::from_secs(self.header_secs)
    }

    /// How long a connection may rest.
    pub fn idle(&self) -> Duration {
        Duration::from_secs(self.idle_secs)
    }

    /// How long an answer may be left lying.
    pub fn stall(&self) -> Duration {
        Duration::from_secs(self.stall_secs)
    }
}

/// How git talks to repositories.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Git {
    /// One fetch may take this long, in seconds.
    pub timeout_secs: u64,
    /// The transports that a repository may use.
    pub protocols: Vec<String>,
}

/// Where caches and artifacts are kept, and how much of them. Sizes are of archives, in bytes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Blobs {
    /// `s3://bucket/prefix`; by default a folder in `data`.
    pub url: Option<String>,
    /// The address of the S3 service, when it is not Amazon's.
    pub endpoint: Option<String>,
    /// The S3 region.
    pub region: String,
    /// The S3 service may be reached without TLS.
    pub allow_http: bool,
    /// A file with `aws_access_key_id` and `aws_secret_access_key`; by default they come from the environment.
    pub credentials_file: Option<PathBuf>,
    /// One artifact.
    pub artifact_bytes: u64,
    /// All artifacts of a repository.
    pub repository_bytes: u64,
    /// All caches of a repository; the least recently used go first.
    pub cache_bytes: u64,
    /// Artifacts that do not say when they expire are kept for so many days.
    pub expires_days: u32,
}

impl Default for Blobs {
    fn default() -> Self {
        Blobs {
            url: None,
            endpoint: None,
            region: "us-east-1".into(),
            allow_http: false,
            credentials_file: None,
            artifact_bytes: 5 << 30,
            repository_bytes: 50 << 30,
            cache_bytes: 10 << 30,
            expires_days: 30,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 7878)),
            data: PathBuf::from("drover-data"),
            database: None,
            public_url: None,
            retention: Retention::default(),
            limits: Limits::default(),
            connections: Connections::default(),
            git: Git::default(),
            blobs: Blobs::default(),
        }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Retention {
            days: 90,
            max_bytes: 20 << 30,
            test_days: 90,
            webhook_days: 30,
            build_days: 365,
            builds: 20_000,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            webhook_bytes: 5 << 20,
            request_bytes: 1 << 20,
            log_bytes: 4 << 20,
            public_bytes: 32 << 20,
        }
    }
}

impl Default for Connections {
    fn default() -> Self {
        let loopback = ["127.0.0.0/8", "::1"].map(|network| network.parse().expect("these are networks"));
        Connections {
            most: 4_096,
            per_address: 512,
            requests_per_address: 200,
            header_secs: 10,
            idle_secs: 75,
            stall_secs: 30,
            trusted_proxies: loopback.to_vec(),
        }
    }
}

impl Default for Git {
    fn default() -> Self {
        Git {
            timeout_secs: 45,
            protocols: ["file", "https", "http", "ssh", "git"].map(str::to_owned).to_vec(),
        }
    }
}

/// A configuration that cannot be used; the text names the key or the file.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {0}: {1}")]
    Read(PathBuf, std::io::Error),
    /// The file is no valid configuration.
    #[error("{0}: {1}")]
    Invalid(PathBuf, String),
}

impl Config {
    /// Reads a TOML file.
    pub fn read(path: &Path) -> Result<Config, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Read(path.to_owned(), error))?;
        toml::from_str(&text).map_err(|error| ConfigError::Invalid(path.to_owned(), error.to_string()))
    }

    /// The database's URL: the one given, or the file in the data folder.
    pub fn database_url(&self) -> String {
        match &self.database {
            Some(url) => url.clone(),
            None => format!("sqlite:{}", self.data.join("drover.db").display()),
        }
    }

    /// The database is a file of ours alone: no other coordinator works on it.
    pub fn has_own_database(&self) -> bool {
        self.database_url().starts_with("sqlite:")
    }

    /// The folder of the bare mirrors.
    pub fn mirrors(&self) -> PathBuf {
        self.data.join("git")
    }

    /// The file that holds the administrator's token.
    pub fn admin_token_file(&self) -> PathBuf {
        self.data.join("admin.token")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn an_empty_file_is_a_whole_configuration() {
        let config = parse("").unwrap();
        assert_eq!(config.limits.webhook_bytes, 5 * 1024 * 1024);
        assert_eq!(config.database_url(), "sqlite:drover-data/drover.db");
    }

    #[test]
    fn the_reference_shows_every_default() {
        let shown = parse(include_str!("../../docs/reference/coordinator.toml")).unwrap();
        assert_eq!(format!("{shown:?}"), format!("{:?}", Config::default()));
    }

    #[test]
    fn a_misspelt_key_is_an_error_that_names_it() {
        let error = parse("[retention]\nday = 3").unwrap_err();
        assert!(error.contains("day"), "{error}");
    }
}
