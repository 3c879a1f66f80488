//! `drover doctor`: looks at everything a run depends on and says, for each, how it is and what to mend.

use std::path::Path;
use std::time::Duration;

use job_specs::units::size;
use serde::Serialize;
use serde_json::Value;

use super::print_json;
use crate::args::Arguments;
use crate::client::Client;
use crate::exit::Exit;
use crate::settings;

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    what: &'static str,
    ok: bool,
    says: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
}

/// Looks; exits with 6 when something is wrong.
pub async fn doctor(arguments: &Arguments, json: bool) -> anyhow::Result<Exit> {
    let data = settings::data_folder(arguments)?;
    let findings = vec![
        engine().await,
        firewall().await,
        git(),
        disk(&data),
        clock(),
        coordinator(arguments).await,
    ];
    let well = findings.iter().all(|finding| finding.ok);
    if json {
        print_json(&findings)?;
    } else {
        for finding in &findings {
            let mark = if finding.ok { "✓" } else { "✕" };
            anstream::println!("{mark} {:<12} {}", finding.what, finding.says);
            if let Some(help) = &finding.help {
                anstream::println!("  {:<12} help: {help}", "");
            }
        }
    }
    Ok(if well { Exit::Passed } else { Exit::Infrastructure })
}

impl Finding {
    fn new(what: &'static str, ok: bool, says: impl Into<String>, help: Option<&str>) -> Finding {
        Finding {
            what,
            ok,
            says: says.into(),
            help: help.map(str::to_owned),
        }
    }
}

async fn engine() -> Finding {
    match agent::engine::describe(None).await {
        Ok(version) => Finding::new("engine", true, version, None),
        Err(error) => {
            let help = "install and start one (Debian: apt-get install docker.io), or set DOCKER_HOST";
            Finding::new("engine", false, error.to_string(), Some(help))
        }
    }
}

/// A machine without rules works; whoever runs jobs of strangers on it should know.
async fn firewall() -> Finding {
    match agent::engine::firewall::look().await {
        Ok(()) => {
            let says = "an agent can keep jobs from this machine's own addresses";
            Finding::new("firewall", true, says, None)
        }
        Err(why) => {
            let says = format!("jobs can reach this machine's own addresses: {why}");
            let help = "run the agent as root (or with NET_ADMIN) where iptables is installed, beside the engine";
            Finding::new("firewall", true, says, Some(help))
        }
    }
}

fn git() -> Finding {
    let version = std::process::Command::new("git").arg("--version").output();
    match version {
        Ok(output) if output.status.success() => {
            Finding::new("git", true, String::from_utf8_lossy(&output.stdout).trim(), None)
        }
        _ => {
            let help = Some("install it (Debian: apt-get install git)");
            Finding::new("git", false, "the git command does not run", help)
        }
    }
}

fn disk(data: &Path) -> Finding {
    const LOW: u64 = 2 << 30;
    let existing = data
        .ancestors()
        .find(|folder| folder.exists())
        .unwrap_or(Path::new("/"));
    match rustix::fs::statvfs(existing) {
        Ok(stat) => {
            let free = stat.f_bavail * stat.f_frsize;
            let says = format!("{} free at {}", size(free), existing.display());
            let help = (free < LOW).then_some("make room: images, workspaces and logs live there");
            Finding::new("disk", free >= LOW, says, help)
        }
        Err(error) => Finding::new("disk", false, error.to_string(), None),
    }
}

fn clock() -> Finding {
    let now = jiff::Timestamp::now();
    let sane = now.as_second() > 1_700_000_000;
    let help = (!sane).then_some("set the clock: tokens and logs carry times");
    Finding::new("clock", sane, now.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(), help)
}

async fn coordinator(arguments: &Arguments) -> Finding {
    let what = "coordinator";
    let asked = async {
        let client = Client::new(settings::access(arguments)?)?;
        let _: Value = client.query("/builds", &[("limit", "1".to_owned())]).await?;
        anyhow::Ok(client.url().to_owned())
    };
    match tokio::time::timeout(Duration::from_secs(5), asked).await {
        Ok(Ok(url)) => Finding::new(what, true, format!("{url} answers, and takes the token"), None),
        Ok(Err(error)) => {
            let stop = error.downcast_ref::<crate::exit::Stop>();
            let help = stop.and_then(|stop| stop.help.as_deref());
            Finding::new(what, false, format!("{error:#}"), help)
        }
        Err(_) => Finding::new(what, false, "no answer within 5 s", None),
    }
}
