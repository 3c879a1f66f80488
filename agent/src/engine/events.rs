//! One stream of events instead of a wait per container (`die` comes 4 ms before a wait returns). The stream may break
//! at any time: it is opened again from the last event seen, and whatever is still waited for is inspected, so no end
//! is missed even if the engine was away for long.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use bollard::Docker;
use bollard::models::{ContainerState, ContainerStateStatusEnum, EventMessage, HealthStatusEnum};
use bollard::query_parameters::EventsOptions;
use futures_util::StreamExt;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::error::EngineError;
use super::labels;
use crate::clock::{now, now_secs};

/// Between two attempts to open the stream again.
const RETRY: Duration = Duration::from_millis(250);
/// Exit code of a process that SIGKILL ended, as the kernel does when memory runs out.
const KILLED: i32 = 137;

/// How a container ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// PID 1's exit code (128 + signal when a signal ended it); `None`: it was removed before anybody saw.
    pub code: Option<i32>,
    /// The kernel ended something in it for using more memory than it may.
    pub oom: bool,
}

impl Exit {
    const UNSEEN: Exit = Exit { code: None, oom: false };

    /// The kernel may have ended PID 1 for its memory without an event that says so yet.
    pub(crate) fn may_be_oom(self) -> bool {
        self.code == Some(KILLED) && !self.oom
    }
}

/// What was seen of a container so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) oom: bool,
    pub(crate) healthy: Option<bool>,
    pub(crate) exit: Option<Exit>,
    /// Ends before this moment (nanoseconds since 1970) were those of an earlier run.
    since: i64,
}

/// The containers that somebody may wait for.
#[derive(Debug, Default)]
pub(crate) struct Watched(Mutex<HashMap<String, watch::Sender<Seen>>>);

/// A container's entry in [`Watched`].
pub(crate) enum Entry {
    /// It was followed already: every event since its making was seen.
    Known(watch::Receiver<Seen>),
    /// It is followed from now on; what happened before must be inspected.
    New(watch::Receiver<Seen>),
}

impl Watched {
    pub(crate) fn follow(&self, id: &str) -> Entry {
        let mut containers = self.0.lock().expect("no panic while held");
        if let Some(sender) = containers.get(id) {
            return Entry::Known(sender.subscribe());
        }
        let (sender, receiver) = watch::channel(Seen::default());
        containers.insert(id.to_owned(), sender);
        Entry::New(receiver)
    }

    /// It is gone; who still waits is told that nobody saw its end.
    pub(crate) fn forget(&self, id: &str) {
        let sender = self.0.lock().expect("no panic while held").remove(id);
        if let Some(sender) = sender {
            sender.send_modify(|seen| seen.exit = seen.exit.or(Some(Exit::UNSEEN)));
        }
    }

    /// It is about to be started again: its last end is forgotten.
    pub(crate) fn renew(&self, id: &str) {
        let since = now().saturating_mul(1000);
        self.follow(id);
        self.apply(id, |seen| {
            *seen = Seen {
                since,
                ..Seen::default()
            };
        });
    }

    pub(crate) fn apply(&self, id: &str, change: impl FnOnce(&mut Seen)) {
        if let Some(sender) = self.0.lock().expect("no panic while held").get(id) {
            sender.send_modify(change);
        }
    }

    fn unfinished(&self) -> Vec<String> {
        let containers = self.0.lock().expect("no panic while held");
        let unfinished = containers.iter().filter(|(_, sender)| sender.borrow().exit.is_none());
        unfinished.map(|(id, _)| id.clone()).collect()
    }
}

/// Follows the events of the agent's containers until `stop`.
pub(crate) async fn follow(docker: Docker, agent: String, watched: &Watched, stop: CancellationToken) {
    let mut since = just_before_now();
    loop {
        let stream = follow_once(&docker, &agent, watched, &mut since);
        if stop.run_until_cancelled(stream).await.is_none() {
            return;
        }
        let again = async {
            tokio::time::sleep(RETRY).await;
            while docker.ping().await.is_err() {
                tokio::time::sleep(RETRY).await;
            }
            tracing::info!("the engine's events are followed again");
        };
        if stop.run_until_cancelled(again).await.is_none() {
            return;
        }
    }
}

/// One connection: first what happened while there was none, then events until it breaks.
async fn follow_once(docker: &Docker, agent: &str, watched: &Watched, since: &mut String) {
    let mut events = docker.events(Some(options(agent, since)));
    let mut recheck = std::pin::pin!(inspect_unfinished(docker, watched));
    let mut rechecked = false;
    loop {
        tokio::select! {
            () = &mut recheck, if !rechecked => rechecked = true,
            event = events.next() => match event {
                Some(Ok(event)) => {
                    if let Some(nanos) = event.time_nano {
                        *since = seconds(nanos);
                    }
                    apply(watched, &event);
                }
                Some(Err(error)) => {
                    tracing::warn!(%error, "the engine's events broke off");
                    return;
                }
                None => return,
            },
        }
    }
}

fn options(agent: &str, since: &str) -> EventsOptions {
    let filters = [
        ("type", vec!["container".into()]),
        ("label", vec![labels::filter(labels::AGENT, agent)]),
        // "died" is Podman's word for "die"
        (
            "event",
            ["die", "died", "oom", "health_status"].map(String::from).to_vec(),
        ),
    ];
    EventsOptions {
        since: Some(since.to_owned()),
        until: None,
        filters: Some(
            filters
                .into_iter()
                .map(|(key, values)| (key.to_owned(), values))
                .collect(),
        ),
    }
}

fn apply(watched: &Watched, event: &EventMessage) {
    let (Some(action), Some(actor)) = (event.action.as_deref(), event.actor.as_ref()) else {
        return;
    };
    let Some(id) = actor.id.as_deref() else { return };
    match action {
        "die" | "died" => {
            let attributes = actor.attributes.as_ref();
            let code = attributes
                .and_then(|all| all.get("exitCode"))
                .and_then(|code| code.parse().ok());
            watched.apply(id, |seen| {
                let is_old = event.time_nano.is_some_and(|at| at < seen.since);
                if !is_old {
                    seen.exit = seen.exit.or(Some(Exit { code, oom: seen.oom }));
                }
            });
        }
        "oom" => watched.apply(id, |seen| seen.oom = true),
        "health_status: healthy" => watched.apply(id, |seen| seen.healthy = Some(true)),
        "health_status: unhealthy" => watched.apply(id, |seen| seen.healthy = Some(false)),
        _ => {}
    }
}

async fn inspect_unfinished(docker: &Docker, watched: &Watched) {
    for id in watched.unfinished() {
        if let Err(error) = inspect(docker, watched, &id).await {
            tracing::warn!(container = id, %error, "a container cannot be inspected");
        }
    }
}

/// Looks a container up and notes its end, if it has come.
pub(crate) async fn inspect(docker: &Docker, watched: &Watched, id: &str) -> Result<(), EngineError> {
    let answer = docker.inspect_container(id, None).await;
    match answer.map_err(|error| EngineError::of("inspect a container", error)) {
        Ok(container) => {
            let state = container.state.unwrap_or_default();
            watched.apply(id, |seen| note(seen, &state));
            Ok(())
        }
        Err(error) if error.is_gone() => {
            watched.forget(id);
            Ok(())
        }
        Err(error) => Err(error),
    }
}

fn note(seen: &mut Seen, state: &ContainerState) {
    let oom = seen.oom || state.oom_killed == Some(true);
    seen.oom = oom;
    let health = state.health.as_ref().and_then(|health| health.status);
    match health {
        Some(HealthStatusEnum::HEALTHY) => seen.healthy = Some(true),
        Some(HealthStatusEnum::UNHEALTHY) => seen.healthy = Some(false),
        _ => {}
    }
    let ended = matches!(
        state.status,
        Some(ContainerStateStatusEnum::EXITED | ContainerStateStatusEnum::DEAD)
    );
    if ended {
        let code = state.exit_code.and_then(|code| i32::try_from(code).ok());
        seen.exit = Some(Exit { code, oom });
    }
}

/// A little before now, so that nothing between connecting and the first event is lost; the engine keeps the latest
/// events and sends those again.
fn just_before_now() -> String {
    (now_secs() - 1).to_string()
}

fn seconds(nanos: i64) -> String {
    format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::EventActor;

    fn event(action: &str, exit_code: Option<&str>) -> EventMessage {
        EventMessage {
            action: Some(action.into()),
            actor: Some(EventActor {
                id: Some("c1".into()),
                attributes: exit_code.map(|code| HashMap::from([("exitCode".into(), code.into())])),
            }),
            ..EventMessage::default()
        }
    }

    #[test]
    fn an_end_for_lack_of_memory_is_reported_with_its_code() {
        let watched = Watched::default();
        let Entry::New(seen) = watched.follow("c1") else {
            panic!("c1 is new")
        };
        apply(&watched, &event("oom", None));
        apply(&watched, &event("die", Some("137")));
        let exit = Exit {
            code: Some(137),
            oom: true,
        };
        assert_eq!(seen.borrow().exit, Some(exit));
        apply(&watched, &event("die", Some("0")));
        assert_eq!(
            seen.borrow().exit,
            Some(exit),
            "an event that comes again changes nothing"
        );
    }

    #[test]
    fn who_waits_for_a_removed_container_is_not_left_waiting() {
        let watched = Watched::default();
        let Entry::New(seen) = watched.follow("c1") else {
            panic!("c1 is new")
        };
        watched.forget("c1");
        assert_eq!(seen.borrow().exit, Some(Exit::UNSEEN));
        assert!(matches!(watched.follow("c1"), Entry::New(_)));
    }

    #[test]
    fn an_inspected_container_that_only_waits_to_be_started_has_not_ended() {
        let mut seen = Seen::default();
        let state = |status| ContainerState {
            status: Some(status),
            exit_code: Some(3),
            ..ContainerState::default()
        };
        note(&mut seen, &state(ContainerStateStatusEnum::CREATED));
        note(&mut seen, &state(ContainerStateStatusEnum::RUNNING));
        assert_eq!(seen, Seen::default());
        note(&mut seen, &state(ContainerStateStatusEnum::EXITED));
        assert_eq!(seen.exit.and_then(|exit| exit.code), Some(3));
    }
}
