//! What every handler and task shares: store, logs, mirrors, configuration, and how to stop.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::blobs::BlobStore;
use crate::cancels::Cancels;
use crate::config::Config;
use crate::forge_client::ForgeClient;
use crate::git::{DefaultBranches, Mirrors};
use crate::id_tokens::IdTokens;
use crate::logs::LogStore;
use crate::public::{Public, Refusals};
use crate::shells::Shells;
use crate::store::Store;
use crate::store::repositories::Repository;

/// The coordinator's parts; cloning is cheap.
#[derive(Clone)]
pub(crate) struct App {
    /// All truth.
    pub store: Store,
    /// What jobs printed.
    pub logs: LogStore,
    /// What jobs kept.
    pub blobs: BlobStore,
    /// What the repositories call their default branches.
    pub default_branches: DefaultBranches,
    /// The repositories, as far as they were fetched.
    pub mirrors: Mirrors,
    /// Our configuration.
    pub config: Arc<Config>,
    /// How people, forges and agents reach us; no trailing slash.
    pub url: Arc<str>,
    /// Speaks to forges.
    pub forges: ForgeClient,
    /// Signs ID tokens.
    pub id_tokens: IdTokens,
    /// Wakes the delivery workers.
    pub delivered: Arc<Notify>,
    /// Cancellations that were sent to agents.
    pub cancels: Cancels,
    /// Shells that are being opened.
    pub shells: Shells,
    /// What callers without credentials may take of us.
    pub public: Public,
    /// Refused webhooks that are not written down yet.
    pub refusals: Refusals,
    /// Cancelled when we stop: every wait also waits for it.
    pub stop: CancellationToken,
    /// Every task that we spawn.
    pub tasks: TaskTracker,
}

impl App {
    /// Where the forge of `repository` sends webhooks.
    pub(crate) fn hook_url(&self, repository: &Repository) -> String {
        let forge = repository.forge.word();
        format!("{}/hooks/{forge}/{}", self.url, web::routes::encode(&repository.name))
    }
}
