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

async fn engine() -> Finding {
    match agent::engine::describe(None).await {
        Ok(version) => Finding {
            what: "engine",
            ok: true,
            says: version,
            help: None,
        },
        Err(error) => Finding {
            what: "engine",
            ok: false,
            says: error.to_string(),
            help: Some("install and start one (Debian: apt-get install docker.io), or set DOCKER_HOST".to_owned()),
        },
    }
}

/// A machine without rules works; whoever runs jobs of strangers on it should know.
async fn firewall() -> Finding {
    let looked = agent::engine::firewall::look().await;
    let (says, help) = match looked {
        Ok(()) => (
            "an agent can keep jobs from this machine's own addresses".to_owned(),
            None,
        ),
        Err(why) => (
            format!("jobs can reach this machine's own addresses: {why}"),
            Some("run the agent as root (or with NET_ADMIN) where iptables is installed, beside the engine".to_owned()),
        ),
    };
    Finding {
        what: "firewall",
        ok: true,
        says,
        help,
    }
}

fn git() -> Finding {
    let version = std::process::Command::new("git").arg("--version").output();
    match version {
        Ok(output) if output.status.success() => {
            let says = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            Finding {
                what: "git",
                ok: true,
                says,
                help: None,
            }
        }
        _ => Finding {
            what: "git",
            ok: false,
            says: "the git command does not run".to_owned(),
            help: Some("install it (Debian: apt-get install git)".to_owned()),
        },
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
            let help = (free < LOW).then(|| "make room: images, workspaces and logs live there".to_owned());
            Finding {
                what: "disk",
                ok: free >= LOW,
                says,
                help,
            }
        }
        Err(error) => Finding {
            what: "disk",
            ok: false,
            says: error.to_string(),
            help: None,
        },
    }
}

fn clock() -> Finding {
    let now = jiff::Timestamp::now();
    let sane = now.as_second() > 1_700_000_000;
    let help = (!sane).then(|| "set the clock: tokens and logs carry times".to_owned());
    Finding {
        what: "clock",
        ok: sane,
        says: now.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        help,
    }
}

async fn coordinator(arguments: &Arguments) -> Finding {
    let what = "coordinator";
    let asked = async {
        let client = Client::new(settings::access(arguments)?)?;
        let _: Value = client.query("/builds", &[("limit", "1".to_owned())]).await?;
        anyhow::Ok(client.url().to_owned())
    };
    match tokio::time::timeout(Duration::from_secs(5), asked).await {
        Ok(Ok(url)) => Finding {
            what,
            ok: true,
            says: format!("{url} answers, and takes the token"),
            help: None,
        },
        Ok(Err(error)) => {
            let help = error
                .downcast_ref::<crate::exit::Stop>()
                .and_then(|stop| stop.help.clone());
            Finding {
                what,
                ok: false,
                says: format!("{error:#}"),
                help,
            }
        }
        Err(_) => Finding {
            what,
            ok: false,
            says: "no answer within 5 s".to_owned(),
            help: None,
        },
    }
}
