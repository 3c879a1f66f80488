//! The pages: each file fills one page's view from the store and lets `web` render it. A form posts, acts, and sends the
//! browser back (POST, redirect, GET).

mod actions;
mod agents;
mod artifact;
mod attempt;
mod build;
mod builds;
mod delivery;
mod frame;
mod job;
mod login;
mod notice;
mod repository;
mod rows;
mod shell;
mod test_reports;
mod tokens;

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use web::views::{ErrorPage, Frame};

use super::error::ApiError;
use super::extract::Path;
use super::routes::Routes;

/// The routes of pages, forms and assets.
pub(super) fn router() -> Routes {
    let (get_only, post_only) = ([Method::GET], [Method::POST]);
    Routes::new()
        .route("/", get_only.clone(), get(builds::page))
        .route("/builds/{number}", get_only.clone(), get(build::page))
        .route(
            "/builds/{number}/approve",
            post_only.clone(),
            post(actions::approve_build),
        )
        .route(
            "/builds/{number}/cancel",
            post_only.clone(),
            post(actions::cancel_build),
        )
        .route("/builds/{number}/rerun", post_only.clone(), post(actions::rerun_build))
        .route(
            "/builds/{number}/rerun-failed",
            post_only.clone(),
            post(actions::rerun_failed),
        )
        .route("/jobs/{job}", get_only.clone(), get(job::newest))
        .route("/jobs/{job}/attempts/{number}", get_only.clone(), get(job::attempt))
        .route("/jobs/{job}/cancel", post_only.clone(), post(actions::cancel_job))
        .route("/jobs/{job}/shell", get_only.clone(), get(shell::page))
        .route("/jobs/{job}/release", post_only.clone(), post(actions::release_job))
        .route("/jobs/{job}/rerun", post_only.clone(), post(actions::rerun_job))
        .route("/artifacts/{artifact}", get_only.clone(), get(artifact::page))
        .route("/agents", get_only.clone(), get(agents::page))
        .route("/agents/enrol", post_only.clone(), post(agents::enrol))
        .route("/agents/labels", post_only.clone(), post(actions::label_agent))
        .route("/agents/{agent}/drain", post_only.clone(), post(actions::drain))
        .route("/agents/{agent}/undrain", post_only.clone(), post(actions::undrain))
        .route("/agents/{agent}/remove", post_only.clone(), post(actions::remove_agent))
        .route("/repositories", get_only.clone(), get(repository::list))
        .route("/repositories/{name}", get_only.clone(), get(repository::page))
        .route(
            "/repositories/{name}/trigger",
            post_only.clone(),
            post(actions::trigger),
        )
        .route(
            "/repositories/{name}/deliveries/{id}",
            get_only.clone(),
            get(delivery::page),
        )
        .route(
            "/repositories/{name}/deliveries/{id}/redeliver",
            post_only.clone(),
            post(actions::redeliver),
        )
        .route(
            "/tokens",
            [Method::GET, Method::POST],
            get(tokens::page).post(tokens::create),
        )
        .route("/tokens/{id}/revoke", post_only.clone(), post(tokens::revoke))
        .route(
            "/sessions/revoke",
            post_only.clone(),
            post(tokens::revoke_other_sessions),
        )
        .route("/sessions/{id}/revoke", post_only.clone(), post(tokens::revoke_session))
        .route(
            "/login",
            [Method::GET, Method::POST],
            get(login::page).post(login::log_in),
        )
        .route("/logout", post_only, post(login::log_out))
        .route("/assets/{*path}", get_only, get(asset))
}

/// An error as a page.
#[derive(Debug)]
pub(crate) struct PageError(ApiError);

impl<E: Into<ApiError>> From<E> for PageError {
    fn from(error: E) -> Self {
        PageError(error.into())
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        match self.0 {
            // The guard lets nobody here without a caller; a form whose session just ended can still come.
            ApiError::Unauthorized => Redirect::to("/login").into_response(),
            error => refusal(&error),
        }
    }
}

/// The page of an error, with its status.
pub(crate) fn refusal(error: &ApiError) -> Response {
    error.log();
    // To a browser, what cannot be done is a wrong request, and what was removed is not there.
    let status = match error.status().0 {
        StatusCode::UNPROCESSABLE_ENTITY | StatusCode::BAD_GATEWAY => StatusCode::BAD_REQUEST,
        StatusCode::GONE => StatusCode::NOT_FOUND,
        other => other,
    };
    let sentence = match error {
        ApiError::Internal(_) => None,
        other => Some(capitalized(&other.to_string())),
    };
    let view = ErrorPage {
        status: status.as_u16(),
        sentence,
        request_id: None,
    };
    (status, Html(web::pages::error(&frame::bare(), &view))).into_response()
}

/// What has no route.
pub(super) async fn nothing_here() -> Response {
    refusal(&ApiError::NotFound("page"))
}

/// An error's text as a sentence of its own.
fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    let end = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", chars.as_str())
}

/// A page, or only its live part.
#[derive(Debug, Clone, Copy, Default, serde::Deserialize)]
struct Part {
    live: Option<u8>,
}

impl Part {
    fn is_live(self) -> bool {
        self.live == Some(1)
    }
}

/// How a view becomes HTML.
type Render<V> = fn(&Frame, &V) -> String;

async fn asset(headers: HeaderMap, Path(path): Path<String>) -> Result<Response, ApiError> {
    let asset = web::assets::get(&path).ok_or(ApiError::NotFound("asset"))?;
    let known = headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|tag| tag.as_bytes() == asset.etag.as_bytes());
    let described = [
        (header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type)),
        (header::ETAG, HeaderValue::from_static(asset.etag)),
        (header::CACHE_CONTROL, HeaderValue::from_static(asset.cache_control)),
    ];
    if known {
        return Ok((StatusCode::NOT_MODIFIED, described).into_response());
    }
    Ok((described, asset.bytes).into_response())
}
