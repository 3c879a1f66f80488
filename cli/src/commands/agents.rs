//! `drover agent ls|drain|label|rm|token`: looking after the coordinator's agents.

use std::collections::BTreeMap;

use protocol::api::{Agent, AgentLabels, EnrolmentCode, NewEnrolmentCode};
use reqwest::Method;
use serde_json::{Value, json};

use super::print_json;
use crate::args::{Agents, key_value};
use crate::client::{Client, segment};
use crate::exit::{Exit, Stop};
use crate::render::{self, table::table};

/// Lists, drains or removes agents, or makes a code for a new one.
pub async fn look(client: &Client, look: &Agents) -> anyhow::Result<Exit> {
    match look {
        Agents::Ls(json) => {
            let answer: Value = client.read("/agents").await?;
            if json.json {
                return print_json(&answer);
            }
            print_list(serde_json::from_value(answer)?);
        }
        Agents::Drain { agent, undo } => {
            let verb = if *undo { "undrain" } else { "drain" };
            let path = format!("/agents/{}/{verb}", segment(agent));
            client.call(Method::POST, &path, &json!({})).await?;
            let what = if *undo {
                "takes work again"
            } else {
                "finishes what it has and takes nothing new"
            };
            anstream::eprintln!("{agent}: {what}");
        }
        Agents::Rm { agent } => {
            client.delete(&format!("/agents/{}", segment(agent))).await?;
            anstream::eprintln!("{agent}: removed; its token does not work any more");
        }
        Agents::Label { agent, labels } => {
            let labels = labels.iter().cloned().collect();
            let path = format!("/agents/{}/labels", segment(agent));
            let body = AgentLabels { labels };
            client.call(Method::PUT, &path, &body).await?;
            anstream::eprintln!("{agent}: its labels are {}", listed(&body.labels));
        }
        Agents::Token { labels, json } => {
            let labels = labels.as_deref().map(pairs).transpose()?;
            let code: EnrolmentCode = client
                .post("/agents/enrolment-codes", &NewEnrolmentCode { labels })
                .await?;
            if json.json {
                return print_json(&code);
            }
            anstream::println!("{}", code.code);
            anstream::eprintln!(
                "one use, within one hour. On the agent's machine:\n  (umask 077; cat > agent.token)   # paste the code\n  \
                 drover agent --coordinator {} --token-file agent.token",
                client.url()
            );
        }
    }
    Ok(Exit::Passed)
}

/// `key=value` with commas between.
fn pairs(text: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let pairs = text.split(',').filter(|pair| !pair.is_empty()).map(key_value);
    let pairs: Result<_, String> = pairs.collect();
    Ok(pairs.map_err(|error| Stop::new(Exit::Usage, format!("--labels: {error}")))?)
}

fn listed(labels: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    match pairs.is_empty() {
        true => "none".to_owned(),
        false => pairs.join(","),
    }
}

fn print_list(agents: Vec<Agent>) {
    if agents.is_empty() {
        anstream::eprintln!("no agents yet: `drover agent token` makes a code for one");
        return;
    }
    let rows = agents.into_iter().map(|agent| {
        let labels: Vec<String> = (agent.labels.iter())
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let seen = agent.seen_at.map_or("never".to_owned(), render::ago);
        let state = match (agent.connected, agent.draining) {
            (false, _) => "offline",
            (true, true) => "draining",
            (true, false) => "online",
        };
        let slots = format!("{}/{}", agent.running.len(), agent.slots);
        vec![
            agent.name,
            state.to_owned(),
            slots,
            labels.join(","),
            seen,
            agent.software,
            agent.id,
        ]
    });
    anstream::println!(
        "{}",
        table(&["name", "state", "busy", "labels", "seen", "version", "id"], rows)
    );
}
