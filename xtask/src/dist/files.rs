//! The files that go along with the program, wherever it is installed.

use super::{Product, VERSION};
use anyhow::Context;

/// Files of the source and how they are called where they are installed.
pub const DOCUMENTS: &[(&str, &str)] = &[
    ("README.md", "README.md"),
    ("docs/how-to/deploy.md", "deploy.md"),
    ("docs/reference/coordinator.toml", "coordinator.toml"),
    ("docs/reference/cli.md", "cli.md"),
    ("docs/reference/job-file.md", "job-file.md"),
];
/// The units of systemd.
pub const UNITS: &[&str] = &["drover-coordinator.service", "drover-agent.service"];

impl Product {
    /// A file of the source.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(&self, name: &str) -> anyhow::Result<Vec<u8>> {
        let path = self.root.join(name);
        std::fs::read(&path).with_context(|| format!("read {}", path.display()))
    }

    /// A file of `xtask/dist`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn ours(&self, name: &str) -> anyhow::Result<Vec<u8>> {
        self.read(&format!("xtask/dist/{name}"))
    }
}

/// The archive's name without its ending, which is also that of the folder in it.
pub fn archive_name() -> String {
    format!("drover-{VERSION}-x86_64-linux")
}
