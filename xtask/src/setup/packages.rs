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
    is_here: fn() -> bool,
}

const GIT: Package = Package {
    what: "Git",
    debian: &["git"],
    is_here: || process::find("git").is_some(),
};
const GIT_LFS: Package = Package {
    what: "Git LFS",
    debian: &["git-lfs"],
    is_here: || process::find("git-lfs").is_some(),
};
const ENGINE: Package = Package {
    what: "a container engine",
    debian: &["docker.io", "iptables", "iproute2"],
    is_here: || process::find("docker").is_some() && (process::find("dockerd").is_some() || super::engine::answers()),
};
const POSTGRES: Package = Package {
    what: "the PostgreSQL server",
    debian: &["postgresql"],
    is_here: || super::postgres::programs().is_some(),
};
const CHROMIUM: Package = Package {
    what: "Chromium and its driver",
    debian: &["chromium", "chromium-driver"],
    is_here: || super::chromium::find().is_ok(),
};
/// What an S3 server for tests is installed by.
pub const PYTHON: Package = Package {
    what: "Python with venv",
    debian: &["python3-venv"],
    is_here: || process::says_yes(Command::new("python3").args(["-c", "import venv, ensurepip"])),
};
/// What brings the checker of accessibility.
pub const NPM: Package = Package {
    what: "npm",
    debian: &["npm"],
    is_here: || process::find("npm").is_some(),
};
const REGISTRY: Package = Package {
    what: "an image registry and its password tool",
    debian: &["docker-registry", "apache2-utils"],
    is_here: || process::find("docker-registry").is_some() && process::find("htpasswd").is_some(),
};
/// What makes images out of Debian packages; asked for only when no registry has them.
pub const MMDEBSTRAP: Package = Package {
    what: "mmdebstrap",
    debian: &["mmdebstrap", "debian-archive-keyring"],
    is_here: || process::find("mmdebstrap").is_some(),
};

const MUSL: Package = Package {
    what: "a C compiler for static programs",
    debian: &["musl-tools"],
    is_here: || process::find("musl-gcc").is_some(),
};
const DPKG: Package = Package {
    what: "what makes Debian packages",
    debian: &["dpkg"],
    is_here: || process::find("dpkg-deb").is_some(),
};

/// The packages that `cargo xtask dist` needs and that are not here.
pub fn missing_for_dist() -> Vec<&'static Package> {
    let wanted: [&Package; 3] = [&GIT, &MUSL, &DPKG];
    wanted.into_iter().filter(|package| !package.is_installed()).collect()
}

/// The packages that are not here: Git and the engine, and with `servers` Git LFS, PostgreSQL, the browser
/// and an image registry.
pub fn missing(servers: super::Servers) -> Vec<&'static Package> {
    let wanted: &[&Package] = match servers {
        super::Servers::No => &[&GIT, &ENGINE],
        super::Servers::PostgresAndBrowser => &[&GIT, &GIT_LFS, &ENGINE, &POSTGRES, &CHROMIUM, &REGISTRY],
    };
    wanted
        .iter()
        .copied()
        .filter(|package| !package.is_installed())
        .collect()
}

impl Package {
    /// True when the programs are here.
    pub fn is_installed(&self) -> bool {
        (self.is_here)()
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
