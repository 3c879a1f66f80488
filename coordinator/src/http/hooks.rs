//! `/hooks/{forge}/{repository}`: signature, limit, store, answer; nothing else happens before the answer. Whoever
//! cannot sign learns nothing, not even whether the repository exists: what comes for none is read and hashed as any
//! other, and forgotten part by part.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::routing::post;
use secrecy::SecretString;
use serde::Serialize;

use super::error::ApiError;
use super::extract::Path;
use super::routes::Routes;
use crate::app::App;
use crate::forges::{Check, Forge, Message};
use crate::public::Client;
use crate::store::deliveries;
use crate::store::deliveries::{NewDelivery, Part, Stored};
use crate::store::repositories::{self, Repository};

/// The answer to a delivery.
#[derive(Serialize)]
struct Accepted {
    /// Our id of it.
    delivery: String,
    /// It had come before.
    duplicate: bool,
    /// Why it starts no build, when that is known already; null: it may start one.
    ignored: Option<String>,
    /// Our ids of all that it says, when it moves several references.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    deliveries: Vec<String>,
}

/// The routes of this file.
pub(super) fn router() -> Routes {
    Routes::new().route("/hooks/{forge}/{repository}", [Method::POST], post(receive))
}

async fn receive(
    State(app): State<App>,
    client: Client,
    Path((forge, name)): Path<(String, String)>,
    request: Request,
) -> Result<(StatusCode, Json<Accepted>), ApiError> {
    let headers = request.headers().clone();
    let (repository, body) = signed(&app, (&forge, &name), client, request).await?;
    let event = repository.forge.event(&headers);
    let (parts, ignored) = says(repository.forge, &event, &body);
    let new = NewDelivery {
        external_id: repository.forge.delivery_id(&headers),
        parts,
        event,
        repository: repository.id,
        headers: kept(&headers),
        body,
        polled: false,
    };
    let stored = deliveries::store(&app.store, new).await?;
    app.delivered.notify_one();
    metrics::counter!("drover_webhooks_accepted_total").increment(1);
    let duplicate = stored.iter().all(|one| matches!(one, Stored::Duplicate(_)));
    let ids: Vec<String> = stored
        .into_iter()
        .map(|(Stored::New(id) | Stored::Duplicate(id))| id.0)
        .collect();
    let accepted = Accepted {
        delivery: ids.first().cloned().unwrap_or_default(),
        duplicate,
        ignored,
        deliveries: if ids.len() > 1 { ids } else { Vec::new() },
    };
    Ok((StatusCode::ACCEPTED, Json(accepted)))
}

/// What a body says, in parts, and why none of it starts a build. One that cannot be read is kept, too: people see it.
fn says(forge: Forge, event: &str, body: &[u8]) -> (Vec<Part>, Option<String>) {
    let messages = match forge.parse(event, body) {
        Ok(messages) => messages,
        Err(malformed) => return (vec![Part::default()], Some(malformed.to_string())),
    };
    let ignored: Option<Vec<String>> = messages.iter().map(Message::ignored).collect();
    let parts = messages.iter().map(|message| Part {
        reference: message.about(),
        meaning: Some(message.meaning()),
    });
    (parts.collect(), ignored.map(|mut all| all.swap_remove(0)))
}

/// The repository and the body, when the repository exists, belongs to that forge, and its secret signs the body.
/// Otherwise only a count moves, and it takes as long. Without anything that could be a signature no body is read.
async fn signed(
    app: &App,
    (forge, name): (&str, &str),
    client: Client,
    request: Request,
) -> Result<(Repository, Vec<u8>), ApiError> {
    let hook = repositories::hook(&app.store, name).await?;
    let hook = hook.filter(|(repository, _)| repository.forge.word() == forge);
    let (repository, secrets) = match hook {
        Some((repository, secrets)) => {
            let secrets = secrets.into_iter().map(|secret| SecretString::from(secret.0));
            (Some(repository), secrets.collect())
        }
        None => (None, Vec::new()),
    };
    let refuse = || {
        app.refusals.count(repository.as_ref().map(|repository| &repository.id));
        ApiError::Unsigned
    };
    let sender = forge.parse::<Forge>().map_err(|_| refuse())?;
    let (parts, incoming) = request.into_parts();
    let mut check = Check::new(sender, &secrets, &parts.headers).map_err(|_| refuse())?;
    let mut body = Vec::new();
    let take = |part: &axum::body::Bytes| {
        check.update(part);
        if repository.is_some() {
            body.extend_from_slice(part);
        }
    };
    let limit = app.config.limits.webhook_bytes;
    app.public.read(client, (&parts.headers, incoming), limit, take).await?;
    check.finish().map_err(|_| refuse())?;
    // Without a repository no check says yes.
    repository
        .map(|repository| (repository, body))
        .ok_or(ApiError::Unsigned)
}

/// The headers that help to see later what came; signatures and cookies are not among them.
fn kept(headers: &HeaderMap) -> BTreeMap<String, String> {
    let wanted = |name: &str| name == "content-type" || name == "user-agent" || name.ends_with("-event");
    let pairs = headers.iter().filter(|(name, _)| wanted(name.as_str()));
    pairs
        .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
        .collect()
}
