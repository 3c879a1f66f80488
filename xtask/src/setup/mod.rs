//! Makes a fresh machine ready: what a task needs is installed, started or made, and said aloud with the time it took.
//! Nothing is assumed to run already, because nothing does when CI begins.

use crate::say;
use from_nothing::Begin;
use images::names::Policy;
use published::Published;
use std::fmt;
use std::path::PathBuf;

mod broker;
pub mod chromium;
pub mod engine;
pub mod from_nothing;
pub mod images;
pub mod musl;
pub mod npm;
pub mod packages;
pub mod postgres;
mod published;
mod pypi;
pub mod recipes;
pub mod s3;

/// What a task needs from the machine.
pub struct Needs {
    /// What it begins with.
    pub begin: Begin,
    /// Images by name; an engine is needed for them.
    pub images: Vec<&'static str>,
    /// Whose images they may be.
    pub policy: Policy,
    /// More than the engine and Git.
    pub servers: Servers,
    /// An S3 server.
    pub s3: S3,
}

/// The servers a task needs beside the engine.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Servers {
    /// None.
    No,
    /// A PostgreSQL cluster and a browser: what the tests and the bench use.
    PostgresAndBrowser,
}

/// Whether a task needs an S3 server.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum S3 {
    /// It does not.
    No,
    /// It does.
    Server,
}

/// What was made ready; servers stop when it goes.
pub struct Prepared {
    /// The PostgreSQL cluster, when asked for.
    pub postgres: Option<postgres::Cluster>,
    /// The browser and its driver, when asked for.
    pub browser: Option<chromium::Browser>,
    /// The program of an S3 server, when asked for.
    pub s3: Option<PathBuf>,
    /// What forges publish, when an S3 server was asked for, too.
    published: Option<Published>,
    _images: images::Pointed,
}

impl Prepared {
    /// The environment that tells tests where things are.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let mut variables = Vec::new();
        if let Some(cluster) = &self.postgres {
            variables.push(("DROVER_TEST_POSTGRES", cluster.url()));
        }
        if let Some(browser) = &self.browser {
            variables.push(("DROVER_TEST_CHROMIUM", browser.chromium.display().to_string()));
            variables.push(("DROVER_TEST_CHROMEDRIVER", browser.driver.display().to_string()));
        }
        if let Some(server) = &self.s3 {
            variables.push(("DROVER_TEST_S3_SERVER", server.display().to_string()));
        }
        variables.extend(self.published.iter().flat_map(Published::variables));
        variables
    }
}

/// What a person has to do first: we may not, or do not know how, install on this machine.
#[derive(Debug)]
pub struct Missing {
    what: String,
    hint: String,
}

impl Missing {
    /// `what` is missing; `hint` says what to type.
    pub fn new(what: impl Into<String>, hint: impl Into<String>) -> Missing {
        Missing {
            what: what.into(),
            hint: hint.into(),
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "this machine lacks {}\n\n{}", self.what, self.hint)
    }
}

impl std::error::Error for Missing {}

/// Makes everything in `needs` ready.
///
/// # Errors
/// `Missing` (exit code 2) when a person must install something first; otherwise what broke.
pub fn prepare(needs: &Needs) -> anyhow::Result<Prepared> {
    say::heading("setup");
    packages::install(&packages::missing(needs.servers))?;
    engine::start()?;
    from_nothing::clear(needs.begin)?;
    let images = images::provide(&needs.images, needs.policy)?;
    let (postgres, browser) = match needs.servers {
        Servers::No => (None, None),
        Servers::PostgresAndBrowser => (Some(postgres::Cluster::start()?), Some(chromium::find()?)),
    };
    // Who tests everything wants both.
    let (s3, published) = match needs.s3 {
        S3::No => (None, None),
        S3::Server => (Some(s3::program()?), Some(Published::get()?)),
    };
    Ok(Prepared {
        postgres,
        browser,
        s3,
        published,
        _images: images,
    })
}
