//! Cleaning up what nobody owns any more: at the agent's start and every minute, by label, never by name. Removal is
//! also done at once where it is due; the sweep is for what a crash left.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use bollard::Docker;
use bollard::query_parameters::{ListContainersOptions, ListNetworksOptions, ListVolumesOptions};
use futures_util::{StreamExt, stream};

use super::connect::{self, Engine};
use super::error::EngineError;
use super::labels::{self, Labels};
use super::live::{Live, Owner};
use super::{containers, networks, private, push, volumes};

const EVERY: Duration = Duration::from_secs(60);
/// Removals at once; the engine does not get faster beyond.
const AT_ONCE: usize = 8;
/// How often [`reap`] looks again: a create that was under way may come to life after the first look.
const REAP_ROUNDS: usize = 5;

/// Something in the engine that carries our label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owned {
    /// What it is.
    pub kind: OwnedKind,
    /// The engine's id (of a volume: its name).
    pub id: String,
    /// All its labels.
    pub labels: Labels,
}

impl Owned {
    /// As the engine says it.
    pub(crate) fn new(kind: OwnedKind, id: Option<String>, labels: Option<HashMap<String, String>>) -> Owned {
        Owned {
            kind,
            id: id.unwrap_or_default(),
            labels: labels.into_iter().flatten().collect(),
        }
    }
}

/// The kinds of things that we make, in the order in which they can be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OwnedKind {
    /// A container.
    Container,
    /// A network.
    Network,
    /// A volume.
    Volume,
    /// An image that was built here and has no name.
    Image,
}

/// What a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Removed containers.
    pub containers: usize,
    /// Removed networks.
    pub networks: usize,
    /// Removed volumes.
    pub volumes: usize,
    /// Removed images.
    pub images: usize,
    /// What could not be removed this time; the next sweep tries again.
    pub left: usize,
}

impl Engine {
    /// Everything with this agent's label: containers, networks, volumes, nameless images.
    pub async fn list_owned(&self) -> Result<Vec<Owned>, EngineError> {
        list(self.docker(), &labels::filter(labels::AGENT, &self.inner.config.agent)).await
    }

    /// Removes what has this agent's label and no live owner, and what has any agent's label and is past its
    /// `drover.expires`.
    pub async fn sweep(&self) -> Result<Swept, EngineError> {
        let rule = Rule {
            agent: &self.inner.config.agent,
            live: &self.inner.live,
            now: crate::clock::now_secs(),
        };
        let mut due = list(self.docker(), labels::AGENT).await?;
        due.retain(|owned| rule.is_due(&owned.labels));
        let mut swept = Swept::default();
        remove_all(self.docker(), due, &mut swept).await;
        self.sweep_private();
        if swept != Swept::default() {
            tracing::info!(?swept, "swept the engine");
        }
        Ok(swept)
    }

    /// Sweeps now and every minute until the engine's stop token. To be called once every owner that goes on after a
    /// restart is kept.
    pub fn start_sweeping(&self) {
        let engine = self.clone();
        self.inner.tasks.spawn(async move {
            let stop = engine.inner.stop.clone();
            let sweeping = async {
                engine.about().await; // with it goes what was left before a restart of control groups
                loop {
                    if let Err(error) = engine.sweep().await {
                        tracing::warn!(%error, "the engine cannot be swept");
                    }
                    tokio::time::sleep(EVERY).await;
                }
            };
            stop.run_until_cancelled(sweeping).await;
        });
    }
}

/// Removes everything with that agent's label; for a process that outlives a killed agent. Needs no [`Engine`].
pub async fn reap(socket: Option<PathBuf>, agent: &str) -> Result<Swept, EngineError> {
    let docker = connect::reach(socket).await?;
    let mut sum = Swept::default();
    for _ in 0..REAP_ROUNDS {
        let found = list(&docker, &labels::filter(labels::AGENT, agent)).await?;
        sum.left = 0;
        if found.is_empty() {
            break;
        }
        remove_all(&docker, found, &mut sum).await;
    }
    private::reap(agent);
    Ok(sum)
}

/// What may be removed.
struct Rule<'a> {
    agent: &'a str,
    live: &'a Live,
    now: i64,
}

impl Rule<'_> {
    fn is_due(&self, labels: &Labels) -> bool {
        let expired = labels
            .get(labels::EXPIRES)
            .and_then(|text| text.parse::<i64>().ok())
            .is_some_and(|expires| expires <= self.now);
        let ours = labels.get(labels::AGENT).is_some_and(|agent| agent == self.agent);
        if !ours {
            return expired;
        }
        let owners = [
            labels.get(labels::ATTEMPT).cloned().map(Owner::Attempt),
            labels.get(labels::STACK).cloned().map(Owner::Stack),
        ];
        let mut owners: Vec<Owner> = owners.into_iter().flatten().collect();
        if owners.is_empty() {
            // the sandbox itself; what stands in it belongs to its attempt or stack alone
            owners.extend(labels.get(labels::SANDBOX).cloned().map(Owner::Sandbox));
        }
        !owners.iter().any(|owner| self.live.is_live(owner))
    }
}

async fn remove_all(docker: &Docker, mut due: Vec<Owned>, swept: &mut Swept) {
    for kind in [
        OwnedKind::Container,
        OwnedKind::Network,
        OwnedKind::Volume,
        OwnedKind::Image,
    ] {
        let now: Vec<Owned> = due.extract_if(.., |owned| owned.kind == kind).collect();
        let all = now.len();
        let removals = stream::iter(now)
            .map(|owned| try_remove(docker, owned))
            .buffer_unordered(AT_ONCE);
        let gone = removals.filter(|gone| std::future::ready(*gone)).count().await;
        swept.left += all - gone;
        match kind {
            OwnedKind::Container => swept.containers += gone,
            OwnedKind::Network => swept.networks += gone,
            OwnedKind::Volume => swept.volumes += gone,
            OwnedKind::Image => swept.images += gone,
        }
    }
}

async fn try_remove(docker: &Docker, owned: Owned) -> bool {
    let Owned { kind, id, .. } = &owned;
    let removed = match kind {
        OwnedKind::Container => containers::remove(docker, id).await,
        OwnedKind::Network => networks::remove(docker, id).await,
        OwnedKind::Volume => volumes::remove(docker, id).await,
        OwnedKind::Image => push::remove(docker, &owned).await,
    };
    if let Err(error) = &removed {
        tracing::warn!(?kind, id, %error, "cannot be removed yet");
    }
    removed.is_ok()
}

async fn list(docker: &Docker, label: &str) -> Result<Vec<Owned>, EngineError> {
    let filters = || Some(HashMap::from([("label".to_owned(), vec![label.to_owned()])]));
    let networks = docker.list_networks(Some(ListNetworksOptions { filters: filters() }));
    let volumes = docker.list_volumes(Some(ListVolumesOptions { filters: filters() }));
    let (mut all, images, networks, volumes) = tokio::try_join!(
        containers(docker, vec![label.to_owned()]),
        push::nameless(docker, vec![label.to_owned()]),
        async { networks.await.map_err(|error| EngineError::of("list networks", error)) },
        async { volumes.await.map_err(|error| EngineError::of("list volumes", error)) },
    )?;
    let networks = networks.into_iter();
    all.extend(networks.map(|network| Owned::new(OwnedKind::Network, network.id, network.labels)));
    let volumes = volumes.volumes.into_iter().flatten();
    all.extend(volumes.map(|volume| Owned::new(OwnedKind::Volume, Some(volume.name), Some(volume.labels))));
    all.extend(images);
    Ok(all)
}

/// Containers, running or not, that carry all these labels.
pub(crate) async fn containers(docker: &Docker, labels: Vec<String>) -> Result<Vec<Owned>, EngineError> {
    let options = ListContainersOptions {
        all: true,
        filters: Some(HashMap::from([("label".to_owned(), labels)])),
        ..ListContainersOptions::default()
    };
    let containers = docker.list_containers(Some(options)).await;
    let containers = containers.map_err(|error| EngineError::of("list containers", error))?;
    let containers = containers.into_iter();
    let owned = containers.map(|container| Owned::new(OwnedKind::Container, container.id, container.labels));
    Ok(owned.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_owns_is_due() {
        let live = Live::default();
        let _attempt = live.keep(Owner::Attempt("t1".into()));
        let _sandbox = live.keep(Owner::Sandbox("s1".into()));
        let rule = Rule {
            agent: "a1",
            live: &live,
            now: 1000,
        };
        let due = |text: &str| {
            let pairs = text.split_whitespace().filter_map(|pair| pair.split_once('='));
            rule.is_due(
                &pairs
                    .map(|(key, value)| (format!("drover.{key}"), value.to_owned()))
                    .collect(),
            )
        };
        assert!(!due("agent=a1 attempt=t1 sandbox=s1"));
        assert!(!due("agent=a1 attempt=t1 stack=k9"), "its attempt lives");
        assert!(!due("agent=a1 sandbox=s1"));
        assert!(due("agent=a1 attempt=t2 sandbox=s1"), "left in a sandbox that lives on");
        assert!(due("agent=a1 sandbox=s2"));
        assert!(due("agent=a1"));
        assert!(!due("agent=a2"), "another agent's");
        assert!(!due("agent=a2 expires=1001"));
        assert!(due("agent=a2 expires=1000"));
        assert!(
            !due("agent=a1 attempt=t1 expires=1"),
            "who keeps it knows better than its label"
        );
    }
}
