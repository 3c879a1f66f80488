//! The long poll: an agent says what it holds and what room it has, and is answered the moment there is something to
//! say. It listens for wake-ups before it asks the store, so nothing is missed in between, and the store is asked
//! only when something happened.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use job_specs::builtin_env;
use job_specs::model::SecretUse;
use protocol::attempt::{AttemptResult, ReasonCode, Verdict};
use protocol::ids::{AgentId, AttemptId, StackId};
use protocol::lease::{Lease, LeaseRef, Poll, PollAnswer};
use protocol::work::{AttemptWork, SecretValue, Source, Work};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::time::{Instant, sleep_until};

use crate::app::App;
use crate::http::access::AgentCaller;
use crate::http::error::ApiError;
use crate::http::extract::Json as Body;
use crate::id_tokens::Claims;
use crate::store::agents::{AgentSettings, Draining, Seen};
use crate::store::queue::{AgentLease, Claim, Claimed, Memory};
use crate::store::{Change, StoreError, agents, artifacts, queue, secrets, stacks};

/// Answers an agent as soon as there is something to say, at the latest when the time of holding is over.
pub(super) async fn poll(
    State(app): State<App>,
    AgentCaller(agent): AgentCaller,
    Body(poll): Body<Poll>,
) -> Result<Json<PollAnswer>, ApiError> {
    check_version(poll.version)?;
    let mut changes = app.store.changes();
    let mut bell = app.shells.bell();
    let until = Instant::now() + hold_time(&poll);
    let mut caller = Caller {
        announced: app.cancels.announced(&agent),
        release: stacks::report(&app.store, &agent, &poll.stacks).await?,
        seen: seen(&poll),
        app: &app,
        agent,
        poll,
    };
    let mut settings = agents::seen(&app.store, &caller.agent, &caller.seen).await?;
    let mut answer = caller.ask(&settings).await?;
    while !caller.is_news(&answer) && Instant::now() < until && !app.stop.is_cancelled() {
        let woken = tokio::select! {
            () = app.stop.cancelled() => break,
            () = sleep_until(until) => break,
            woken = woken(&mut changes) => woken,
            Ok(()) = bell.changed() => Woken::ByQueue,
        };
        let drained = settings.draining;
        if let Woken::ByAgents = woken {
            settings = agents::seen(&app.store, &caller.agent, &caller.seen).await?;
        }
        answer = caller.ask(&settings).await?;
        if settings.draining != drained {
            break;
        }
    }
    app.cancels.announce(caller.agent, &answer.cancel);
    Ok(Json(answer))
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
    let usual = if poll.held.is_empty() {
        protocol::POLL_SECS
    } else {
        protocol::RENEW_SECS
    };
    Duration::from_secs(poll.hold_secs.unwrap_or(usual).min(usual))
}

fn seen(poll: &Poll) -> Seen {
    Seen {
        slots: poll.slots,
        labels: poll.labels.clone(),
        version: poll.version,
        capabilities: poll.capabilities.clone(),
        software: poll.software.clone(),
        resources: poll.resources,
    }
}

/// Why a poll looks again.
enum Woken {
    /// There may be work, or something to cancel.
    ByQueue,
    /// Agents changed: it may be drained, or removed.
    ByAgents,
}

/// Waits for a wake-up that may be for an agent; those that came in the meantime count as one.
async fn woken(changes: &mut broadcast::Receiver<Change>) -> Woken {
    let mut woken = loop {
        match changes.recv().await {
            Ok(Change::Queue) => break Woken::ByQueue,
            Ok(Change::Agents | Change::All) | Err(RecvError::Lagged(_)) => break Woken::ByAgents,
            Ok(Change::Build(_) | Change::Attempt(_) | Change::Access | Change::Outbox) => {}
            Err(RecvError::Closed) => std::future::pending().await,
        }
    };
    loop {
        match changes.try_recv() {
            Ok(Change::Agents | Change::All) | Err(TryRecvError::Lagged(_)) => woken = Woken::ByAgents,
            Ok(_) => {}
            Err(TryRecvError::Empty | TryRecvError::Closed) => return woken,
        }
    }
}

/// An agent that waits for an answer.
struct Caller<'a> {
    app: &'a App,
    agent: AgentId,
    poll: Poll,
    seen: Seen,
    /// Cancellations that it was sent before.
    announced: HashSet<AttemptId>,
    /// Stacks that it named and is to remove.
    release: Vec<StackId>,
}

impl Caller<'_> {
    /// Whether the agent must hear this now.
    fn is_news(&self, answer: &PollAnswer) -> bool {
        let cancels = answer.cancel.iter().any(|attempt| !self.announced.contains(attempt));
        let people = !answer.shells.is_empty() || !answer.release.is_empty();
        cancels || people || !answer.leases.is_empty() || !answer.lost.is_empty()
    }

    /// Renews what it holds and looks for more.
    async fn ask(&mut self, settings: &AgentSettings) -> Result<PollAnswer, ApiError> {
        let store = &self.app.store;
        let (resumed, held): (Vec<LeaseRef>, Vec<LeaseRef>) =
            self.poll.held.iter().cloned().partition(|held| held.resume);
        // From the second time on, what was asked for again is held like the rest.
        self.poll.held.iter_mut().for_each(|held| held.resume = false);
        let mut answer = PollAnswer {
            drain: settings.draining == Draining::Yes,
            labels: (settings.labels != self.poll.labels).then(|| settings.labels.clone()),
            ..PollAnswer::default()
        };
        answer.shells = self.app.shells.calls_for(&self.agent);
        self.release_stacks(&mut answer).await?;
        for held in resumed {
            self.resume(held, &mut answer).await?;
        }
        if !held.is_empty() {
            let renewed = queue::renew(store, &self.agent, &held).await?;
            answer.cancel.extend(renewed.cancel);
            answer.lost.extend(renewed.lost);
        }
        let resources = self.poll.resources;
        if self.poll.free_slots > 0 && !answer.drain && !resources.is_some_and(agents::is_short_of_disk) {
            let claim = Claim {
                agent: self.agent.clone(),
                free_slots: self.poll.free_slots,
                labels: settings.labels.clone(),
                memory: resources.map(|resources| Memory {
                    total: resources.memory_bytes,
                    free: resources.free_memory_bytes,
                }),
            };
            for claimed in queue::claim(store, &claim).await? {
                answer.leases.extend(self.lease(claimed).await?);
            }
        }
        Ok(answer)
    }

    /// Says which stacks to remove: of those that the agent named.
    async fn release_stacks(&mut self, answer: &mut PollAnswer) -> Result<(), ApiError> {
        answer.release = std::mem::take(&mut self.release);
        if !self.poll.stacks.is_empty() {
            let named = |stack: &StackId| self.poll.stacks.iter().any(|report| report.stack == *stack);
            let deleted = stacks::released(&self.app.store, &self.agent).await?;
            answer.release.extend(deleted.into_iter().filter(named));
            answer.release.sort();
            answer.release.dedup();
        }
        Ok(())
    }

    /// Gives an agent that was started again its lease once more, or says that it is gone.
    async fn resume(&self, held: LeaseRef, answer: &mut PollAnswer) -> Result<(), ApiError> {
        let hold = AgentLease {
            agent: self.agent.clone(),
            attempt: held.attempt.clone(),
            epoch: held.epoch,
        };
        match queue::resume(&self.app.store, &hold).await {
            Ok(claimed) => answer.leases.extend(self.lease(claimed).await?),
            Err(StoreError::StaleLease | StoreError::NotFound(_)) => answer.lost.push(held.attempt),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// The lease with its secrets. `None`: they cannot be opened, and the attempt has ended with that.
    async fn lease(&self, claimed: Claimed) -> Result<Option<Lease>, ApiError> {
        let store = &self.app.store;
        let secrets = match secrets_for(self.app, &claimed).await {
            Ok(secrets) => secrets,
            Err(error) => {
                let error = format!("{error:#}");
                tracing::error!(attempt.id = %claimed.attempt, error, "secrets cannot be opened");
                let sentence = "the job's secrets cannot be opened; the coordinator's log says why";
                let result = AttemptResult::because(Verdict::Errored, ReasonCode::Infrastructure, sentence);
                let hold = AgentLease {
                    agent: self.agent.clone(),
                    attempt: claimed.attempt,
                    epoch: claimed.epoch,
                };
                queue::finish(store, &hold, &[], result).await?;
                return Ok(None);
            }
        };
        // What passed in the build that this one repeats is no need any more, but its artifacts are.
        let mut spec = claimed.spec.clone();
        let wanted = artifacts::needs(store, claimed.build, &spec).await?;
        spec.needs
            .extend(wanted.into_iter().filter(|need| !claimed.spec.needs.contains(need)));
        tracing::info!(attempt.id = %claimed.attempt, agent.id = %self.agent, build = claimed.build, "a lease is given");
        let epoch = claimed.epoch;
        let work = Work::Attempt(Box::new(AttemptWork {
            env: builtin_env(&claimed.facts),
            attempt: claimed.attempt,
            number: claimed.number,
            build: claimed.build,
            repository: claimed.facts.repository,
            source: Source {
                git: claimed.git,
                commit: claimed.facts.sha,
                reference: claimed.facts.reference,
                protocols: self.app.config.git.protocols.clone(),
            },
            spec,
            secrets,
            trusted: claimed.trust.is_trusted(),
        }));
        Ok(Some(Lease { epoch, work }))
    }
}

/// The secrets that the job names, and the ID tokens that it asks for. Code that is not ours gets none.
async fn secrets_for(app: &App, claimed: &Claimed) -> anyhow::Result<BTreeMap<String, SecretValue>> {
    if !claimed.trust.is_trusted() {
        return Ok(BTreeMap::new());
    }
    let (mut names, mut tokens) = (Vec::new(), Vec::new());
    for name in claimed.spec.secret_names() {
        match SecretUse::audience(name) {
            Some(audience) => tokens.push((name.to_owned(), audience)),
            None => names.push(name.to_owned()),
        }
    }
    let mut values = match names.is_empty() {
        true => BTreeMap::new(),
        false => secrets::open_for(&app.store, &claimed.repository, &names).await?.values,
    };
    for (name, audience) in tokens {
        let claims = Claims::of(claimed, audience, &app.url);
        values.insert(name, SecretValue(app.id_tokens.sign(&app.store, &claims).await?));
    }
    Ok(values)
}
