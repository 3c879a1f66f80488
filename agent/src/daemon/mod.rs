//! The agent as a service: it holds a long poll, runs what it leases, ships logs and results, and after a crash goes
//! on with what it finds in its data folder.
//!
//! # Layout
//! [`run`] start and end · `poll_loop` the loop of polls · `work_table` what is in hand, pure · `work` one lease · `report` its
//! events · `upload` its logs · `shells` people in it · `records` what is written down.

mod poll_loop;
mod records;
mod report;
mod shells;
mod test_reports;
mod upload;
mod work;
mod work_table;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use protocol::lease::Enrolled;
use secrecy::SecretString;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::attempt::AttemptContext;
use crate::attempt::retained::{RetainLimits, Retained};
use crate::checkout::Mirrors;
use crate::coordinator::Coordinator;
use crate::disk;
use crate::engine::{Engine, EngineConfig, Kept, Limits, LocalAccess, LocalAddress, Owner, Policy};
use crate::files;
use crate::logs::tail::Watcher;
use crate::sandbox::{Pool, PoolConfig};
use poll_loop::PollLoop;
use records::Leftovers;
use shells::Masks;
use work::AgentContext;
use work_table::{Once, WorkTable};

/// How an agent runs.
#[derive(Debug, Clone)]
pub struct AgentConfig {
    /// `https://drover.example`
    pub coordinator_url: String,
    /// The agent's token (from [`enrol`]).
    pub token: SecretString,
    /// Attempts, mirrors and the gate are kept here.
    pub data: PathBuf,
    /// Jobs at once; at least 1.
    pub slots: u32,
    /// What to ask for; what `runs_on` is matched with is bound to the agent since it was enrolled.
    pub labels: BTreeMap<String, String>,
    /// How people call this agent.
    pub name: String,
    /// Take one job, end when it is over.
    pub once: bool,
    /// Bytes that the log of a step or service may have, 0 for any number; `None`: the usual.
    pub log_limit: Option<u64>,
    /// What jobs may do on this machine.
    pub policy: Policy,
    /// How many failed jobs are retained at once.
    pub retain: RetainLimits,
}

/// How an agent is asked to end.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// Finish what it has, take nothing new, then end. The first SIGTERM.
    pub drain: CancellationToken,
    /// Stop the work too (the coordinator may give it to another agent), then end. The second SIGTERM.
    pub now: CancellationToken,
}

/// Runs the agent until it is asked to end, or for one job with `once`. Errors: the engine cannot be reached, the data
/// folder cannot be used or is in use, or the coordinator refuses the token.
pub async fn run(config: AgentConfig, stop: Stop) -> anyhow::Result<()> {
    let coordinator = Coordinator::new(&config.coordinator_url, config.token.clone())?;
    let attempts = config.data.join("attempts");
    files::make_private(&attempts).with_context(|| format!("make {}", attempts.display()))?;
    let _one = one_agent_only(&config.data)?;
    let (tasks, engine_stop) = (TaskTracker::new(), CancellationToken::new());
    let engine_config = EngineConfig {
        agent: own_label(&config.data).context("read the agent's label")?,
        data: config.data.clone(),
        socket: None,
        limits: Limits {
            log_bytes: config.log_limit,
            disk_bytes: (config.policy.most.disk_bytes).or_else(|| disk::share(&config.data, config.slots)),
            ..Limits::for_slots(config.slots, config.policy.most)
        },
        policy: policy(&config),
    };
    let engine = Engine::connect(engine_config, tasks.clone(), engine_stop.clone()).await?;
    engine.raise_firewall().await;
    let left = records::find(&attempts).context("look for attempts of an earlier run")?;
    let kept = keep(&engine, &left);
    let pool = Pool::start(&engine, pool_config(&config, &left), tasks.clone(), engine_stop.clone()).await?;
    engine.start_sweeping();
    let (news, hears) = mpsc::unbounded_channel();
    let context = AttemptContext {
        engine: engine.clone(),
        pool: pool.clone(),
        mirrors: Mirrors::new(config.data.join("mirrors")),
        attempts: attempts.clone(),
        tasks: tasks.clone(),
        shutdown: stop.now.child_token(),
        retained: Retained::limited(config.retain),
    };
    let agent = AgentContext {
        coordinator,
        context,
        watcher: Watcher::new(),
        masks: Masks::default(),
        news,
    };
    let once = if config.once { Once::Yes } else { Once::No };
    let work_table = WorkTable::new((config.slots, memory(&config)), once, left.attempts);
    let ended = PollLoop::new(config, agent, work_table, (kept, left.stacks))
        .run(hears, &stop)
        .await;
    pool.stop().await;
    sweep_last(&engine, &attempts).await;
    engine.lower_firewall().await;
    engine_stop.cancel();
    tasks.close();
    tasks.wait().await;
    ended
}

/// Memory for jobs: what one container may have at most, bytes.
fn memory(config: &AgentConfig) -> Option<u64> {
    config.policy.most.memory_bytes
}

/// The machine's owner's, and what everybody on the internet reaches: the coordinator's public address.
fn policy(config: &AgentConfig) -> Policy {
    let mut policy = config.policy.clone();
    if let LocalAccess::Only(places) = &mut policy.local
        && let Ok(url) = reqwest::Url::parse(&config.coordinator_url)
        && url.scheme() == "https"
        && let Some(host) = url.host_str()
    {
        places.push(LocalAddress {
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: url.port_or_known_default(),
        });
    }
    policy
}

/// What could not be removed in its time is tried once more. Attempts that are left for the next start keep theirs.
async fn sweep_last(engine: &Engine, attempts: &Path) {
    let none_left = records::find(attempts).is_ok_and(|left| left.owners().next().is_none());
    if none_left && let Err(error) = engine.sweep().await {
        tracing::warn!(%error, "cannot look for what is left in the engine");
    }
}

/// A warm sandbox for each slot, and one more for each that is still being cleaned when its next job comes.
fn pool_config(config: &AgentConfig, left: &Leftovers) -> PoolConfig {
    PoolConfig {
        slots: config.slots as usize,
        spare: (config.slots as usize).div_ceil(2),
        holders: left.owners().map(|attempt| attempt.0.clone()).collect(),
        expires: None,
    }
}

/// Trades a one-time code for the agent's token. Labels that the code is bound to come before those asked for here.
pub async fn enrol(
    coordinator_url: &str,
    code: &SecretString,
    (name, labels): (&str, &BTreeMap<String, String>),
) -> anyhow::Result<Enrolled> {
    let coordinator = Coordinator::new(coordinator_url, SecretString::default())?;
    Ok(coordinator.enrol(code, (name, labels)).await?)
}

/// What is left from before a restart is not swept until the coordinator has said whose it is.
fn keep(engine: &Engine, left: &Leftovers) -> BTreeMap<String, Kept> {
    let kept = left
        .owners()
        .map(|attempt| (attempt.0.clone(), engine.keep(Owner::Attempt(attempt.0.clone()))));
    kept.collect()
}

/// Two agents on one folder would take each other's jobs for their own.
fn one_agent_only(data: &Path) -> anyhow::Result<fs::File> {
    let path = data.join("agent.lock");
    let file = fs::File::create(&path).with_context(|| format!("make {}", path.display()))?;
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => bail!("another agent runs with the data folder {}", data.display()),
        Err(error) => Err(error).with_context(|| format!("lock {}", path.display())),
    }
}

/// The label of everything that this agent makes, the same in every life.
fn own_label(data: &Path) -> io::Result<String> {
    let path = data.join("agent-label");
    match fs::read_to_string(&path) {
        Ok(label) if !label.trim().is_empty() => Ok(label.trim().to_owned()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => {
            let label = uuid::Uuid::now_v7().simple().to_string();
            files::write_whole(&path, label.as_bytes())?;
            Ok(label)
        }
    }
}
