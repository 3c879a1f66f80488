//! `/hooks/{forge}/{repository}`: limit, signature, store, answer; nothing else happens before the answer. Whoever
//! cannot sign learns nothing, not even whether the repository exists.

use std::collections::BTreeMap;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::routing::post;
use secrecy::SecretString;
use serde::Serialize;

use super::error::ApiError;
use super::extract::Path;
use super::routes::Routes;
use crate::app::App;
use crate::store::deliveries::{NewDelivery, Stored};
use crate::store::repositories::Repository;
use crate::store::{StoreError, counters, deliveries, repositories};
use crate::webhooks;

/// The counter of refused deliveries.
pub(crate) const REFUSED: &str = "webhooks_refused";

/// The counter of refused deliveries of one repository.
pub(crate) fn refused_for(repository: &str) -> String {
    format!("{REFUSED}:{repository}")
}

/// The answer to a delivery.
#[derive(Serialize)]
struct Accepted {
    /// Our id of it.
    delivery: String,
    /// It had come before.
    duplicate: bool,
}

/// The routes of this file.
pub(super) fn router() -> Routes {
    Routes::new().route("/hooks/{forge}/{repository}", [Method::POST], post(receive))
}

async fn receive(
    State(app): State<App>,
    Path((forge, name)): Path<(String, String)>,
    request: Request,
) -> Result<(StatusCode, Json<Accepted>), ApiError> {
    let headers = request.headers().clone();
    let body = read(request, app.config.limits.webhook_bytes).await?;
    let Some(repository) = signed_for(&app, (&forge, &name), &headers, &body).await? else {
        metrics::counter!("drover_webhooks_refused_total").increment(1);
        return Err(ApiError::Unsigned);
    };
    let event = webhooks::event(repository.forge, &headers);
    let new = NewDelivery {
        external_id: webhooks::delivery_id(repository.forge, &headers),
        reference: webhooks::about(repository.forge, &event, &body),
        event,
        repository: repository.id,
        headers: kept(&headers),
        body: body.to_vec(),
    };
    let (id, duplicate) = match deliveries::store(&app.store, new).await? {
        Stored::New(id) => (id, false),
        Stored::Duplicate(id) => (id, true),
    };
    app.delivered.notify_one();
    metrics::counter!("drover_webhooks_accepted_total").increment(1);
    let accepted = Accepted {
        delivery: id.0,
        duplicate,
    };
    Ok((StatusCode::ACCEPTED, Json(accepted)))
}

/// The body, up to the limit; a length that is announced too large is refused unread.
async fn read(request: Request, limit: usize) -> Result<Bytes, ApiError> {
    let announced = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: usize| length > limit) {
        return Err(ApiError::TooLarge(limit));
    }
    axum::body::to_bytes(request.into_body(), limit)
        .await
        .map_err(|_| ApiError::TooLarge(limit))
}

/// The repository, when it exists, belongs to that forge, and its secret signs the body. Otherwise only a counter
/// moves, and it takes as long.
async fn signed_for(
    app: &App,
    (forge, name): (&str, &str),
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Option<Repository>, StoreError> {
    let found = match repositories::by_name(&app.store, name).await {
        Ok(repository) => Some(repository),
        Err(StoreError::NotFound(_)) => None,
        Err(error) => return Err(error),
    };
    let known = found.filter(|repository| webhooks::word(repository.forge) == Some(forge));
    let secrets = match &known {
        Some(repository) => vec![SecretString::from(
            repositories::hook_secret(&app.store, &repository.id).await?.0,
        )],
        None => Vec::new(),
    };
    let sender = known
        .as_ref()
        .map_or(webhooks::Forge::Generic, |repository| repository.forge);
    if webhooks::verify(sender, &secrets, headers, body).is_ok() {
        return Ok(known);
    }
    counters::bump(&app.store, REFUSED).await?;
    if let Some(repository) = known {
        // Apart from the answer, whose time would otherwise tell that the repository exists.
        let store = app.store.clone();
        app.tasks.spawn(async move {
            if let Err(error) = counters::bump(&store, &refused_for(repository.id.as_str())).await {
                tracing::warn!(%error, "cannot count a refused webhook");
            }
        });
    }
    Ok(None)
}

/// The headers that help to see later what came; signatures and cookies are not among them.
fn kept(headers: &HeaderMap) -> BTreeMap<String, String> {
    let wanted = |name: &str| name == "content-type" || name == "user-agent" || name.ends_with("-event");
    let pairs = headers.iter().filter(|(name, _)| wanted(name.as_str()));
    pairs
        .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
        .collect()
}
