//! One sandbox: a network, an anchor on it, a connection to the anchor's gate. The network outlives its anchors,
//! because the engine needs 160 ms to remove one and removes only six a second. A sandbox can be used as soon as its
//! network is there: services can start beside the anchor, steps cannot.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::engine::labels::{self, Labels};
use crate::engine::plan::{Bind, Hardening};
use crate::engine::{ContainerId, ContainerPlan, Engine, EngineError, Kept, Limits, Network, NetworkId, Owner};
use crate::gate::{self, GateClient, GatePhase};
use crate::sandbox::open_folder;
use tokio::sync::watch;

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
    log_bytes: None,
    disk_bytes: None,
};

/// A network with a running anchor on it, in the hands of one holder. Give it back with [`super::Pool::put_back`].
pub struct Sandbox {
    pub(super) id: String,
    pub(super) folder: PathBuf,
    pub(super) network: NetworkId,
    pub(super) anchor: ContainerId,
    pub(super) anchor_handle: AnchorHandle,
    /// Whose code runs in it, when a second job of that repository may have it too.
    pub(super) trusted_of: Option<String>,
    tainted: AtomicBool,
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

    /// What a step joins: the anchor's network namespace. Only once the anchor stands ([`Sandbox::stands`]) can it be
    /// started.
    pub fn join(&self) -> Network {
        Network::Join(self.anchor.clone())
    }

    /// Waits until the anchor runs. At once in all but the first moments of a sandbox's life.
    pub async fn stands(&self) -> Result<(), EngineError> {
        self.anchor_handle.gate().await.map(drop)
    }

    /// Somebody in it may change how its network behaves: its anchor, and with it the network's namespace, is not used
    /// by another job.
    pub fn taint(&self) {
        self.tainted.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_tainted(&self) -> bool {
        self.tainted.load(Ordering::Relaxed)
    }

    /// The anchor's gate, for probes.
    pub fn anchor_handle(&self) -> &AnchorHandle {
        &self.anchor_handle
    }

    /// `labels` and the sandbox's own; every container in it must carry them.
    pub fn labels(&self, mut labels: Labels) -> Labels {
        labels.insert(labels::SANDBOX.into(), self.id.clone());
        labels
    }

    /// Its anchor stands, or is about to.
    pub(super) fn is_alive(&self) -> bool {
        match &*self.anchor_handle.0.borrow() {
            None => true,
            Some(Ok(gate)) => matches!(gate.state().borrow().phase, GatePhase::Idle | GatePhase::Running),
            Some(Err(_)) => false,
        }
    }
}

/// An anchor that runs, or will soon; clones share it.
#[derive(Clone)]
pub struct AnchorHandle(watch::Receiver<Option<Result<GateClient, String>>>);

impl AnchorHandle {
    /// The anchor's gate, once it answers.
    pub async fn gate(&self) -> Result<GateClient, EngineError> {
        let mut anchor_handle = self.0.clone();
        let settled = anchor_handle.wait_for(Option::is_some).await;
        match settled.as_deref() {
            Ok(Some(Ok(gate))) => Ok(gate.clone()),
            Ok(Some(Err(words))) => Err(EngineError::Gate(words.clone())),
            Ok(None) | Err(_) => Err(EngineError::Stopping),
        }
    }

    fn of(gate: GateClient) -> AnchorHandle {
        AnchorHandle(watch::channel(Some(Ok(gate))).1)
    }
}

/// The folder of all sandboxes.
pub(super) fn folder_of_all(engine: &Engine) -> PathBuf {
    engine.config().data.join("sandboxes")
}

/// Makes one: 65 ms for the network; the anchor stands 200 ms and more later.
pub(super) async fn make(engine: &Engine, expires: Option<i64>) -> Result<Sandbox, EngineError> {
    let id = uuid::Uuid::now_v7().simple().to_string();
    let kept = engine.keep(Owner::Sandbox(id.clone()));
    let folder = folder_of_all(engine).join(&id);
    let own = own_labels(&id, expires);
    let name = format!("drover-{}", &id[20..]); // the random part
    let network = engine.create_network(&name, &own).await?;
    match begin_anchor(engine, &folder, &network, own).await {
        Ok((anchor, anchor_handle)) => Ok(Sandbox {
            id,
            folder,
            network,
            anchor,
            anchor_handle,
            trusted_of: None,
            tainted: AtomicBool::new(false),
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
        anchor_handle: AnchorHandle::of(gate),
        trusted_of: None,
        tainted: AtomicBool::new(false),
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
    match begin_anchor(engine, &sandbox.folder, &sandbox.network, own).await {
        Ok((anchor, anchor_handle)) => {
            sandbox.anchor = anchor;
            sandbox.anchor_handle = anchor_handle;
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
    let found = engine.containers_with(labels::SANDBOX, &sandbox.id).await?;
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
    if let Ok(gate) = sandbox.anchor_handle.gate().await
        && gate.quit().await.is_ok()
    {
        let _ = tokio::time::timeout(QUIT, engine.wait_exit(&sandbox.anchor)).await; // else by force
    }
    engine.remove_forced(&sandbox.anchor).await
}

/// Makes the anchor, and starts it in the background.
async fn begin_anchor(
    engine: &Engine,
    folder: &Path,
    network: &NetworkId,
    own: Labels,
) -> Result<(ContainerId, AnchorHandle), EngineError> {
    let run = run_folder(folder);
    open_folder(&run).map_err(EngineError::io("make an anchor's folder"))?;
    let plan = anchor_plan(engine.anchor_image(), &run, network, own);
    let anchor = engine.create(&plan).await?;
    let (sender, anchor_handle) = watch::channel(None);
    let (starting, id) = (engine.clone(), anchor.clone());
    engine.spawn(async move {
        let started = async {
            starting.start(&id).await?;
            Ok::<_, EngineError>(GateClient::connect(&run, CONNECT).await?)
        };
        let started = started.await;
        sender.send_replace(Some(
            started.map_err(|error| format!("the anchor of a sandbox: {error}")),
        ));
    });
    Ok((anchor, AnchorHandle(anchor_handle)))
}

fn anchor_plan(image: &str, run: &Path, network: &NetworkId, mut own: Labels) -> ContainerPlan {
    own.insert(labels::ROLE.into(), labels::ROLE_ANCHOR.into());
    ContainerPlan {
        entrypoint: Some(vec!["/.drover/gate".into(), "anchor".into()]),
        user: Some(NOBODY.into()),
        binds: vec![Bind::writable(run, gate::FOLDER)],
        network: Network::named(network, "drover"),
        limits: ANCHOR_LIMITS,
        hardening: Hardening::Full,
        labels: own,
        ..ContainerPlan::of(image)
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
