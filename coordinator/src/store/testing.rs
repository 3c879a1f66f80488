//! Fixtures for tests and the bench: small builds, agents that need no HTTP. Not part of the API.

use std::time::{Duration, Instant};

use job_specs::Facts;
use job_specs::model::{Env, JobSpec, Shell, StepAction, StepSpec};
use protocol::attempt::AttemptResult;
use protocol::ids::{AgentId, JobId, RepositoryId};
use tokio::task::JoinSet;

use super::access::Person;
use super::builds::{self, NewBuild, NewJob};
use super::facts::Trust;
use super::queue::{self, AgentLease, Claim};
use super::repositories::NewRepository;
use super::{Actor, Store, StoreError, agents, repositories};
use crate::db::args;
use crate::forges::Forge;

/// A job of one step.
pub fn spec(name: &str) -> JobSpec {
    let step = StepSpec {
        name: "true".into(),
        action: StepAction::Run {
            script: "true".into(),
            shell: Shell::Sh,
        },
        image: "busybox".into(),
        ..StepSpec::default()
    };
    JobSpec {
        name: name.into(),
        image: "busybox".into(),
        steps: vec![step],
        timeout_secs: 60,
        ..JobSpec::default()
    }
}

/// A build of a push to `main`.
pub fn build(repository: &RepositoryId, jobs: Vec<NewJob>) -> NewBuild {
    let facts = Facts {
        event: "push".into(),
        branch: Some("main".into()),
        reference: "refs/heads/main".into(),
        sha: "5a1d6fb0c2".repeat(4),
        title: Some("say hello".into()),
        author: Some("Ada".into()),
        ..Facts::default()
    };
    NewBuild {
        repository: repository.clone(),
        delivery: None,
        due: None,
        facts,
        trust: Trust::Trusted,
        concurrency: None,
        order: builds::Order::default(),
        cache_scope: None,
        files: None,
        diagnostics: Vec::new(),
        message: None,
        jobs,
    }
}

/// A repository of that name.
///
/// # Errors
/// As [`repositories::add`].
pub async fn repository(store: &Store, name: &str) -> Result<RepositoryId, StoreError> {
    let new = NewRepository {
        name: name.into(),
        git: format!("/srv/git/{name}"),
        forge: Forge::Generic,
        connection: None,
    };
    Ok(repositories::add(store, &Actor::Console, new).await?.id)
}

/// An agent of that name, which has just polled with `slots` slots.
///
/// # Errors
/// As [`agents::enrol`].
pub async fn agent(store: &Store, name: &str, slots: u32) -> Result<AgentId, StoreError> {
    let code = agents::enrol_code(store, &Actor::Console, Duration::from_secs(60), None).await?;
    let agent = agents::enrol(store, &code, (name, None)).await?.agent;
    let seen = agents::Seen {
        slots,
        version: protocol::VERSION,
        ..agents::Seen::default()
    };
    agents::seen(store, &agent, &seen).await?;
    Ok(agent)
}

/// Somebody with an API token, for what people do.
pub fn person(name: &str) -> Actor {
    Actor::Token(Person {
        id: format!("token of {name}"),
        name: name.to_owned(),
    })
}

/// Lets time pass for this store and its clones, without waiting.
pub fn pass_time(store: &Store, micros: super::Micros) {
    store.ahead.fetch_add(micros, std::sync::atomic::Ordering::Relaxed);
}

/// Makes every schedule due, as if its time had just come.
///
/// # Errors
/// The database.
pub async fn make_schedules_due(store: &Store) -> Result<(), StoreError> {
    let now = store.now();
    let sql = "update schedules set next_at = $1, try_at = $1";
    store
        .write(move |tx| Box::pin(async move { Ok(tx.run(sql, args![now]).await.map(drop)?) }))
        .await
}

/// Makes every repository that is polled due, as if its time had just come; what is being asked is asked again.
///
/// # Errors
/// The database.
pub async fn make_polls_due(store: &Store) -> Result<(), StoreError> {
    let now = store.now();
    let sql = "update polling set next_at = $1";
    store
        .write(move |tx| Box::pin(async move { Ok(tx.run(sql, args![now]).await.map(drop)?) }))
        .await
}

/// How many, for [`claim_all`].
#[derive(Debug, Clone, Copy)]
pub struct Crowd {
    /// Jobs to queue, a hundred in a build.
    pub jobs: usize,
    /// Agents that claim them at once, one at a time each, and end each before the next.
    pub agents: usize,
}

/// What [`claim_all`] saw.
#[derive(Debug, Clone)]
pub struct Measured {
    /// Every job that some agent got, once for each time.
    pub claimed: Vec<JobId>,
    /// From the first claim to the last end.
    pub took: Duration,
}

impl Measured {
    /// Claims per second; each with the end of its attempt.
    pub fn claims_per_second(&self) -> f64 {
        self.claimed.len() as f64 / self.took.as_secs_f64()
    }
}

/// Queues jobs, and lets a crowd of agents claim and end them all.
///
/// # Errors
/// The database.
pub async fn claim_all(store: &Store, crowd: Crowd) -> Result<Measured, StoreError> {
    let repository = repository(store, "crowd").await?;
    for _ in 0..crowd.jobs.div_ceil(100) {
        let jobs = (0..100)
            .map(|index| NewJob::new(spec(&format!("job-{index}"))))
            .collect();
        builds::create(store, build(&repository, jobs)).await?;
    }
    let mut agents = Vec::new();
    for index in 0..crowd.agents {
        agents.push(agent(store, &format!("agent-{index}"), 1).await?);
    }
    let (begin, mut at_work) = (Instant::now(), JoinSet::new());
    for agent in agents {
        at_work.spawn(claim_and_end(store.clone(), agent));
    }
    let mut claimed = Vec::new();
    while let Some(jobs) = at_work.join_next().await {
        claimed.extend(jobs.expect("it does not panic")?);
    }
    Ok(Measured {
        claimed,
        took: begin.elapsed(),
    })
}

async fn claim_and_end(store: Store, agent: AgentId) -> Result<Vec<JobId>, StoreError> {
    let (claim, mut jobs) = (
        Claim {
            agent: agent.clone(),
            free_slots: 1,
            labels: Env::new(),
            memory: None,
        },
        Vec::new(),
    );
    while let Some(claimed) = queue::claim(&store, &claim).await?.pop() {
        let hold = AgentLease {
            agent: agent.clone(),
            attempt: claimed.attempt,
            epoch: claimed.epoch,
        };
        queue::finish(&store, &hold, &[], AttemptResult::passed()).await?;
        jobs.push(claimed.job);
    }
    Ok(jobs)
}
