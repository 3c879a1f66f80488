//! The credentials that a coordinator makes for its own machine: the administrator's token, a login link, the token of
//! the agent in the same process. Files are readable by their owner only.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;

use crate::app::App;
use crate::http::LOGIN_LINK;
use crate::store::{Actor, StoreError, access, agents};

/// The agent in the same process enrols at once.
const LOCAL_CODE: Duration = Duration::from_secs(60);

/// Writes the administrator's token on the first start, and again when its file or its worth is gone.
pub(crate) async fn administrator(app: &App) -> anyhow::Result<()> {
    let file = app.config.admin_token_file();
    if let Some(token) = read(&file)? {
        match access::authenticate(&app.store, &token).await {
            Ok(Some(_)) => return Ok(()),
            Ok(None) | Err(StoreError::Expired) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // Without an end: whoever reads the file may do anything to this folder, and nobody would renew it.
    let token = access::create_token(&app.store, &Actor::Console, "administrator", None)
        .await
        .context("make a token")?;
    write(&file, &token)
}

/// A link that logs a browser in, once.
pub(crate) async fn login_link(app: &App) -> anyhow::Result<String> {
    let code = access::login_link(&app.store, &Actor::Console, LOGIN_LINK)
        .await
        .context("make a login link")?;
    Ok(format!("{}/login?code={code}", app.url))
}

/// The token of the agent in the same process.
pub(crate) async fn local_agent(app: &App) -> anyhow::Result<String> {
    let file = app.config.data.join("agent.token");
    if let Some(token) = read(&file)?
        && agents::authenticate(&app.store, &token).await?.is_some()
    {
        return Ok(token);
    }
    let code = agents::enrol_code(&app.store, &Actor::Console, LOCAL_CODE, None)
        .await
        .context("make an enrolment code")?;
    let enrolled = agents::enrol(&app.store, &code, ("local", None))
        .await
        .context("enrol the local agent")?;
    write(&file, &enrolled.token)?;
    Ok(enrolled.token)
}

fn read(file: &Path) -> anyhow::Result<Option<String>> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("read {}", file.display())),
    }
}

/// By rename, so that a reader never sees half a token.
fn write(file: &Path, token: &str) -> anyhow::Result<()> {
    let new = file.with_extension("new");
    let write = || {
        let mut open = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)?;
        writeln!(open, "{token}")?;
        open.sync_all()?;
        std::fs::rename(&new, file)
    };
    write().with_context(|| format!("write {}", file.display()))
}
