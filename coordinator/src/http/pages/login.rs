//! `/login`: a one-time link becomes a session. Opening the link shows a button and uses nothing up, so that a
//! preview of the link does not; the button does.

use axum::extract::{Form, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use web::views::{LoginPage, LoginState};

use super::PageError;
use super::frame::Framed;
use super::notice::{Notice, go};
use crate::app::App;
use crate::http::access::cookies::SESSION;
use crate::http::access::{By, scheme};
use crate::http::extract::Query;
use crate::store::{StoreError, access};

/// What a login link carries, and what its button posts.
#[derive(Deserialize)]
pub(super) struct Login {
    code: Option<String>,
    next: Option<String>,
}

/// The login page.
pub(super) async fn page(framed: Framed, Query(login): Query<Login>) -> Response {
    let view = LoginPage {
        next: login.next.filter(|next| is_ours(next)),
        state: match login.code.filter(|code| !code.is_empty()) {
            Some(code) => LoginState::Confirm { code },
            None => LoginState::NoCode,
        },
    };
    framed.render(&view, web::pages::login)
}

/// Uses a code up and opens a session.
pub(super) async fn log_in(
    State(app): State<App>,
    framed: Framed,
    Form(login): Form<Login>,
) -> Result<Response, PageError> {
    let next = login.next.filter(|next| is_ours(next));
    match access::open_session(&app.store, &login.code.unwrap_or_default(), SESSION).await {
        Ok(session) => {
            let mut response = go(&app, next.as_deref().unwrap_or("/"), Notice::LoggedIn);
            response
                .headers_mut()
                .append(header::SET_COOKIE, scheme(&app).session(&session));
            Ok(response)
        }
        Err(StoreError::BadCode) => {
            let view = LoginPage {
                next,
                state: LoginState::BadCode,
            };
            Ok((StatusCode::FORBIDDEN, framed.render(&view, web::pages::login)).into_response())
        }
        Err(error) => Err(error.into()),
    }
}

/// Ends the session.
pub(super) async fn log_out(State(app): State<App>, By(actor): By) -> Result<Response, PageError> {
    access::close_session(&app.store, &actor).await?;
    let mut response = Redirect::to("/login").into_response();
    response
        .headers_mut()
        .append(header::SET_COOKIE, scheme(&app).no_session());
    Ok(response)
}

/// A path of ours, and no address elsewhere (`//evil.example`, `/\evil.example`).
fn is_ours(next: &str) -> bool {
    let mut chars = next.chars();
    chars.next() == Some('/') && !matches!(chars.next(), Some('/' | '\\')) && next.chars().all(|c| c.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::is_ours;

    #[test]
    fn a_login_leads_only_to_our_own_pages() {
        for ours in ["/", "/builds/4", "/?repository=app"] {
            assert!(is_ours(ours), "{ours}");
        }
        for elsewhere in [
            "",
            "builds",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a\r\nb",
        ] {
            assert!(!is_ours(elsewhere), "{elsewhere:?}");
        }
    }
}
