//! Agents: how they come in (a one-time code, then a token of their own), who is there, and how they leave.

use std::time::Duration;

use job_specs::model::Env;
use protocol::ids::{AgentId, AttemptId};
use protocol::lease::{Enrolled, Resources};
use serde::Serialize;

use super::audit::{Action, Subject};
use super::polls::{asked, said};
use super::tokens::{self, Kind, NewCredential};
use super::{Actor, Change, Micros, Store, StoreError, leases, stacks, to_json};
use crate::db::{DbError, Row, Tx, Value, args};

pub(super) use super::polls::resources;
pub use super::polls::{AgentSettings, Draining, Seen, is_short_of_disk, seen};

/// An agent that was not seen for so long is not connected, in microseconds: 60 s.
pub const OFFLINE_US: i64 = 60_000_000;

/// One agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Agent {
    /// Its id.
    pub id: AgentId,
    /// How people call it.
    pub name: String,
    /// Its labels: bound to it when it came in, changed by people only.
    pub labels: Env,
    /// What it asks for instead; `None`: just those.
    pub asked_labels: Option<Env>,
    /// Slots in all.
    pub slots: u32,
    /// The drover version that it runs.
    pub software: String,
    /// Its protocol version.
    pub version: u32,
    /// What it can do beyond the version.
    pub capabilities: Vec<String>,
    /// What it has beside slots, as it said a moment ago.
    pub resources: Option<Resources>,
    /// It takes nothing new.
    pub draining: bool,
    /// When it came in.
    pub created_at: Micros,
    /// When it last called.
    pub seen_at: Option<Micros>,
    /// It called within [`OFFLINE_US`].
    pub connected: bool,
    /// What it works on.
    pub running: Vec<AttemptId>,
}

/// A one-time code that lets one agent in, with these labels or, without any, those that the agent asks for; shown only
/// here.
///
/// # Errors
/// `Refused` when a label is malformed.
pub async fn enrol_code(
    store: &Store,
    actor: &Actor,
    valid_for: Duration,
    labels: Option<&Env>,
) -> Result<String, StoreError> {
    labels.map(check_labels).transpose()?;
    let (now, labels) = (store.now(), labels.map(to_json));
    store
        .act(actor, Action::CreateEnrolmentCode, move |tx| {
            Box::pin(async move {
                let valid_for = Some(valid_for);
                let code = NewCredential {
                    kind: Kind::Enrol,
                    name: "agent",
                    agent: None,
                    valid_for,
                };
                let code = tokens::make(tx, now, code).await?;
                tokens::bind_labels(tx, &code.secret, labels).await?;
                Ok((code.secret, Subject::named("agent").id(code.id)))
            })
        })
        .await
}

/// What labels may be: an agent says them, and people read them.
fn check_labels(labels: &Env) -> Result<(), StoreError> {
    let is_plain = |text: &str, most: usize| text.len() <= most && !text.chars().any(char::is_control);
    let fits = |(key, value): (&String, &String)| !key.is_empty() && is_plain(key, 63) && is_plain(value, 255);
    match labels.len() <= 64 && labels.iter().all(fits) {
        true => Ok(()),
        false => Err(StoreError::Refused(
            "an agent has at most 64 labels `key=value`, with keys of 1 to 63 bytes, values of at most 255, and no control \
             characters"
                .into(),
        )),
    }
}

/// Uses a code up and gives the agent its token. A name that is taken gets a number behind it. Its labels are those of
/// the code, or else the ones that it asks for, and stay.
///
/// # Errors
/// `BadCode`; `Refused` when the name or a label is malformed.
pub async fn enrol(store: &Store, code: &str, (name, asked): (&str, Option<Env>)) -> Result<Enrolled, StoreError> {
    let asked = asked.unwrap_or_default();
    check_labels(&asked)?;
    if !(1..=100).contains(&name.len()) || name.chars().any(char::is_control) {
        return Err(StoreError::Refused(
            "an agent's name has 1 to 100 bytes and no control characters".into(),
        ));
    }
    let (code, name, now) = (code.to_owned(), name.to_owned(), store.now());
    store
        .write(move |tx| {
            Box::pin(async move {
                tokens::use_up(tx, now, Kind::Enrol, &code).await?;
                let labels = tokens::bound_labels(tx, &code)
                    .await?
                    .unwrap_or_else(|| to_json(&asked));
                let agent = insert(tx, (&name, &labels), now).await?;
                let token = NewCredential {
                    kind: Kind::Agent,
                    name: &name,
                    agent: Some(&agent),
                    valid_for: None,
                };
                let token = tokens::make(tx, now, token).await?.secret;
                tx.notify(Change::Agents);
                Ok(Enrolled { agent, token })
            })
        })
        .await
}

async fn insert(tx: &mut Tx, (name, labels): (&str, &str), now: Micros) -> Result<AgentId, StoreError> {
    let agent = AgentId::generate();
    let mut number = 1;
    loop {
        let name = if number == 1 {
            name.to_owned()
        } else {
            format!("{name}-{number}")
        };
        let sql = "insert into agents (id, name, labels, slots, software, version, capabilities, draining, created_at)
                   values ($1, $2, $4, 0, '', 0, '[]', 0, $3) on conflict do nothing";
        if tx.run(sql, args![&agent, name, now, labels]).await? == 1 {
            return Ok(agent);
        }
        number += 1;
    }
}

/// Whose token it is. `None`: nobody's.
///
/// # Errors
/// The database.
pub async fn authenticate(store: &Store, token: &str) -> Result<Option<AgentId>, StoreError> {
    Ok(tokens::authenticate(store, Kind::Agent, token)
        .await?
        .and_then(|credential| credential.agent))
}

/// All, by name.
///
/// # Errors
/// The database.
pub async fn list(store: &Store) -> Result<Vec<Agent>, StoreError> {
    let sql =
        "select id, name, labels, asked_labels, slots, software, version, capabilities, draining, created_at, seen_at,
               memory_bytes, free_memory_bytes, free_disk_bytes from agents where removed_at is null";
    let now = store.now();
    let rows = store.db.all(sql, args![]).await?;
    let mut agents = rows
        .iter()
        .map(|row| from_row(row, now))
        .collect::<Result<Vec<_>, _>>()?;
    let running = "select id, agent from attempts where state = 'active' order by assigned_at, id";
    for row in store.db.all(running, args![]).await? {
        let id = AgentId(row.get("agent")?);
        if let Some(agent) = agents.iter_mut().find(|agent| agent.id == id) {
            agent.running.push(AttemptId(row.get("id")?));
        }
    }
    agents.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(agents)
}

fn from_row(row: &Row, now: Micros) -> Result<Agent, DbError> {
    let (seen, seen_at) = (said(row)?, row.get::<Option<Micros>>("seen_at")?);
    Ok(Agent {
        id: AgentId(row.get("id")?),
        name: row.get("name")?,
        labels: row.json("labels")?,
        asked_labels: asked(row)?,
        slots: seen.slots,
        software: seen.software,
        version: seen.version,
        capabilities: seen.capabilities,
        resources: seen.resources,
        draining: row.flag("draining")?,
        created_at: row.get("created_at")?,
        seen_at,
        connected: seen_at.is_some_and(|at| now - at < OFFLINE_US),
        running: Vec::new(),
    })
}

/// Runs a statement that changes one agent and returns its name, and wakes whom that concerns: the agent's poll is
/// answered, so that it hears of it.
async fn change(tx: &mut Tx, sql: &'static str, (agent, value): (&AgentId, Value)) -> Result<Subject, StoreError> {
    let row = tx.one(sql, &[agent.into(), value], "agent").await?;
    tx.notify(Change::Agents);
    tx.notify(Change::Queue);
    Ok(Subject::named(row.get::<String>("name")?).id(agent.as_str()))
}

/// Says whether it takes new work.
///
/// # Errors
/// `NotFound`.
pub async fn drain(store: &Store, actor: &Actor, agent: &AgentId, to: Draining) -> Result<(), StoreError> {
    let (action, draining) = match to {
        Draining::Yes => (Action::DrainAgent, 1_i64),
        Draining::No => (Action::UndrainAgent, 0),
    };
    let agent = agent.clone();
    let sql = "update agents set draining = $2 where id = $1 and removed_at is null returning name";
    store
        .act(actor, action, move |tx| {
            Box::pin(async move { Ok(((), change(tx, sql, (&agent, draining.into())).await?)) })
        })
        .await
}

/// Gives it other labels.
///
/// # Errors
/// `NotFound`; `Refused` when a label is malformed.
pub async fn set_labels(store: &Store, actor: &Actor, agent: &AgentId, labels: &Env) -> Result<(), StoreError> {
    check_labels(labels)?;
    let (agent, labels) = (agent.clone(), to_json(labels));
    // What it asks for is noted anew when it calls next.
    let sql = "update agents set labels = $2, asked_labels = null where id = $1 and removed_at is null returning name";
    store
        .act(actor, Action::LabelAgent, move |tx| {
            Box::pin(async move { Ok(((), change(tx, sql, (&agent, labels.into())).await?)) })
        })
        .await
}

/// Takes it away: its token is worth nothing from now on, and what it works on is given to others.
///
/// # Errors
/// `NotFound`.
pub async fn remove(store: &Store, actor: &Actor, agent: &AgentId) -> Result<(), StoreError> {
    let (id, now) = (agent.clone(), store.now());
    store
        .act(actor, Action::RemoveAgent, move |tx| {
            Box::pin(async move {
                let sql = "update agents set removed_at = $2 where id = $1 and removed_at is null returning name";
                let removed = change(tx, sql, (&id, now.into())).await?;
                tx.run("delete from credentials where agent = $1", args![&id]).await?;
                stacks::forget_agent(tx, &id).await?;
                Ok(((), removed))
            })
        })
        .await?;
    leases::take_all(store, agent, now).await
}
