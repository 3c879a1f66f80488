//! Where the coordinator is and what to show it: flags and environment first, then what `drover login` stored, then
//! what `drover up` left in its data folder, wherever on this machine that is.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::args::Arguments;
use crate::exit::{Exit, Stop};
use crate::running::{self, Instance};

/// File in the data folder that holds the URL of the running `drover up`.
pub const URL_FILE: &str = "url";
/// File in the data folder that holds the administrator's token.
pub const TOKEN_FILE: &str = "admin.token";

/// A coordinator and a token for it.
#[derive(Clone)]
pub struct Access {
    /// Without a slash at its end.
    pub url: String,
    /// Shown as a bearer token; `None`: only public things can be read.
    pub token: Option<String>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    url: String,
    token: String,
}

/// The data folder: `--data`, or the user's own.
pub fn data_folder(arguments: &Arguments) -> anyhow::Result<PathBuf> {
    if let Some(data) = &arguments.data {
        return std::path::absolute(data).context("find the data folder");
    }
    let home = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".local/share")));
    let home = home.ok_or_else(|| {
        Stop::new(Exit::Usage, "there is no home folder to keep data in").help("name a folder with --data DIR")
    })?;
    Ok(home.join("drover"))
}

/// Which coordinator this command speaks to.
pub fn access(arguments: &Arguments) -> anyhow::Result<Access> {
    let stored = if arguments.data.is_none() { read_stored()? } else { None };
    let named = arguments.url.clone();
    let named = named.or_else(|| stored.as_ref().map(|stored| stored.url.clone()));
    let data = local_data(arguments, named.as_deref())?;
    let local_url = read_line(&data.join(URL_FILE))?;
    let url = named.or(local_url.clone()).ok_or_else(|| {
        Stop::new(Exit::Unreachable, "no coordinator is known here")
            .help("start one with `drover up`, or set DROVER_URL and DROVER_TOKEN")
    })?;
    let url = url.trim_end_matches('/').to_owned();
    let stored_token = stored.filter(|stored| stored.url == url).map(|stored| stored.token);
    let token = match arguments.token.clone().or(stored_token) {
        Some(token) => Some(token),
        // The administrator's token of this machine is shown to this machine's coordinator only.
        None if local_url.as_deref().map(|local| local.trim_end_matches('/')) == Some(url.as_str()) => {
            read_line(&data.join(TOKEN_FILE))?
        }
        None => None,
    };
    Ok(Access { url, token })
}

/// The data folder of the coordinator of this machine that is meant: the one that was named, the user's own if one runs
/// there, else that of the only one that runs, or that runs at `url`.
fn local_data(arguments: &Arguments, url: Option<&str>) -> anyhow::Result<PathBuf> {
    let own = data_folder(arguments)?;
    if arguments.data.is_some() || url.is_none() && read_line(&own.join(URL_FILE))?.is_some() {
        return Ok(own);
    }
    let is_meant = |instance: &Instance| url.is_none_or(|url| instance.url.trim_end_matches('/') == url);
    let mut running = running::instances();
    running.retain(is_meant);
    match running.as_slice() {
        [] => Ok(own),
        [only] => Ok(only.data.clone()),
        several if url.is_none() => {
            let each: Vec<String> = several
                .iter()
                .map(|one| format!("--data {} ({})", one.data.display(), one.url))
                .collect();
            Err(Stop::new(Exit::Usage, "several coordinators run on this machine")
                .help(format!("name one: {}", each.join(", ")))
                .into())
        }
        [first, ..] => Ok(first.data.clone()),
    }
}

/// Remembers a coordinator for later calls, in a file that only this user can read.
pub fn store(access: &Access) -> anyhow::Result<PathBuf> {
    use std::io::Write;
    let path = stored_path().context("there is no home folder to keep the login in")?;
    let folder = path.parent().context("the login file has a folder")?;
    std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    let stored = Stored {
        url: access.url.clone(),
        token: access.token.clone().unwrap_or_default(),
    };
    let mut file = coordinator::private::make_file(&path).with_context(|| format!("write {}", path.display()))?;
    file.write_all(toml::to_string(&stored)?.as_bytes())?;
    Ok(path)
}

fn stored_path() -> Option<PathBuf> {
    let config = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
    let config = config.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".config")));
    Some(config?.join("drover/login.toml"))
}

fn read_stored() -> anyhow::Result<Option<Stored>> {
    let Some(path) = stored_path() else { return Ok(None) };
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some(
            toml::from_str(&text).with_context(|| format!("read {}", path.display()))?,
        )),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
    }
}

fn read_line(path: &Path) -> anyhow::Result<Option<String>> {
    use std::io::ErrorKind;
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim().to_owned()).filter(|line| !line.is_empty())),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) => Ok(None),
        Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
    }
}
