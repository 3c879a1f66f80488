//! What agents say about themselves with their polls, and what they are to us. Apart from `agents`, where people let them
//! in, list them and send them away.

use job_specs::model::Env;
use protocol::ids::AgentId;
use protocol::lease::Resources;

use super::{Change, Micros, Store, StoreError, to_json};
use crate::db::{DbError, Row, args};

/// What an agent says about itself when it polls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Slots in all.
    pub slots: u32,
    /// The labels that it asks for.
    pub labels: Env,
    /// Its protocol version.
    pub version: u32,
    /// What it can do beyond the version.
    pub capabilities: Vec<String>,
    /// The drover version that it runs.
    pub software: String,
    /// What it has beside slots.
    pub resources: Option<Resources>,
}

/// An agent with less free disk than this gets no job: 1 GiB.
const LEAST_DISK: u64 = 1 << 30;

/// Whether a job would soon find the disk full.
pub fn is_short_of_disk(resources: Resources) -> bool {
    resources.free_disk_bytes.is_some_and(|free| free < LEAST_DISK)
}

/// A poll that brings nothing new is noted this rarely: 5 s.
const SEEN_GRAIN_US: i64 = 5_000_000;

/// Whether an agent takes new work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Draining {
    /// It takes new work.
    No,
    /// It finishes what it has.
    Yes,
}

/// What an agent that calls is to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentSettings {
    /// Whether it takes new work.
    pub draining: Draining,
    /// Its labels, whatever it asks for.
    pub labels: Env,
}

/// It called; says what it is to us.
///
/// # Errors
/// `NotFound`.
pub async fn seen(store: &Store, agent: &AgentId, seen: &Seen) -> Result<AgentSettings, StoreError> {
    let sql = "select labels, asked_labels, slots, software, version, capabilities, draining, seen_at, memory_bytes,
                 free_memory_bytes, free_disk_bytes from agents where id = $1 and removed_at is null";
    let row = store.one(sql, args![agent], "agent").await?;
    let now = store.now();
    let is_recent = row
        .get::<Option<Micros>>("seen_at")?
        .is_some_and(|at| (0..SEEN_GRAIN_US).contains(&(now - at)));
    let labels: Env = row.json("labels")?;
    // What is free changes all the time.
    let known = Seen {
        resources: seen.resources,
        ..said(&row)?
    };
    if !is_recent || known != *seen {
        let asked = (labels != seen.labels).then(|| to_json(&seen.labels));
        note(store, agent, (seen, asked), now).await?;
    }
    let draining = match row.flag("draining")? {
        true => Draining::Yes,
        false => Draining::No,
    };
    Ok(AgentSettings { draining, labels })
}

pub(super) fn said(row: &Row) -> Result<Seen, DbError> {
    let number = |column: &str| Ok::<_, DbError>(u32::try_from(row.get::<i64>(column)?).unwrap_or(0));
    Ok(Seen {
        slots: number("slots")?,
        labels: asked(row)?.map_or_else(|| row.json("labels"), Ok)?,
        version: number("version")?,
        capabilities: row.json("capabilities")?,
        software: row.get("software")?,
        resources: resources(row)?,
    })
}

/// What it has beside slots, if it says that.
pub(super) fn resources(row: &Row) -> Result<Option<Resources>, DbError> {
    let bytes = |column: &str| Ok::<_, DbError>(row.get::<Option<i64>>(column)?.and_then(|n| u64::try_from(n).ok()));
    let (memory, free) = (bytes("memory_bytes")?, bytes("free_memory_bytes")?);
    let free_disk_bytes = bytes("free_disk_bytes")?;
    Ok(memory.zip(free).map(|(memory_bytes, free_memory_bytes)| Resources {
        memory_bytes,
        free_memory_bytes,
        free_disk_bytes,
    }))
}

/// What it asks for, when that is not what it has.
pub(super) fn asked(row: &Row) -> Result<Option<Env>, DbError> {
    let asked: Option<String> = row.get("asked_labels")?;
    asked.map(|_| row.json("asked_labels")).transpose()
}

async fn note(
    store: &Store,
    agent: &AgentId,
    (seen, asked): (&Seen, Option<String>),
    now: Micros,
) -> Result<(), StoreError> {
    let (agent, seen) = (agent.clone(), seen.clone());
    store
        .write(move |tx| {
            Box::pin(async move {
                let sql =
                    "update agents set asked_labels = $2, slots = $3, software = $4, version = $5, capabilities = $6,
                           seen_at = $7, memory_bytes = $8, free_memory_bytes = $9, free_disk_bytes = $10 where id = $1";
                let capabilities = to_json(&seen.capabilities);
                let resources = seen.resources;
                let bytes = |of: fn(Resources) -> Option<u64>| {
                    let bytes = resources.and_then(of);
                    bytes.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX))
                };
                let values = args![
                    &agent,
                    asked,
                    seen.slots,
                    seen.software,
                    seen.version,
                    capabilities,
                    now,
                    bytes(|resources| Some(resources.memory_bytes)),
                    bytes(|resources| Some(resources.free_memory_bytes)),
                    bytes(|resources| resources.free_disk_bytes)
                ];
                tx.run(sql, values).await?;
                tx.notify(Change::Agents);
                Ok(())
            })
        })
        .await
}
