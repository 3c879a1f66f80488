//! The browser for the tests of the pages and for print-to-visible in the bench: Chromium and its WebDriver, headless.

use crate::process;
use anyhow::Context;
use std::path::PathBuf;

/// Where the two programs are.
pub struct Browser {
    /// The browser.
    pub chromium: PathBuf,
    /// The server that drives it.
    pub driver: PathBuf,
}

/// Finds them.
///
/// # Errors
/// When one is not here.
pub fn find() -> anyhow::Result<Browser> {
    let chromium = ["chromium", "chromium-browser", "google-chrome"];
    Ok(Browser {
        chromium: chromium.into_iter().find_map(process::find).context("find Chromium")?,
        driver: process::find("chromedriver").context("find chromedriver")?,
    })
}
