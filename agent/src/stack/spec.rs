//! What a stack is to run and what it tells.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, Shared};
use job_specs::model::ServiceSpec;
use protocol::attempt::{Micros, ServiceState};
use protocol::work::SecretValue;

use crate::build::built::BuiltImages;
use crate::engine::{ImageUser, Logins, PullProgress};
use crate::logs::tail::Watcher;

/// Hides secrets in a line that is about to be shown.
pub type MaskHook = Arc<dyn Fn(&str) -> String + Send + Sync>;
/// Is told how far a service's image is: service, progress.
pub type PullHook = Arc<dyn Fn(&str, PullProgress) + Send + Sync>;

/// The folder with the owner's code, once it is complete. `None`: it never will be, and the owner knows why.
pub type Workspace = Shared<BoxFuture<'static, Option<PathBuf>>>;

/// What to run.
#[derive(Clone)]
pub struct StackSpec {
    /// Unique; the value of `drover.stack`.
    pub id: String,
    /// The services, names unique, dependencies without a cycle.
    pub services: Vec<ServiceSpec>,
    /// The owner's folder; each service (each replica) gets `service-<name>` in it, with its `log` and `status`.
    pub folder: PathBuf,
    /// Labels of everything in it, besides ours.
    pub labels: BTreeMap<String, String>,
    /// How long a service may take to end by itself when the stack is stopped, unless it says so. Services are
    /// throwaway: 0 is usual.
    pub grace: Duration,
    /// For the log lines in a failure.
    pub mask: Option<MaskHook>,
    /// For the pulls.
    pub on_pull: Option<PullHook>,
    /// What services' files may hold, by name.
    pub secrets: BTreeMap<String, SecretValue>,
    /// Who asks registries for images.
    pub logins: Logins,
    /// Whose code the services are of.
    pub who: ImageUser,
    /// Where images that services are built into are told, for what names them.
    pub built: BuiltImages,
    /// For services that are built from the owner's code or mount some of it. `None`: there is no code.
    pub workspace: Option<Workspace>,
    /// The agent's watcher, for services whose log says that they are ready. `None`: one of its own.
    pub watcher: Option<Watcher>,
}

impl StackSpec {
    /// A stack of these services; no labels, no hooks, no grace.
    pub fn new(id: impl Into<String>, services: Vec<ServiceSpec>, folder: PathBuf) -> StackSpec {
        StackSpec {
            id: id.into(),
            services,
            folder,
            labels: BTreeMap::new(),
            grace: Duration::ZERO,
            mask: None,
            on_pull: None,
            secrets: BTreeMap::new(),
            logins: Logins::default(),
            who: ImageUser {
                repository: String::new(),
                trusted: true,
            },
            built: BuiltImages::default(),
            workspace: None,
            watcher: None,
        }
    }
}

/// Something happened to a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackEvent {
    /// Its name; of a service with several replicas, the replica's: `web-2`.
    pub service: String,
    /// When.
    pub at: Micros,
    /// The new state.
    pub state: ServiceState,
}
