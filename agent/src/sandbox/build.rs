//! One sandbox: a network, an anchor on it, a connection to the anchor's gate. The network outlives its anchors,
//! because the engine needs 160 ms to remove one and removes only six a second.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::engine::labels::{self, Labels};
use crate::engine::plan::{Access, Bind, Hardening};
use crate::engine::{ContainerId, ContainerPlan, Engine, EngineError, Kept, Limits, Network, NetworkId, Owner};
use crate::gate::{self, GateClient, GatePhase};

/// An anchor answers a few milliseconds after its start; this long only on a machine in trouble.
const CONNECT: Duration = Duration::from_secs(10);
/// An idle gate quits at once; after this it is ended by force.
const QUIT: Duration = Duration::from_secs(2);
/// The anchor's user: nobody.
const NOBODY: &str = "65534:65534";
const ANCHOR_LIMITS: Limits = Limits {
    memory_bytes: Some(64 << 20),
    cpu_millis: None,
    pids: Some(16),
};

/// A network with a running anchor on it, in the hands of one holder. Give it back with [`super::Pool::put_back`].
pub struct Sandbox {
    pub(super) id: String,
    pub(super) folder: PathBuf,
    pub(super) network: NetworkId,
    pub(super) anchor: ContainerId,
    pub(super) gate: GateClient,
    /// Whose code runs in it, when a second job of that repository may have it too.
    pub(super) trusted_of: Option<String>,
    expires: Option<i64>,
    _kept: Kept,
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Sandbox").field(&self.id).finish()
    }
}

impl Sandbox {
    /// Its id, the value of `drover.sandbox`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The network that services are put on.
    pub fn network(&self) -> &NetworkId {
        &self.network
    }

    /// What a step joins: the anchor's network namespace.
    pub fn join(&self) -> Network {
        Network::Join(self.anchor.clone())
    }

    /// The anchor's gate, for probes.
    pub fn gate(&self) -> &GateClient {
        &self.gate
    }

    /// `labels` and the sandbox's own; every container in it must carry them.
    pub fn labels(&self, mut labels: Labels) -> Labels {
        labels.insert(labels::SANDBOX.into(), self.id.clone());
        labels
    }

    /// Its anchor still stands.
    pub(super) fn is_alive(&self) -> bool {
        matches!(self.gate.state().borrow().phase, GatePhase::Idle | GatePhase::Running)
    }
}

/// The folder of all sandboxes.
pub(super) fn folder_of_all(engine: &Engine) -> PathBuf {
    engine.config().data.join("sandboxes")
}

/// Makes one: 65 ms for the network, 200 ms and more for the anchor.
pub(super) async fn make(engine: &Engine, expires: Option<i64>) -> Result<Sandbox, EngineError> {
    let id = uuid::Uuid::now_v7().simple().to_string();
    let kept = engine.keep(Owner::Sandbox(id.clone()));
    let folder = folder_of_all(engine).join(&id);
    let own = own_labels(&id, expires);
    let name = format!("drover-{}", &id[20..]); // the random part
    let network = engine.create_network(&name, &own).await?;
    match start_anchor(engine, &folder, &network, own).await {
        Ok((anchor, gate)) => Ok(Sandbox {
            id,
            folder,
            network,
            anchor,
            gate,
            trusted_of: None,
            expires,
            _kept: kept,
        }),
        Err(error) => {
            give_up(engine, &network, &folder).await;
            Err(error)
        }
    }
}

/// Takes over one that an earlier run of this agent made.
pub(super) async fn find(engine: &Engine, id: &str, network: NetworkId, anchor: ContainerId) -> Option<Sandbox> {
    let kept = engine.keep(Owner::Sandbox(id.to_owned()));
    let folder = folder_of_all(engine).join(id);
    let gate = GateClient::connect(&run_folder(&folder), QUIT).await.ok()?;
    let sandbox = Sandbox {
        id: id.to_owned(),
        folder,
        network,
        anchor,
        gate,
        trusted_of: None,
        expires: None,
        _kept: kept,
    };
    sandbox.is_alive().then_some(sandbox)
}

/// Gives it a new anchor on the same network, and forgets whose it was.
pub(super) async fn renew(engine: &Engine, mut sandbox: Sandbox) -> Result<Sandbox, EngineError> {
    remove_anchor(engine, &sandbox).await?;
    let _ = std::fs::remove_dir_all(&sandbox.folder); // made anew right below; an error shows there
    let own = own_labels(&sandbox.id, sandbox.expires);
    match start_anchor(engine, &sandbox.folder, &sandbox.network, own).await {
        Ok((anchor, gate)) => {
            sandbox.anchor = anchor;
            sandbox.gate = gate;
            sandbox.trusted_of = None;
            Ok(sandbox)
        }
        Err(error) => {
            give_up(engine, &sandbox.network, &sandbox.folder).await;
            Err(error)
        }
    }
}

/// Removes all of it.
pub(super) async fn remove(engine: &Engine, sandbox: Sandbox) -> Result<(), EngineError> {
    remove_anchor(engine, &sandbox).await?;
    engine.remove_network(&sandbox.network).await?;
    std::fs::remove_dir_all(&sandbox.folder).map_err(EngineError::io("remove a sandbox's folder"))
}

/// Removes every container in it but the anchor; the number of them.
pub(super) async fn clear(engine: &Engine, sandbox: &Sandbox) -> Result<usize, EngineError> {
    let found = engine.containers_with(&[(labels::SANDBOX, &sandbox.id)]).await?;
    let left: Vec<ContainerId> = found
        .into_iter()
        .map(|(id, _)| id)
        .filter(|id| *id != sandbox.anchor)
        .collect();
    futures_util::future::try_join_all(left.iter().map(|id| engine.remove_forced(id))).await?;
    Ok(left.len())
}

/// Its anchor cannot be had. What cannot be removed now, the sweep removes.
async fn give_up(engine: &Engine, network: &NetworkId, folder: &Path) {
    if let Err(error) = engine.remove_network(network).await {
        tracing::warn!(%error, "a network cannot be removed yet");
    }
    let _ = std::fs::remove_dir_all(folder); // else a later start removes it
}

/// By message first: a gate that quits is gone in a moment, and removing an exited container costs 5 ms, not 90.
async fn remove_anchor(engine: &Engine, sandbox: &Sandbox) -> Result<(), EngineError> {
    if sandbox.gate.quit().await.is_ok() {
        let _ = tokio::time::timeout(QUIT, engine.wait_exit(&sandbox.anchor)).await; // else by force
    }
    engine.remove_forced(&sandbox.anchor).await
}

async fn start_anchor(
    engine: &Engine,
    folder: &Path,
    network: &NetworkId,
    mut own: Labels,
) -> Result<(ContainerId, GateClient), EngineError> {
    let run = run_folder(folder);
    crate::sandbox::open_folder(&run).map_err(EngineError::io("make an anchor's folder"))?;
    own.insert(labels::ROLE.into(), labels::ROLE_ANCHOR.into());
    let plan = ContainerPlan {
        entrypoint: Some(vec!["/.drover/gate".into(), "anchor".into()]),
        user: Some(NOBODY.into()),
        binds: vec![Bind {
            host: run.clone(),
            container: gate::FOLDER.into(),
            access: Access::ReadWrite,
        }],
        network: Network::On {
            network: network.clone(),
            alias: "drover".into(),
        },
        limits: ANCHOR_LIMITS,
        hardening: Hardening::Full,
        labels: own,
        ..ContainerPlan::of(engine.anchor_image())
    };
    let anchor = engine.create(&plan).await?;
    let started = async {
        engine.start(&anchor).await?;
        let gate = GateClient::connect(&run, CONNECT).await;
        gate.map_err(|error| EngineError::Gate(format!("the anchor: {error}")))
    };
    match started.await {
        Ok(gate) => Ok((anchor, gate)),
        Err(error) => {
            let _ = engine.remove_forced(&anchor).await; // the sweep tries again
            Err(error)
        }
    }
}

fn own_labels(id: &str, expires: Option<i64>) -> Labels {
    let mut own = Labels::from([(labels::SANDBOX.to_owned(), id.to_owned())]);
    own.extend(expires.map(|seconds| (labels::EXPIRES.to_owned(), seconds.to_string())));
    own
}

fn run_folder(folder: &Path) -> PathBuf {
    folder.join("run")
}
