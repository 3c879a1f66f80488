//! `/tokens`: the API tokens, a new one, shown once, and the sessions.

use axum::extract::{Form, State};
use axum::response::Response;
use serde::Deserialize;
use web::views::{SessionRow, TokenRow, TokensPage};

use super::PageError;
use super::frame::Framed;
use super::notice::{Notice, go};
use crate::app::App;
use crate::http::access::{By, User};
use crate::http::api::tokens::{create_token, token_days};
use crate::http::extract::Path;
use crate::store::{StoreError, access};

/// A token to make.
#[derive(Deserialize)]
pub(super) struct NewToken {
    name: String,
    /// Days, or `never`.
    expiry: Option<String>,
}

/// All tokens and sessions.
pub(super) async fn page(State(app): State<App>, user: User, framed: Framed) -> Result<Response, PageError> {
    let view = view(&app, &user, None).await?;
    Ok(framed.render(&view, web::pages::tokens))
}

/// Makes a token and shows it, once: therefore no redirect.
pub(super) async fn create(
    State(app): State<App>,
    user: User,
    framed: Framed,
    Form(new): Form<NewToken>,
) -> Result<Response, PageError> {
    let expiry = new.expiry.as_deref();
    let days = expiry.and_then(|days| days.parse().ok());
    let days = token_days(days, expiry == Some("never"))?;
    let token = create_token(&app, &user.actor(), new.name.trim(), days).await?;
    let view = view(&app, &user, Some(token)).await?;
    Ok(framed.render(&view, web::pages::tokens))
}

/// Makes a token worthless.
pub(super) async fn revoke(
    State(app): State<App>,
    By(actor): By,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    access::revoke_token(&app.store, &actor, &id).await?;
    Ok(go(&app, "/tokens", Notice::TokenRevoked))
}

/// Ends a session.
pub(super) async fn revoke_session(
    State(app): State<App>,
    By(actor): By,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    access::revoke_session(&app.store, &actor, &id).await?;
    Ok(go(&app, "/tokens", Notice::SessionRevoked))
}

/// Ends all sessions but this one.
pub(super) async fn revoke_other_sessions(State(app): State<App>, By(actor): By) -> Result<Response, PageError> {
    access::revoke_other_sessions(&app.store, &actor).await?;
    Ok(go(&app, "/tokens", Notice::SessionsRevoked))
}

async fn view(app: &App, user: &User, fresh: Option<String>) -> Result<TokensPage, StoreError> {
    let tokens = access::list_tokens(&app.store).await?.into_iter();
    let tokens = tokens.map(|token| TokenRow {
        id: token.id,
        name: token.name,
        created_at: token.created_at,
        expires_at: token.expires_at,
        last_used_at: token.last_used_at,
    });
    let sessions = access::list_sessions(&app.store).await?.into_iter();
    let sessions = sessions.map(|session| SessionRow {
        is_current: session.id == user.id,
        id: session.id,
        created_at: session.created_at,
        expires_at: session.expires_at,
        last_used_at: session.last_used_at,
    });
    Ok(TokensPage {
        tokens: tokens.collect(),
        sessions: sessions.collect(),
        fresh,
    })
}
