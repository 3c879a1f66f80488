//! Why a job waits, in one plain sentence: for a job, for an agent that is not there, or for its turn.

use job_specs::model::Env;
use job_specs::status::JobStatus;
use job_specs::units::size;
use protocol::ids::JobId;
use protocol::lease::Resources;

use super::jobs::{self, Job};
use super::queue::{Waiting, is_ready};
use super::{Micros, Store, StoreError, agents, groups, lanes};
use crate::db::{DbError, Row, args};

/// What a job of the queue waits with.
struct Facts {
    id: JobId,
    status: JobStatus,
    name: String,
    labels: Env,
    blocked_by_max_parallel: bool,
    /// Its build waits for another one.
    blocked_by_group: bool,
    /// Its build waits for approval.
    blocked_by_approval: bool,
    build: i64,
    max_parallel: Option<i64>,
    /// That it asks for, bytes.
    memory: u64,
}

impl Facts {
    fn from_row(row: &Row) -> Result<Facts, DbError> {
        Ok(Facts {
            id: JobId(row.get("id")?),
            status: jobs::status(row)?,
            name: row.get("name")?,
            labels: row.json("labels")?,
            blocked_by_max_parallel: row.flag("blocked_by_max_parallel")?,
            blocked_by_group: row.flag("blocked_by_group")?,
            blocked_by_approval: row.flag("blocked_by_approval")?,
            build: row.get("build")?,
            max_parallel: row.get("max_parallel")?,
            memory: lanes::memory_and_labels(&row.get::<String>("lane")?).0,
        })
    }
}

/// An agent that is connected.
struct Candidate {
    name: String,
    labels: Env,
    is_draining: bool,
    is_busy: bool,
    resources: Option<Resources>,
}

/// Why a job stands where it stands.
pub(super) async fn sentence(store: &Store, job: &Job) -> Result<String, StoreError> {
    let agent = job.agent.as_deref().unwrap_or("an agent");
    let reason = job.reason.as_ref().map(|reason| reason.sentence.clone());
    Ok(match job.status {
        JobStatus::Waiting | JobStatus::Queued => return in_queue(store, &job.id).await,
        JobStatus::Assigned | JobStatus::Running if job.cancelling => format!("agent `{agent}` stops it"),
        JobStatus::Assigned => format!("agent `{agent}` prepares it"),
        JobStatus::Running => format!("it runs on agent `{agent}`"),
        JobStatus::Passed => "it passed".into(),
        JobStatus::Failed => reason.unwrap_or("it failed".into()),
        JobStatus::Errored => reason.unwrap_or("drover could not run it".into()),
        JobStatus::Cancelled => reason.unwrap_or("it was cancelled".into()),
        JobStatus::TimedOut => reason.unwrap_or("it ran longer than it may".into()),
        JobStatus::Skipped => reason.unwrap_or("it was skipped".into()),
    })
}

async fn in_queue(store: &Store, id: &JobId) -> Result<String, StoreError> {
    let sql = concat!(
        "select j.id, j.status, j.name, j.labels, j.blocked_by_max_parallel, j.blocked_by_group, j.blocked_by_approval, j.max_parallel, j.build,
           j.lane, (select count(*) from jobs o where ",
        is_ready!("o."),
        " and (o.priority > j.priority or (o.priority = j.priority and (o.build < j.build or
             (o.build = j.build and o.position < j.position))))) as ahead
         from jobs j where j.id = $1"
    );
    let row = store.one(sql, args![id], "job").await?;
    let candidates = candidates(store).await?;
    one(store, &Facts::from_row(&row)?, &candidates, row.get("ahead")?).await
}

/// The first `limit` jobs of the queue, then those that wait for others.
pub(super) async fn waiting(store: &Store, limit: u32) -> Result<Vec<Waiting>, StoreError> {
    let sql = "select j.id, j.status, j.name, j.labels, j.blocked_by_max_parallel, j.blocked_by_group, j.blocked_by_approval,
                 j.max_parallel, j.build, j.lane, j.title, j.created_at, j.queued_at, r.name as repository_name
               from jobs j join repositories r on r.id = j.repository where j.status in ('waiting', 'queued')
               order by j.status, j.blocked_by_approval, j.blocked_by_group, j.blocked_by_max_parallel, j.priority desc, j.build, j.position limit $1";
    let candidates = candidates(store).await?;
    let mut waiting = Vec::new();
    for (ahead, row) in (0..).zip(store.db.all(sql, args![limit]).await?) {
        let facts = Facts::from_row(&row)?;
        let why = one(store, &facts, &candidates, ahead).await?;
        waiting.push(Waiting {
            job: facts.id,
            build: row.get("build")?,
            repository: row.get("repository_name")?,
            title: row.get("title")?,
            since: row
                .get::<Option<Micros>>("queued_at")?
                .unwrap_or(row.get("created_at")?),
            why,
        });
    }
    Ok(waiting)
}

async fn candidates(store: &Store) -> Result<Vec<Candidate>, StoreError> {
    let sql = "select a.name, a.labels, a.slots, a.draining, a.memory_bytes, a.free_memory_bytes, a.free_disk_bytes,
                 (select count(*) from attempts t where t.agent = a.id and t.state = 'active') as busy
               from agents a where a.removed_at is null and a.seen_at >= $1 order by a.name";
    let mut candidates = Vec::new();
    for row in store.db.all(sql, args![store.now() - agents::OFFLINE_US]).await? {
        candidates.push(Candidate {
            name: row.get("name")?,
            labels: row.json("labels")?,
            is_draining: row.flag("draining")?,
            is_busy: row.get::<i64>("busy")? >= row.get::<i64>("slots")?,
            resources: agents::resources(&row)?,
        });
    }
    Ok(candidates)
}

async fn one(store: &Store, job: &Facts, candidates: &[Candidate], ahead: i64) -> Result<String, StoreError> {
    if job.blocked_by_approval {
        let build = job.build;
        return Ok(format!(
            "it comes from a stranger, and waits until somebody has looked at its commit: drover approve {build}"
        ));
    }
    if job.blocked_by_group
        && let Some(why) = groups::why(store, job.build).await?
    {
        return Ok(why);
    }
    if job.status == JobStatus::Waiting {
        return for_needs(store, &job.id).await;
    }
    Ok(match job.max_parallel {
        Some(most) if job.blocked_by_max_parallel => {
            format!("blocked by max_parallel: at most {most} of `{}` at once", job.name)
        }
        _ => for_an_agent(candidates, &job.labels, job.memory, ahead),
    })
}

async fn for_needs(store: &Store, id: &JobId) -> Result<String, StoreError> {
    let sql = "select j.name from job_needs n join jobs j on j.build = n.build and j.name = n.needs
               where n.job = $1 and j.status in ('waiting', 'queued', 'assigned', 'running')
               group by j.name order by min(j.position)";
    let mut names = Vec::new();
    for row in store.db.all(sql, args![id]).await? {
        names.push(format!("`{}`", row.get::<String>("name")?));
    }
    if names.is_empty() {
        return Ok("its needs have ended; it is about to be expanded".into());
    }
    let jobs = if names.len() == 1 { "job" } else { "jobs" };
    Ok(format!("waiting for {jobs} {}", names.join(", ")))
}

fn for_an_agent(connected: &[Candidate], wanted: &Env, memory: u64, ahead: i64) -> String {
    let missing = |agent: &Candidate| -> Vec<String> {
        let lacks = wanted
            .iter()
            .filter(|(label, value)| agent.labels.get(*label) != Some(*value));
        lacks.map(|(label, value)| format!("{label}={value}")).collect()
    };
    let Some(closest) = connected.iter().min_by_key(|agent| missing(agent).len()) else {
        return "no agent is connected".into();
    };
    let lacking = missing(closest);
    if !lacking.is_empty() {
        let labels = if lacking.len() == 1 { "label" } else { "labels" };
        let (lacking, wanted) = (lacking.join(", "), wanted.len());
        return match wanted {
            1 => format!("no agent has {labels} {lacking}"),
            _ => format!(
                "no agent has all its labels (closest: `{}`, without {lacking})",
                closest.name
            ),
        };
    }
    let fitting: Vec<&Candidate> = connected.iter().filter(|agent| missing(agent).is_empty()).collect();
    let that_fit = if fitting.len() == connected.len() {
        ""
    } else {
        " that fit"
    };
    let taking: Vec<&&Candidate> = fitting.iter().filter(|agent| !agent.is_draining).collect();
    match (&fitting[..], &taking[..]) {
        ([only], []) => format!("agent `{}` is draining", only.name),
        (all, []) => format!("all {} agents{that_fit} are draining", all.len()),
        (_, [only]) if only.is_busy => format!("agent `{}` is busy; {} in the queue", only.name, place(ahead)),
        (_, all) if all.iter().all(|agent| agent.is_busy) => {
            format!(
                "all {} agents{that_fit} are busy; {} in the queue",
                all.len(),
                place(ahead)
            )
        }
        (_, all) => for_room(all, memory, ahead),
    }
}

/// Agents have free slots: the one with the most room says what is missing, if something is.
fn for_room(fitting: &[&&Candidate], memory: u64, ahead: i64) -> String {
    let free = fitting.iter().filter(|agent| !agent.is_busy);
    let roomy = free.max_by_key(|agent| {
        let enough = |resources: Resources| !agents::is_short_of_disk(resources);
        (
            agent.resources.is_none_or(enough),
            agent
                .resources
                .map_or(u64::MAX, |resources| resources.free_memory_bytes),
        )
    });
    match roomy.and_then(|agent| Some((&agent.name, agent.resources?))) {
        Some((name, resources)) if agents::is_short_of_disk(resources) => format!(
            "the disk of agent `{name}` is nearly full: {} free",
            size(resources.free_disk_bytes.unwrap_or(0))
        ),
        Some((name, resources)) if memory.min(resources.memory_bytes) > resources.free_memory_bytes => format!(
            "it asks for {} of memory, and agent `{name}` has {} free; {} in the queue",
            size(memory),
            size(resources.free_memory_bytes),
            place(ahead)
        ),
        _ => format!("about to start: {} in the queue", place(ahead)),
    }
}

/// `next`, `2nd`, `3rd`, …
fn place(ahead: i64) -> String {
    let place = ahead + 1;
    let ending = match (place % 10, place % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    if place == 1 {
        "next".into()
    } else {
        format!("{place}{ending}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(name: &str, labels: &[(&str, &str)]) -> Candidate {
        Candidate {
            name: name.into(),
            labels: env(labels),
            is_draining: false,
            is_busy: true,
            resources: None,
        }
    }

    fn env(pairs: &[(&str, &str)]) -> Env {
        pairs
            .iter()
            .map(|(key, value)| (key.to_string(), value.to_string()))
            .collect()
    }

    #[test]
    fn the_sentence_names_what_is_missing() {
        let (gpu, both) = (env(&[("gpu", "true")]), env(&[("arch", "arm64"), ("gpu", "true")]));
        let mut agents = vec![agent("a", &[]), agent("b", &[("gpu", "true")])];
        let mut said = vec![
            for_an_agent(&[], &gpu, 0, 0),
            for_an_agent(&agents[..1], &gpu, 0, 0),
            for_an_agent(&agents, &both, 0, 0),
            for_an_agent(&agents, &gpu, 0, 0),
            for_an_agent(&agents, &env(&[]), 0, 21),
        ];
        agents[0].is_busy = false;
        said.push(for_an_agent(&agents, &env(&[]), 0, 0));
        agents[1].is_draining = true;
        said.push(for_an_agent(&agents, &gpu, 0, 0));
        agents[0].is_draining = true;
        said.push(for_an_agent(&agents, &env(&[]), 0, 0));
        agents[0].is_draining = false;
        let gib = 1 << 30;
        let mut room = |free_memory_bytes, free_disk_bytes| {
            agents[0].resources = Some(Resources {
                memory_bytes: 8 * gib,
                free_memory_bytes,
                free_disk_bytes: Some(free_disk_bytes),
            });
            said.push(for_an_agent(&agents[..1], &env(&[]), 4 * gib, 0));
        };
        room(4 * gib, 9 * gib);
        room(2 * gib, 9 * gib);
        room(8 * gib, gib / 2);
        insta::assert_snapshot!(said.join("\n"), @"
        no agent is connected
        no agent has label gpu=true
        no agent has all its labels (closest: `b`, without arch=arm64)
        agent `b` is busy; next in the queue
        all 2 agents are busy; 22nd in the queue
        about to start: next in the queue
        agent `b` is draining
        all 2 agents are draining
        about to start: next in the queue
        it asks for 4 GiB of memory, and agent `a` has 2 GiB free; next in the queue
        the disk of agent `a` is nearly full: 512 MiB free
        ");
    }

    #[test]
    fn places_are_ordinals() {
        let places: Vec<String> = [0, 1, 2, 3, 10, 11, 12, 20, 21, 100, 110].map(place).into();
        insta::assert_snapshot!(places.join(" "), @"next 2nd 3rd 4th 11th 12th 13th 21st 22nd 101st 111th");
    }
}
