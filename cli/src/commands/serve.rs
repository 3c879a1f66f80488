//! The long-running commands: `up` (coordinator and agent in one process), `coordinator`, `agent`. The first SIGTERM or
//! Ctrl-C asks for a calm end, the second for one at once.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::Path;

use agent::coordinator::Plaintext;
use agent::daemon::{self, AgentConfig, Stop as AgentStop};
use anyhow::Context;
use coordinator::{Config, Running, private};
use secrecy::{ExposeSecret, SecretString};
use tokio::signal::unix::{SignalKind, signal};

use crate::args::{Agent, Arguments, Coordinator, Up};
use crate::exit::{Exit, Stop};
use crate::running::{Instance, Note};
use crate::settings::{self, URL_FILE};

/// `drover up`
pub async fn up(arguments: &Arguments, up: &Up) -> anyhow::Result<Exit> {
    log_to_stderr("info");
    let data = settings::data_folder(arguments)?;
    let stop = signals()?;
    let config = Config {
        listen: up.listen,
        data: data.clone(),
        database: database(up)?,
        public_url: up.public_url.clone(),
        ..Config::default()
    };
    let (running, _note) = announce(config).await?;
    let token = SecretString::from(running.local_agent_token().await?);
    let folder = data.join("agent");
    private::make_folder(&folder).with_context(|| format!("make {}", folder.display()))?;
    let config = AgentConfig {
        coordinator_url: format!("http://{}", running.address),
        token,
        data: folder,
        slots: up.slots.unwrap_or_else(processors),
        labels: BTreeMap::new(),
        name: host_name(),
        once: false,
        log_limit: up.log_limit,
        policy: up.machine.policy(),
        retain: up.machine.retain(),
    };
    let agent = daemon::run(config, stop.clone()).await;
    if let Err(error) = &agent {
        // Without its agent the coordinator still takes webhooks and shows pages, and says why jobs wait.
        tracing::error!("the agent of this process ended: {error:#}");
    }
    stop.drain.cancelled().await;
    running.stop().await;
    forget_url(&data);
    agent.map(|()| Exit::Passed)
}

/// `drover coordinator`
pub async fn coordinator(command: &Coordinator) -> anyhow::Result<Exit> {
    log_to_stderr("info");
    let config = Config::read(&command.config).map_err(|error| Stop::new(Exit::Usage, error.to_string()))?;
    let data = config.data.clone();
    // What is made inside the closed folders too; `up` must not, since containers share files with its agent.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let stop = signals()?;
    let (running, _note) = announce(config).await?;
    stop.drain.cancelled().await;
    running.stop().await;
    forget_url(&data);
    Ok(Exit::Passed)
}

/// Starts a coordinator, notes its address where the other commands of this machine find it, and says that it is ready.
async fn announce(config: Config) -> anyhow::Result<(Running, Option<Note>)> {
    let data = config.data.clone();
    let running = coordinator::start(config).await?;
    write_private(&data.join(URL_FILE), &running.url).context("note the address in the data folder")?;
    let instance = Instance {
        url: running.url.clone(),
        data: std::path::absolute(&data).context("find the data folder")?,
    };
    let note = Note::write(&instance);
    if let Err(error) = &note {
        tracing::warn!("other commands find this coordinator only with its --data: {error:#}");
    }
    anstream::eprintln!("ready   {}", running.url);
    // Whoever reads a log later is not who started it.
    if std::io::stderr().is_terminal() {
        let link = running.login_link().await?;
        anstream::eprintln!("log in  {link}   (one use, within one hour)");
    } else {
        anstream::eprintln!(
            "log in  with the link that `drover login-link --data {}` prints",
            data.display()
        );
    }
    Ok((running, note.ok()))
}

/// The database that `up` was told; other users of the machine see its arguments.
fn database(up: &Up) -> anyhow::Result<Option<String>> {
    if let Some(file) = &up.database_file {
        let text = std::fs::read_to_string(file)
            .map_err(|error| Stop::new(Exit::Usage, format!("cannot read {}: {error}", file.display())))?;
        return Ok(Some(text.trim().to_owned()));
    }
    if std::env::args().any(|argument| has_password(&argument)) {
        tracing::warn!(
            "the database's password stands in the arguments, where everybody on this machine can read it: use \
             --database-file, or the environment variable DROVER_DATABASE"
        );
    }
    Ok(up.database.clone())
}

/// Whether it is a URL with a password.
fn has_password(argument: &str) -> bool {
    let address = argument.split_once("://").map(|(_, rest)| rest);
    let user = address.and_then(|rest| rest.split('/').next()?.rsplit_once('@'));
    let in_user = user.is_some_and(|(user, _)| user.split_once(':').is_some_and(|(_, password)| !password.is_empty()));
    in_user || (address.is_some() && argument.contains("password="))
}

/// The note is only a convenience; when it cannot be removed, the next start writes it anew.
fn forget_url(data: &Path) {
    let _ = std::fs::remove_file(data.join(URL_FILE));
}

/// `drover agent --coordinator …`
pub async fn agent(arguments: &Arguments, command: &Agent) -> anyhow::Result<Exit> {
    log_to_stderr("info");
    let url = command.coordinator.clone().context("--coordinator is needed")?;
    let token_file = command.token_file.as_deref().context("--token-file is needed")?;
    let plaintext = if command.insecure_http {
        Plaintext::Allowed
    } else {
        Plaintext::LoopbackOnly
    };
    plaintext.check(&url).map_err(|refused| {
        Stop::new(Exit::Usage, refused.to_string())
            .help("use https://, or say --insecure-http where nobody else can listen")
    })?;
    let data = settings::data_folder(arguments)?;
    private::data_folder(&data)?;
    let data = data.join("agent");
    private::make_folder(&data).with_context(|| format!("make {}", data.display()))?;
    let name = command.name.clone().unwrap_or_else(host_name);
    let labels = command.labels.iter().cloned().collect();
    let token = token_of(&url, token_file, (&name, &labels)).await?;
    let config = AgentConfig {
        coordinator_url: url,
        token,
        data,
        slots: command.slots.unwrap_or_else(processors),
        labels,
        name,
        once: command.once,
        log_limit: command.log_limit,
        policy: command.machine.policy(),
        retain: command.machine.retain(),
    };
    daemon::run(config, signals()?).await?;
    Ok(Exit::Passed)
}

/// The token in that file; an enrolment code in its place is traded for one, which replaces it.
async fn token_of(
    url: &str,
    file: &Path,
    (name, labels): (&str, &BTreeMap<String, String>),
) -> anyhow::Result<SecretString> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        Stop::new(
            Exit::Usage,
            format!("cannot read the token file {}: {error}", file.display()),
        )
        .help("`drover agent token` on the coordinator makes an enrolment code to put into it")
    })?;
    let text = text.trim();
    if !text.starts_with(protocol::lease::ENROL_CODE_PREFIX) {
        return Ok(SecretString::from(text.to_owned()));
    }
    let enrolled = daemon::enrol(url, &SecretString::from(text.to_owned()), (name, labels))
        .await
        .context("enrol this agent")?;
    let token = SecretString::from(enrolled.token);
    write_private(file, token.expose_secret())?;
    Ok(token)
}

/// SIGTERM and Ctrl-C: the first drains, the second ends at once.
fn signals() -> anyhow::Result<AgentStop> {
    let stop = AgentStop::default();
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for Ctrl-C")?;
    let asked = stop.clone();
    tokio::spawn(async move {
        for token in [&asked.drain, &asked.now] {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            if !asked.drain.is_cancelled() {
                tracing::info!("ending: running jobs are finished first; once more to end at once");
            }
            token.cancel();
        }
    });
    Ok(stop)
}

/// Logs what `DROVER_LOG` says, by default from `level` on.
pub(super) fn log_to_stderr(level: &str) {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_env("DROVER_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let json = std::env::var("DROVER_LOG_FORMAT").is_ok_and(|format| format == "json");
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // where nobody reads the log any more, nobody reads that it cannot be written
        .log_internal_errors(false)
        .with_target(false);
    let set = if json {
        builder.json().try_init()
    } else {
        builder.try_init()
    };
    if let Err(error) = set {
        anstream::eprintln!("warning: no log: {error}");
    }
}

fn processors() -> u32 {
    std::thread::available_parallelism()
        .ok()
        .and_then(|n| u32::try_from(n.get()).ok())
        .unwrap_or(1)
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

fn write_private(file: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    private::make_file(file)
        .and_then(|mut open| open.write_all(text.as_bytes()))
        .with_context(|| format!("write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::has_password;

    #[test]
    fn a_password_in_an_argument_is_noticed() {
        for shows in [
            "postgres://drover:secret@db/drover",
            "--database=postgresql://drover:s%40x@db:5432/drover",
            "postgres://db/drover?user=drover&password=secret",
        ] {
            assert!(has_password(shows), "{shows}");
        }
        for hides in [
            "postgres://drover@db/drover",
            "postgres:///drover",
            "sqlite:/var/lib/a@b:c.db",
            "https://ci.example:8443",
            "127.0.0.1:7878",
        ] {
            assert!(!has_password(hides), "{hides}");
        }
    }
}
