//! `drover audit`: who changed what.

use anyhow::Context;
use protocol::api::AuditEntry;
use serde_json::Value;

use super::print_json;
use crate::args::Audit;
use crate::client::Client;
use crate::exit::Exit;
use crate::render::{self, table::table};

/// Entries that the coordinator gives at once.
const PAGE: usize = 500;

/// `drover audit`
pub async fn audit(client: &Client, audit: &Audit) -> anyhow::Result<Exit> {
    let entries = newest(client, audit.limit).await?;
    if audit.json {
        return print_json(&entries);
    }
    let entries: Vec<AuditEntry> = serde_json::from_value(entries.into()).context("read the audit")?;
    let rows = entries.into_iter().map(|entry| {
        vec![
            render::date(entry.at),
            entry.actor,
            entry.actor_kind,
            entry.action,
            entry.subject,
            entry.repository.unwrap_or_default(),
            entry.build.map_or(String::new(), |number| number.to_string()),
        ]
    });
    let heads = ["when", "who", "by", "what", "subject", "repository", "build"];
    anstream::println!("{}", table(&heads, rows));
    Ok(Exit::Passed)
}

/// The newest `limit` entries, page by page.
async fn newest(client: &Client, limit: usize) -> anyhow::Result<Vec<Value>> {
    let mut entries: Vec<Value> = Vec::new();
    loop {
        let wanted = PAGE.min(limit - entries.len());
        let last = entries.last().and_then(|entry| entry["id"].as_str());
        let mut query = vec![("limit", wanted.to_string())];
        query.extend(last.map(|id| ("before", id.to_owned())));
        let page: Vec<Value> = client.query("/audit", &query).await?;
        let is_last = page.len() < wanted;
        entries.extend(page);
        if is_last || entries.len() >= limit {
            return Ok(entries);
        }
    }
}
