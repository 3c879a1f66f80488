//! `/tokens`: the API tokens, and a new one, shown once.

use axum::extract::{Form, State};
use axum::response::Response;
use serde::Deserialize;
use web::views::{TokenRow, TokensPage};

use super::PageError;
use super::frame::Framed;
use super::notice::{Notice, go};
use crate::app::App;
use crate::http::access::User;
use crate::http::extract::Path;
use crate::store::{StoreError, access};

/// A token to make.
#[derive(Deserialize)]
pub(super) struct NewToken {
    name: String,
}

/// All tokens.
pub(super) async fn page(State(app): State<App>, _: User, framed: Framed) -> Result<Response, PageError> {
    let view = view(&app, None).await?;
    Ok(framed.draw(&view, web::pages::tokens))
}

/// Makes a token and shows it, once: therefore no redirect.
pub(super) async fn create(
    State(app): State<App>,
    _: User,
    framed: Framed,
    Form(new): Form<NewToken>,
) -> Result<Response, PageError> {
    let token = access::create_token(&app.store, new.name.trim(), None).await?;
    let view = view(&app, Some(token)).await?;
    Ok(framed.draw(&view, web::pages::tokens))
}

/// Makes a token worthless.
pub(super) async fn revoke(State(app): State<App>, _: User, Path(id): Path<String>) -> Result<Response, PageError> {
    access::revoke_token(&app.store, &id).await?;
    Ok(go(&app, "/tokens", Notice::TokenRevoked))
}

async fn view(app: &App, fresh: Option<String>) -> Result<TokensPage, StoreError> {
    let all = access::list_tokens(&app.store)
        .await?
        .into_iter()
        .map(|token| TokenRow {
            id: token.id,
            name: token.name,
            created_at: token.created_at,
            last_used_at: token.last_used_at,
        });
    Ok(TokensPage {
        tokens: all.collect(),
        fresh,
    })
}
