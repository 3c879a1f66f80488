//! The long poll: an agent says what it holds and what room it has, and is answered the moment there is something to
//! say. It listens for wake-ups before it asks the store, so nothing is missed in between, and the store is asked
//! only when something happened.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use job_specs::{Facts, builtin_env};
use protocol::ids::AgentId;
use protocol::lease::{Held, Lease, Poll, PollAnswer, Source};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::time::{Instant, sleep_until};

use crate::app::App;
use crate::http::access::AgentCaller;
use crate::http::error::ApiError;
use crate::http::extract::Json as Body;
use crate::store::agents::{Draining, Seen};
use crate::store::queue::{Claim, Claimed, Hold};
use crate::store::{Change, StoreError, agents, queue, secrets};

/// Answers an agent as soon as there is something to say, at the latest when the time of holding is over.
pub(super) async fn poll(
    State(app): State<App>,
    AgentCaller(agent): AgentCaller,
    Body(poll): Body<Poll>,
) -> Result<Json<PollAnswer>, ApiError> {
    check_version(poll.version)?;
    let mut changes = app.store.changes();
    let until = Instant::now() + hold_time(&poll);
    let mut caller = Caller {
        seen: seen(&poll),
        app: &app,
        agent,
        poll,
    };
    loop {
        let answer = caller.ask().await?;
        let over = Instant::now() >= until || app.stop.is_cancelled();
        if over || !is_empty(&answer) {
            return Ok(Json(answer));
        }
        caller.poll.held.iter_mut().for_each(|held| held.resume = false);
        tokio::select! {
            () = app.stop.cancelled() => {}
            () = sleep_until(until) => {}
            () = woken(&mut changes) => {}
        }
    }
}

/// # Errors
/// When the agent's version is neither ours nor the one before.
fn check_version(version: u32) -> Result<(), ApiError> {
    let ours = protocol::VERSION;
    if version == ours || version + 1 == ours {
        return Ok(());
    }
    let older = if version < ours { "the agent" } else { "the coordinator" };
    Err(ApiError::Outdated(format!(
        "the agent speaks protocol version {version}, this coordinator {ours} (and the one before): update {older}"
    )))
}

/// How long to hold: what the agent wants, or the protocol's times, never longer than those.
fn hold_time(poll: &Poll) -> Duration {
    let usual = if poll.held.is_empty() { protocol::POLL_SECS } else { protocol::RENEW_SECS };
    Duration::from_secs(poll.hold_secs.unwrap_or(usual).min(usual))
}

fn seen(poll: &Poll) -> Seen {
    Seen {
        slots: poll.slots,
        labels: poll.labels.clone(),
        version: poll.version,
        capabilities: poll.capabilities.clone(),
        software: poll.software.clone(),
    }
}

fn is_empty(answer: &PollAnswer) -> bool {
    answer.leases.is_empty() && answer.cancel.is_empty() && answer.lost.is_empty()
}

/// Waits for a wake-up that may be for an agent; those that came in the meantime count as one.
async fn woken(changes: &mut broadcast::Receiver<Change>) {
    loop {
        match changes.recv().await {
            Ok(Change::Queue | Change::Agents | Change::All) | Err(RecvError::Lagged(_)) => break,
            Ok(Change::Build(_) | Change::Attempt(_)) => {}
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
    while !matches!(changes.try_recv(), Err(TryRecvError::Empty | TryRecvError::Closed)) {}
}

/// An agent that waits for an answer.
struct Caller<'a> {
    app: &'a App,
    agent: AgentId,
    poll: Poll,
    seen: Seen,
}

impl Caller<'_> {
    /// Renews what it holds and looks for more.
    async fn ask(&mut self) -> Result<PollAnswer, ApiError> {
        let store = &self.app.store;
        let draining = agents::seen(store, &self.agent, &self.seen).await?;
        let (resumed, held): (Vec<Held>, Vec<Held>) = self.poll.held.iter().cloned().partition(|held| held.resume);
        let mut answer = PollAnswer {
            drain: draining == Draining::Yes,
            ..PollAnswer::default()
        };
        for held in resumed {
            self.resume(held, &mut answer).await?;
        }
        if !held.is_empty() {
            let renewed = queue::renew(store, &self.agent, &held).await?;
            answer.cancel.extend(renewed.cancel);
            answer.lost.extend(renewed.lost);
        }
        if self.poll.free_slots > 0 && !answer.drain {
            let claim = Claim {
                agent: self.agent.clone(),
                free_slots: self.poll.free_slots,
                labels: self.poll.labels.clone(),
            };
            for claimed in queue::claim(store, &claim).await? {
                answer.leases.push(self.lease(claimed).await?);
            }
        }
        Ok(answer)
    }

    /// Gives an agent that was started again its lease once more, or says that it is gone.
    async fn resume(&self, held: Held, answer: &mut PollAnswer) -> Result<(), ApiError> {
        let hold = Hold {
            agent: self.agent.clone(),
            attempt: held.attempt.clone(),
            epoch: held.epoch,
        };
        match queue::resume(&self.app.store, &hold).await {
            Ok(claimed) => answer.leases.push(self.lease(claimed).await?),
            Err(StoreError::StaleLease | StoreError::NotFound(_)) => answer.lost.push(held.attempt),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    async fn lease(&self, claimed: Claimed) -> Result<Lease, ApiError> {
        tracing::info!(attempt.id = %claimed.attempt, agent.id = %self.agent, build = claimed.build, "a lease is given");
        let mut names: Vec<String> = claimed.spec.steps.iter().flat_map(|step| step.secrets.clone()).collect();
        names.sort();
        names.dedup();
        // Code that is not ours gets no secrets; a step that names one then ends with "secret … does not exist".
        let opened = if names.is_empty() || !claimed.cause.trusted {
            secrets::Opened::default()
        } else {
            secrets::open_for(&self.app.store, &claimed.repository, &names).await?
        };
        Ok(Lease {
            env: builtin_env(&facts(&claimed)),
            attempt: claimed.attempt,
            epoch: claimed.epoch,
            number: claimed.number,
            build: claimed.build,
            repository: claimed.repository_name,
            source: Source {
                git: claimed.git,
                commit: claimed.cause.commit,
                reference: claimed.cause.reference,
            },
            spec: claimed.spec,
            secrets: opened.values,
            trusted: claimed.cause.trusted,
        })
    }
}

fn facts(claimed: &Claimed) -> Facts {
    let cause = claimed.cause.clone();
    Facts {
        event: cause.event,
        branch: cause.branch,
        tag: cause.tag,
        reference: cause.reference,
        sha: cause.commit,
        repository: claimed.repository_name.clone(),
        build: Some(claimed.build),
        title: Some(cause.title),
        author: Some(cause.author),
    }
}
