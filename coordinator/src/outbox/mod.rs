//! What forges are told: takes what is due from the store's outbox and sends it. Separate from the store, which decides what
//! is due and when it is tried again, and from `forges`, which knows how each forge wants it said.

mod commit_status;

use std::time::Duration;

use protocol::api::OutboxKind;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::app::App;
use crate::forge_client;
use crate::forges::{Api, ApiRequest, NewWebhook};
use crate::store::connections::Connection;
use crate::store::outbox::{self, Due, Outcome};
use crate::store::{Change, StoreError, builds, repositories};

/// Things that are sent at the same time.
const WORKERS: usize = 4;
/// How often to look without being woken.
const LOOK: Duration = Duration::from_secs(1);
/// One thing may take this long; a little less than a claim lives.
const LIMIT: Duration = Duration::from_secs(100);

/// Starts the workers; they end with the coordinator.
pub(crate) fn work(app: &App) {
    for _ in 0..WORKERS {
        let app = app.clone();
        app.tasks.clone().spawn(async move {
            let stop = app.stop.clone();
            stop.run_until_cancelled(all(&app)).await;
        });
    }
}

async fn all(app: &App) {
    let mut changes = app.store.changes();
    loop {
        all_due(app).await;
        // It ends early when there is news, and by itself when none came.
        let _ = tokio::time::timeout(LOOK, news(&mut changes)).await;
    }
}

/// Waits until there may be something to send.
async fn news(changes: &mut Receiver<Change>) {
    loop {
        match changes.recv().await {
            Ok(Change::Outbox | Change::All) | Err(RecvError::Lagged(_)) => return,
            Ok(_) => {}
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// Sends until nothing is due.
async fn all_due(app: &App) {
    loop {
        let due = match outbox::claim_due(&app.store, app.store.now()).await {
            Ok(None) => return,
            Ok(Some(due)) => due,
            Err(error) => return tracing::error!(%error, "the outbox cannot be read"),
        };
        let why = "it took too long";
        let outcome = tokio::time::timeout(LIMIT, send(app, &due)).await;
        let outcome = outcome.unwrap_or_else(|_| Ok(forge_client::no_answer(why)));
        let settled = match outcome {
            Ok(outcome) => outbox::settle(&app.store, due, outcome).await,
            Err(error) => Err(error),
        };
        if let Err(error) = settled {
            // The claim runs out, and it is sent again.
            tracing::error!(%error, "what came of telling a forge cannot be stored");
        }
    }
}

/// Tells the forge how things stand now.
async fn send(app: &App, due: &Due) -> Result<Outcome, StoreError> {
    let connection = &due.connection;
    let Some(api) = connection.repository.forge.api() else {
        return Ok(Outcome::Failed("this forge has no API".into()));
    };
    let sent = match due.kind {
        OutboxKind::CommitStatus => commit_status(app, (api, connection), due).await?,
        OutboxKind::Webhook => webhook(app, (api, connection)).await?,
    };
    Ok(match sent {
        Ok(()) => Outcome::Sent,
        Err(outcome) => {
            let repository = connection.repository.name.as_str();
            tracing::warn!(repository.name = repository, kind = ?due.kind, subject = due.subject, ?outcome, "a forge was not told");
            outcome
        }
    })
}

async fn commit_status(
    app: &App,
    (api, connection): (&Api, &Connection),
    due: &Due,
) -> Result<Result<(), Outcome>, StoreError> {
    let (Some(build), Some((sha, context))) = (due.build, due.subject.split_once(' ')) else {
        return Ok(Err(Outcome::Failed("it names no commit".into())));
    };
    let build = match builds::show(&app.store, build).await {
        Ok(build) => build,
        Err(StoreError::NotFound(_)) => return Ok(Err(Outcome::Failed("the build is not kept any more".into()))),
        Err(error) => return Err(error),
    };
    let url = format!("{}{}", app.url, web::routes::build(build.build.number));
    let status = commit_status::of(&build, (sha, context), url);
    let request = api.commit_status(&connection.location.project, &status);
    Ok(app.forges.call((api, connection), request).await.map(drop))
}

/// Makes the webhook, or changes the one that is there.
async fn webhook(app: &App, (api, connection): (&Api, &Connection)) -> Result<Result<(), Outcome>, StoreError> {
    let secrets = repositories::hook_secrets(&app.store, &connection.repository.id).await?;
    let hook = NewWebhook {
        url: app.hook_url(&connection.repository),
        secret: secrets.current,
    };
    let project = &connection.location.project;
    let call = async |request: ApiRequest| app.forges.call((api, connection), request).await;
    let listed = match call(api.list_webhooks(project)).await {
        Ok(listed) => listed,
        Err(outcome) => return Ok(Err(outcome)),
    };
    Ok(call(api.put_webhook(project, &hook, &listed)).await.map(drop))
}
