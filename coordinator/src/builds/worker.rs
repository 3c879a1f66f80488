//! The delivery workers: they take what is due from the store, woken by the webhook's handler, and once a second for
//! what waits for another try or was left by a coordinator that died.

use std::time::Duration;

use super::process;
use crate::app::App;
use crate::store::deliveries;

/// Deliveries that are processed at the same time; those of one repository wait for each other at its mirror.
const WORKERS: usize = 3;
/// How often to look without being woken.
const LOOK: Duration = Duration::from_secs(1);
/// One delivery may take this long; a little less than a claim lives.
const LIMIT: Duration = Duration::from_secs(100);

/// Starts the workers; they end with the coordinator.
pub(crate) fn work(app: &App) {
    for _ in 0..WORKERS {
        let app = app.clone();
        app.tasks.clone().spawn(async move {
            let stop = app.stop.clone();
            let working = async {
                loop {
                    all_due(&app).await;
                    tokio::select! {
                        () = app.delivered.notified() => {}
                        () = tokio::time::sleep(LOOK) => {}
                    }
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = working => {}
            }
        });
    }
}

/// Processes until nothing is due.
async fn all_due(app: &App) {
    loop {
        match deliveries::claim_due(&app.store, app.store.now()).await {
            Ok(None) => return,
            Ok(Some(delivery)) => {
                // Another worker takes the next one meanwhile.
                app.delivered.notify_one();
                match tokio::time::timeout(LIMIT, process(app, delivery)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::error!(%error, "what came of a delivery cannot be stored"),
                    Err(_) => tracing::warn!("a delivery took too long; it is tried again"),
                }
            }
            Err(error) => return tracing::error!(%error, "deliveries cannot be read"),
        }
    }
}
