//! Programs from the system's packages: installed by apt as root on Debian, named exactly everywhere else.

use super::Missing;
use crate::{process, say};
use std::path::Path;
use std::process::{Command, Stdio};

/// A program we need and the Debian packages that bring it.
pub struct Package {
    /// What it is, for people.
    pub what: &'static str,
    /// Debian's packages.
    pub debian: &'static [&'static str],
    /// Those that must be found.
    programs: &'static [&'static str],
    /// What else must be so.
    is_here: fn() -> bool,
}

const GIT: Package = Package::of("Git", &["git"], &["git"]);
const GIT_LFS: Package = Package::of("Git LFS", &["git-lfs"], &["git-lfs"]);
const ENGINE: Package = Package::of(
    "a container engine",
    &["docker.io", "iptables", "iproute2"],
    &["docker"],
)
.and(|| process::find("dockerd").is_some() || super::engine::answers());
const POSTGRES: Package =
    Package::of("the PostgreSQL server", &["postgresql"], &[]).and(|| super::postgres::programs().is_some());
const CHROMIUM: Package = Package::of("Chromium and its driver", &["chromium", "chromium-driver"], &[])
    .and(|| super::chromium::find().is_ok());
/// What an S3 server for tests is installed by.
pub const PYTHON: Package = Package::of("Python with venv", &["python3-venv"], &[])
    .and(|| process::says_yes(Command::new("python3").args(["-c", "import venv, ensurepip"])));
/// What brings the checker of accessibility.
pub const NPM: Package = Package::of("npm", &["npm"], &["npm"]);
const REGISTRY: Package = Package::of(
    "an image registry and its password tool",
    &["docker-registry", "apache2-utils"],
    &["docker-registry", "htpasswd"],
);
/// What makes images out of Debian packages; asked for only when no registry has them.
pub const MMDEBSTRAP: Package = Package::of("mmdebstrap", &["mmdebstrap", "debian-archive-keyring"], &["mmdebstrap"]);

const MUSL: Package = Package::of("a C compiler for static programs", &["musl-tools"], &["musl-gcc"]);
const DPKG: Package = Package::of("what makes Debian packages", &["dpkg"], &["dpkg-deb"]);

/// The packages that `cargo xtask dist` needs and that are not here.
pub fn missing_for_dist() -> Vec<&'static Package> {
    not_installed(&[&GIT, &MUSL, &DPKG])
}

/// The packages that are not here: Git and the engine, and with `servers` Git LFS, PostgreSQL, the browser
/// and an image registry.
pub fn missing(servers: super::Servers) -> Vec<&'static Package> {
    match servers {
        super::Servers::No => not_installed(&[&GIT, &ENGINE]),
        super::Servers::PostgresAndBrowser => {
            not_installed(&[&GIT, &GIT_LFS, &ENGINE, &POSTGRES, &CHROMIUM, &REGISTRY])
        }
    }
}

fn not_installed(wanted: &[&'static Package]) -> Vec<&'static Package> {
    let missing = wanted.iter().filter(|package| !package.is_installed());
    missing.copied().collect()
}

impl Package {
    const fn of(what: &'static str, debian: &'static [&'static str], programs: &'static [&'static str]) -> Package {
        Package {
            what,
            debian,
            programs,
            is_here: || true,
        }
    }

    /// Only when this is so, too.
    const fn and(self, is_here: fn() -> bool) -> Package {
        Package { is_here, ..self }
    }

    /// True when the programs are here.
    pub fn is_installed(&self) -> bool {
        self.programs.iter().all(|program| process::find(program).is_some()) && (self.is_here)()
    }
}

/// Installs them.
///
/// # Errors
/// `Missing` without root or on another system than Debian; otherwise what apt said.
pub fn install(packages: &[&Package]) -> anyhow::Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    let whats: Vec<&str> = packages.iter().map(|package| package.what).collect();
    let names: Vec<&str> = packages.iter().flat_map(|package| package.debian).copied().collect();
    if !Path::new("/etc/debian_version").exists() || process::find("apt-get").is_none() {
        let hint = format!(
            "Install them with your system's package manager; in Debian they are called:\n  {}",
            names.join(" ")
        );
        return Err(Missing::new(whats.join(", "), hint).into());
    }
    if !process::is_root() {
        let hint = format!(
            "Install them first:\n  sudo apt-get install --no-install-recommends {}",
            names.join(" ")
        );
        return Err(Missing::new(whats.join(", "), hint).into());
    }
    say::timed("read the package lists", || apt(&["update"]))?;
    say::timed(format!("installed {}", names.join(", ")), || {
        let mut arguments = vec!["install", "--yes", "--no-install-recommends"];
        arguments.extend(&names);
        apt(&arguments)
    })
}

fn apt(arguments: &[&str]) -> anyhow::Result<()> {
    let mut command = Command::new("apt-get");
    command
        .args(["-q", "-o", "Acquire::Retries=3", "-o", "DPkg::Lock::Timeout=120"])
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null());
    process::output(&mut command).map(drop)
}
