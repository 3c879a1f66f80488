//! What forges publish about themselves, for the tests: GitHub's webhooks and API from npm, Forgejo's API from the crate of
//! a client that was generated from it.

use super::npm;
use crate::{process, say};
use anyhow::Context;
use std::path::PathBuf;

/// The crate that carries Forgejo's description, and where in it.
const FORGEJO: (&str, &str) = ("forgejo-api", "0.9.0");
const DESCRIPTION: &str = "swagger.v1.json";

/// The files.
pub struct Published {
    webhooks: PathBuf,
    github: PathBuf,
    forgejo: PathBuf,
}

impl Published {
    /// Fetches what is not there.
    ///
    /// # Errors
    /// When a registry does not answer, or npm is missing and may not be installed.
    pub fn get() -> anyhow::Result<Published> {
        Ok(Published {
            webhooks: npm::file(&npm::WEBHOOKS)?,
            github: npm::file(&npm::GITHUB_API)?,
            forgejo: forgejo().context("fetch the description of Forgejo's API")?,
        })
    }

    /// The environment that tells tests where they are.
    pub fn variables(&self) -> [(&'static str, String); 3] {
        [
            ("DROVER_TEST_WEBHOOKS", &self.webhooks),
            ("DROVER_TEST_GITHUB_API", &self.github),
            ("DROVER_TEST_FORGEJO_API", &self.forgejo),
        ]
        .map(|(name, path)| (name, path.display().to_string()))
    }
}

/// Cargo fetches a crate, and checks its sum, only for a package that depends on it: so there is one, with no code.
fn forgejo() -> anyhow::Result<PathBuf> {
    let (name, version) = FORGEJO;
    let folder = process::target().join("published").join(format!("{name}-{version}"));
    let file = folder.join(DESCRIPTION);
    if file.exists() {
        return Ok(file);
    }
    std::fs::create_dir_all(folder.join("src"))?;
    std::fs::write(folder.join("src/lib.rs"), "")?;
    let manifest = format!(
        "[package]\nname = \"published\"\nedition = \"2024\"\n\n[dependencies]\n{name} = \"={version}\"\n\n[workspace]\n"
    );
    let manifest_path = folder.join("Cargo.toml");
    std::fs::write(&manifest_path, manifest)?;
    let mut metadata = process::cargo();
    metadata.args(["metadata", "--quiet", "--format-version", "1", "--manifest-path"]);
    let answer = say::timed("the description of Forgejo's API for the tests", || {
        process::output(metadata.arg(&manifest_path))
    })?;
    let answer: serde_json::Value = serde_json::from_str(&answer)?;
    let packages = answer["packages"].as_array().into_iter().flatten();
    let manifest = packages
        .filter(|package| package["name"] == name)
        .find_map(|package| package["manifest_path"].as_str())
        .context("Cargo does not say where the crate is")?;
    std::fs::copy(PathBuf::from(manifest).with_file_name(DESCRIPTION), &file)?;
    Ok(file)
}
