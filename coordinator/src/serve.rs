//! Starting and stopping: the listener is bound before anything else, so the first request waits instead of being
//! refused; every task is tracked and ends on one token.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::App;
use crate::blobs::BlobStore;
use crate::cancels::Cancels;
use crate::config::Config;
use crate::forge_client::ForgeClient;
use crate::git::Mirrors;
use crate::http::{self, Metrics};
use crate::logs::LogStore;
use crate::outbox;
use crate::public::{Public, Refusals};
use crate::shells::Shells;
use crate::store::{self, Store, StoreConfig, deliveries};
use crate::{builds, credentials, private, ticks};

/// After the stop, what has not ended by then is left behind.
const LAST_WAIT: Duration = Duration::from_secs(10);

/// A coordinator that answers requests. Dropping it stops nothing; call [`Running::stop`].
pub struct Running {
    /// Where it really listens.
    pub address: SocketAddr,
    /// How people reach it: `public_url`, or `http://<address>`.
    pub url: String,
    /// The file with the administrator's API token, readable by its owner only.
    pub admin_token_file: PathBuf,
    app: App,
    served: tokio::task::JoinHandle<()>,
}

impl Running {
    /// The token of the agent that lives in the same process (`drover up`), enrolled on the first start and kept
    /// in the data folder.
    ///
    /// # Errors
    /// When the store or the data folder cannot be used.
    pub async fn local_agent_token(&self) -> anyhow::Result<String> {
        credentials::local_agent(&self.app).await
    }

    /// A new link that logs the administrator in, once, within the hour.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub async fn login_link(&self) -> anyhow::Result<String> {
        credentials::login_link(&self.app).await
    }

    /// Cancelled when the coordinator stops.
    pub fn token(&self) -> CancellationToken {
        self.app.stop.clone()
    }

    /// Stops: takes no new request, releases long polls and streams, waits a bounded time for the rest, closes the
    /// store.
    pub async fn stop(self) {
        self.app.stop.cancel();
        // It ends by itself within its own limit; a panic in it was logged by its runtime.
        let _ = self.served.await;
        self.app.tasks.close();
        if tokio::time::timeout(LAST_WAIT, self.app.tasks.wait()).await.is_err() {
            tracing::warn!("some tasks did not end in time");
        }
        if let Err(error) = self.app.refusals.write(&self.app.store).await {
            tracing::warn!(%error, "cannot write down how many webhooks were refused");
        }
        self.app.store.close().await;
    }
}

/// Binds, opens the store, and serves. Prints nothing.
///
/// # Errors
/// When the address is taken, or the data folder or the database cannot be used.
pub async fn start(config: Config) -> anyhow::Result<Running> {
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("listen on {}", config.listen))?;
    let address = listener.local_addr().context("ask for the port")?;
    let app = open(config, address).await?;
    credentials::administrator(&app).await?;
    if app.config.has_own_database() {
        deliveries::recover(&app.store)
            .await
            .context("take up deliveries of the last run")?;
        store::outbox::recover(&app.store)
            .await
            .context("take up what forges are still to be told")?;
    }
    let router = http::router(app.clone(), Metrics::install());
    let served = tokio::spawn(http::listen::serve(
        listener,
        (router, app.config.connections.clone()),
        app.tasks.clone(),
        app.stop.clone(),
    ));
    builds::work(&app);
    outbox::work(&app);
    builds::expand_forever(&app);
    builds::poll_forever(&app);
    ticks::start(&app);
    Ok(Running {
        address,
        url: app.url.to_string(),
        admin_token_file: app.config.admin_token_file(),
        app,
        served,
    })
}

/// Serves until `stop` is cancelled.
///
/// # Errors
/// As [`start`].
pub async fn run(config: Config, stop: CancellationToken) -> anyhow::Result<()> {
    let running = start(config).await?;
    stop.cancelled().await;
    running.stop().await;
    Ok(())
}

async fn open(config: Config, address: SocketAddr) -> anyhow::Result<App> {
    let data = config.data.clone();
    private::data_folder(&data)?;
    private::of_coordinator(&data, &config.database_url())?;
    let url = match &config.public_url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => format!("http://{address}"),
    };
    let store = StoreConfig {
        url: config.database_url(),
        key_file: data.join("secrets.key"),
    };
    Ok(App {
        store: Store::open(store).await.context("open the database")?,
        logs: LogStore::open(data.join("logs")).context("open the logs")?,
        blobs: BlobStore::open(&config.blobs, &data).context("open the blob store")?,
        default_branches: Default::default(),
        mirrors: Mirrors::new(config.mirrors(), &config.git),
        url: Arc::from(url),
        public: Public::new(&config),
        refusals: Refusals::default(),
        config: Arc::new(config),
        forges: ForgeClient::new().context("read the certificates of the system")?,
        id_tokens: Default::default(),
        delivered: Arc::default(),
        cancels: Cancels::default(),
        shells: Shells::default(),
        stop: CancellationToken::new(),
        tasks: TaskTracker::new(),
    })
}
