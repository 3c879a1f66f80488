//! `drover repo connect`, and how telling a forge goes.

use std::time::{Duration, Instant};

use anyhow::Context;
use protocol::api::{ForgeConnection, NewForgeConnection, OutboxEntry, OutboxKind, OutboxStatus};
use protocol::work::SecretValue;
use reqwest::Method;
use serde_json::Value;

use super::print_json;
use crate::args::Connection;
use crate::client::{Client, segment};
use crate::exit::{Exit, Stop};
use crate::render;

/// So long the first answer of a forge is waited for; later ones are seen in `drover repo show`.
const WAIT: Duration = Duration::from_secs(20);
/// How often it is asked for.
const PAUSE: Duration = Duration::from_millis(200);

/// The connection of the repository of that name.
pub fn path(name: &str) -> String {
    format!("/repositories/{}/forge", segment(name))
}

/// The connection that is asked for. `None`: none is.
///
/// # Errors
/// The token cannot be read.
pub fn wanted(connection: &Connection) -> anyhow::Result<Option<NewForgeConnection>> {
    let Some(file) = &connection.token_file else {
        return Ok(None);
    };
    let token = match file.as_os_str() == "-" {
        true => std::io::read_to_string(std::io::stdin()),
        false => std::fs::read_to_string(file),
    };
    let unread = |error| {
        Stop::new(
            Exit::Usage,
            format!("cannot read the token from {}: {error}", file.display()),
        )
    };
    let token = token.map_err(unread)?;
    Ok(Some(NewForgeConnection {
        token: SecretValue(token.trim().to_owned()),
        api: connection.api.clone(),
        project: connection.project.clone(),
    }))
}

/// `drover repo connect`
pub async fn connect(client: &Client, name: &str, connection: &Connection, json: bool) -> anyhow::Result<Exit> {
    let wanted = wanted(connection)?.ok_or_else(|| {
        let help = "make a token at the forge and give it with --token-file FILE (`-` reads it from stdin)";
        Stop::new(Exit::Usage, "a token is needed").help(help)
    })?;
    client.call(Method::PUT, &path(name), &wanted).await?;
    match json {
        true => print_json(&client.read::<Value>(&path(name)).await?),
        false => await_webhook(client, name).await,
    }
}

/// Waits until the forge has taken the webhook, or will not.
pub async fn await_webhook(client: &Client, name: &str) -> anyhow::Result<Exit> {
    let began = Instant::now();
    loop {
        let found: Option<ForgeConnection> = client.read(&path(name)).await?;
        let connection = found.with_context(|| format!("{name} is not connected any more"))?;
        let webhook = connection.outbox.iter().find(|entry| entry.kind == OutboxKind::Webhook);
        match webhook {
            Some(entry) if entry.status == OutboxStatus::Sent => {
                anstream::println!(
                    "connected with {} at {}: its webhook is registered, and commits will have a status",
                    connection.project,
                    connection.api
                );
                return Ok(Exit::Passed);
            }
            Some(entry) if entry.status == OutboxStatus::Failed || began.elapsed() > WAIT => {
                return Err(not_registered(name, &connection, entry).into());
            }
            _ => tokio::time::sleep(PAUSE).await,
        }
    }
}

fn not_registered(name: &str, connection: &ForgeConnection, entry: &OutboxEntry) -> Stop {
    let why = entry.message.as_deref().unwrap_or("it has not answered yet");
    let sentence = format!("the webhook of {name} is not registered at {}: {why}", connection.api);
    let again = format!("mend it and connect again: drover repo connect {name} --token-file FILE");
    match entry.status {
        OutboxStatus::Failed => Stop::new(Exit::Failed, sentence).help(again),
        _ => {
            let help = format!("it is tried again by itself; see how it goes: drover repo show {name}");
            Stop::new(Exit::Pending, sentence).help(help)
        }
    }
}

/// Prints where it is connected, and what its forge does not know yet.
pub fn print(connection: &ForgeConnection) {
    let held = connection.held_until.map_or(String::new(), |until| {
        format!("; nothing is sent before {}", render::date(until))
    });
    anstream::println!("connected with {} at {}{held}", connection.project, connection.api);
    let open = connection
        .outbox
        .iter()
        .filter(|entry| entry.status != OutboxStatus::Sent);
    for entry in open.take(10) {
        let what = match entry.kind {
            OutboxKind::CommitStatus => format!("commit status {}", entry.subject),
            OutboxKind::Webhook => "webhook".to_owned(),
        };
        let stands = match entry.status {
            OutboxStatus::Failed => "not told",
            OutboxStatus::Pending | OutboxStatus::Sent => "to be told",
        };
        let why = entry.message.as_deref().map_or(String::new(), |why| format!(": {why}"));
        anstream::println!("! {stands}: {what}{why}");
    }
}
