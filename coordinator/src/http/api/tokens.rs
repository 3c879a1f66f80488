//! API tokens and login links: how programs and people come in.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use protocol::api::{LoginLink, MadeToken, NewToken, Token};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::http::access::{By, User};
use crate::http::error::ApiError;
use crate::http::extract::{Json as Body, Path};
use crate::store::{Actor, StoreError, access};

/// Days that an API token works when nobody says how many.
const TOKEN_DAYS: u32 = 90;
/// The most days that an API token with an end works.
const MOST_TOKEN_DAYS: u32 = 3_650;
/// How long a login link can be used.
pub(crate) const LOGIN_LINK: Duration = Duration::from_secs(3600);

/// The routes of this file.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(revoke))
        .routes(routes!(login_link))
}

/// All API tokens, newest first.
#[utoipa::path(get, path = "/api/v1/tokens", responses((status = 200, body = Vec<Token>)))]
async fn list(State(app): State<App>, _: User) -> Result<Json<Vec<Token>>, ApiError> {
    Ok(Json(access::list_tokens(&app.store).await?))
}

/// Makes an API token, for 90 days if nothing else is said.
#[utoipa::path(post, path = "/api/v1/tokens", request_body = NewToken,
    responses((status = 201, body = MadeToken), (status = 400)))]
async fn create(
    State(app): State<App>,
    By(actor): By,
    Body(new): Body<NewToken>,
) -> Result<(StatusCode, Json<MadeToken>), ApiError> {
    let days = token_days(new.days, new.no_expiry)?;
    let made = MadeToken {
        token: create_token(&app, &actor, &new.name, days).await?,
        name: new.name,
        expires_at: days.map(|days| app.store.now() + i64::from(days) * 86_400_000_000),
    };
    Ok((StatusCode::CREATED, Json(made)))
}

/// How many days a new token works. `None`: until it is revoked, which is said and never left out.
pub(crate) fn token_days(days: Option<u32>, no_expiry: bool) -> Result<Option<u32>, ApiError> {
    match (days, no_expiry) {
        (None, false) => Ok(Some(TOKEN_DAYS)),
        (None, true) => Ok(None),
        (Some(1..=MOST_TOKEN_DAYS), false) => Ok(days),
        (Some(_), false) => Err(ApiError::BadRequest(format!("`days` is 1 to {MOST_TOKEN_DAYS}"))),
        (Some(_), true) => Err(ApiError::BadRequest("give `days` or `no_expiry`, not both".into())),
    }
}

/// Makes an API token that works so many days.
pub(crate) async fn create_token(
    app: &App,
    actor: &Actor,
    name: &str,
    days: Option<u32>,
) -> Result<String, StoreError> {
    let valid_for = days.map(|days| Duration::from_secs(u64::from(days) * 86_400));
    access::create_token(&app.store, actor, name, valid_for).await
}

/// Makes an API token worthless.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", params(("id", description = "Its id")),
    responses((status = 204)))]
async fn revoke(State(app): State<App>, By(actor): By, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    access::revoke_token(&app.store, &actor, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a link that logs a browser in, once, within the hour.
#[utoipa::path(post, path = "/api/v1/login-links", responses((status = 201, body = LoginLink)))]
async fn login_link(State(app): State<App>, By(actor): By) -> Result<(StatusCode, Json<LoginLink>), ApiError> {
    let code = access::login_link(&app.store, &actor, LOGIN_LINK).await?;
    let link = LoginLink {
        url: format!("{}/login?code={code}", app.url),
    };
    Ok((StatusCode::CREATED, Json(link)))
}
