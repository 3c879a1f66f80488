//! `drover watch`: follows a build to its end and exits as it does. It asks again whenever the coordinator says that
//! something changed, and goes on when the coordinator comes back after a while.

use std::time::{Duration, Instant};

use anyhow::Context;
use futures_util::StreamExt;
use job_specs::status::JobStatus;
use job_specs::units::duration;

use crate::args::Progress;
use crate::client::Client;
use crate::exit::{Exit, Stop};
use crate::render::progress::BuildProgress;
use protocol::api::BuildDetail;

/// A coordinator that is away for longer than this is unreachable.
const AWAY: Duration = Duration::from_secs(60);
/// A build that is not there yet may come: a push is a build only once it has been fetched and read.
const TO_COME: Duration = Duration::from_secs(2);
/// Even without a word of change, look again after this time.
const LOOK_AGAIN: Duration = Duration::from_secs(20);

/// Follows build `number`; exits as it does, with 8 when `timeout` (seconds) passes first.
pub async fn watch(client: &Client, number: i64, timeout: Option<u64>, progress: Progress) -> anyhow::Result<Exit> {
    let follow = follow(client, number, progress);
    let followed = async {
        match timeout {
            Some(secs) => tokio::time::timeout(Duration::from_secs(secs), follow)
                .await
                .unwrap_or_else(|_| {
                    let waited = duration(Duration::from_secs(secs));
                    Err(Stop::new(Exit::Pending, format!("build {number} is not over after {waited}")).into())
                }),
            None => follow.await,
        }
    };
    tokio::select! {
        exit = followed => exit,
        _ = tokio::signal::ctrl_c() => {
            anstream::eprintln!("\nthe build goes on; `drover cancel {number}` stops it, `drover watch {number}` comes back to it");
            Ok(Exit::Interrupted)
        }
    }
}

async fn follow(client: &Client, number: i64, progress: Progress) -> anyhow::Result<Exit> {
    let mut shown = BuildProgress::new(progress);
    let mut away_since: Option<Instant> = None;
    let mut last_id: Option<String> = None;
    let begun = Instant::now();
    loop {
        match follow_once(client, number, &mut shown, &mut last_id).await {
            Ok(Some(exit)) => return Ok(exit),
            Ok(None) => away_since = None,
            Err(error) if is_away(&error) => {
                let since = *away_since.get_or_insert_with(Instant::now);
                if since.elapsed() > AWAY {
                    return Err(error);
                }
                shown.note("the coordinator does not answer; trying again");
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            Err(error) if ends_with(&error, &[Exit::NotFound]) && begun.elapsed() < TO_COME => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// One connection's worth: `Some` once the build is over, `None` when the stream ended or was quiet.
async fn follow_once(
    client: &Client,
    number: i64,
    shown: &mut BuildProgress,
    last_id: &mut Option<String>,
) -> anyhow::Result<Option<Exit>> {
    // Listen first, look second: a change between the two is then not missed.
    let events = client
        .events(&[("build", number.to_string())], last_id.as_deref())
        .await?;
    if let Some(exit) = look(client, number, shown).await? {
        return Ok(Some(exit));
    }
    let mut body = events.bytes_stream();
    while let Ok(Some(chunk)) = tokio::time::timeout(LOOK_AGAIN, body.next()).await {
        let Ok(chunk) = chunk else { return Ok(None) };
        let text = String::from_utf8_lossy(&chunk);
        for id in text.lines().filter_map(|line| line.strip_prefix("id:")) {
            *last_id = Some(id.trim().to_owned());
        }
        let changed = text.lines().any(|line| line.starts_with("event:"));
        if changed && let Some(exit) = look(client, number, shown).await? {
            return Ok(Some(exit));
        }
    }
    Ok(None)
}

async fn look(client: &Client, number: i64, shown: &mut BuildProgress) -> anyhow::Result<Option<Exit>> {
    let view: BuildDetail = client
        .read(&format!("/builds/{number}"))
        .await
        .context("look at the build")?;
    shown.show(&view)?;
    if !view.build.status.is_final() {
        return Ok(None);
    }
    shown.finish(&view);
    Ok(Some(exit_of(&view)))
}

fn exit_of(view: &BuildDetail) -> Exit {
    let invalid = view.jobs.is_empty() && !view.diagnostics.is_empty() && view.build.status == JobStatus::Failed;
    if invalid {
        Exit::InvalidJobFile
    } else {
        Exit::of_status(view.build.status)
    }
}

fn is_away(error: &anyhow::Error) -> bool {
    ends_with(error, &[Exit::Unreachable, Exit::Infrastructure])
}

fn ends_with(error: &anyhow::Error, exits: &[Exit]) -> bool {
    error
        .downcast_ref::<Stop>()
        .is_some_and(|stop| exits.contains(&stop.exit))
}
