//! What those who check ID tokens read: OpenID Connect discovery, and the public keys. The same for everybody.

use axum::Json;
use axum::extract::State;
use axum::http::{Method, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};

use super::error::ApiError;
use super::routes::Routes;
use crate::app::App;
use crate::id_tokens::ALGORITHM;
use crate::store::signing_keys;

/// The routes of this file.
pub(super) fn router() -> Routes {
    Routes::new()
        .route("/.well-known/openid-configuration", [Method::GET], get(configuration))
        .route("/.well-known/jwks.json", [Method::GET], get(keys))
}

fn cached(body: Value) -> Response {
    ([(header::CACHE_CONTROL, "public, max-age=300")], Json(body)).into_response()
}

async fn configuration(State(app): State<App>) -> Response {
    cached(json!({
        "issuer": &*app.url,
        "jwks_uri": format!("{}/.well-known/jwks.json", app.url),
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "scopes_supported": ["openid"],
        "claims_supported": [
            "iss", "sub", "aud", "iat", "nbf", "exp", "jti", "repository", "repository_id", "ref", "ref_type", "sha",
            "event_name", "build", "build_url", "job", "attempt", "runner_environment", "build_signer_uri", "trusted",
        ],
    }))
}

async fn keys(State(app): State<App>) -> Result<Response, ApiError> {
    let keys = signing_keys::public(&app.store).await?;
    Ok(cached(json!({ "keys": keys })))
}
