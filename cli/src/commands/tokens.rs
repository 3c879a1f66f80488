//! API tokens, sessions of browsers, logging in on this machine, and links to log in to the pages.

use protocol::api::{self, LoginLink, MadeToken, NewToken, RevokedSessions};
use serde_json::{Value, json};

use super::show;
use crate::args::{Arguments, Session, Token};
use crate::client::{Client, segment};
use crate::exit::{Exit, Stop};
use crate::render::{self, table::table};
use crate::settings::{self, Access};

/// `drover token ls|add|rm`
pub async fn token(client: &Client, token: &Token) -> anyhow::Result<Exit> {
    match token {
        Token::Ls(json) => {
            let answer: Value = client.read("/tokens").await?;
            let row =
                |token: api::Token| vec![token.name, expiry(token.expires_at), used(token.last_used_at), token.id];
            return show(answer, json.json, |tokens: Vec<_>| {
                table(&["name", "expires", "used", "id"], tokens.into_iter().map(row))
            });
        }
        Token::Add { name, days, no_expiry } => {
            let new = NewToken {
                name: name.clone(),
                days: *days,
                no_expiry: *no_expiry,
            };
            let made: MadeToken = client.post("/tokens", &new).await?;
            anstream::println!("{}", made.token);
            anstream::eprintln!("it is shown only now; use it as DROVER_TOKEN or with `drover login`");
            anstream::eprintln!("expires: {}", expiry(made.expires_at));
        }
        Token::Rm { token } => {
            client.delete(&format!("/tokens/{}", segment(token))).await?;
            anstream::eprintln!("{token}: revoked");
        }
    }
    Ok(Exit::Passed)
}

/// `drover session ls|rm`
pub async fn session(client: &Client, session: &Session) -> anyhow::Result<Exit> {
    match session {
        Session::Ls(json) => {
            let answer: Value = client.read("/sessions").await?;
            let row = |session: api::Session| {
                let (made, expires) = (render::ago(session.created_at), expiry(session.expires_at));
                vec![made, expires, used(session.last_used_at), session.id]
            };
            return show(answer, json.json, |sessions: Vec<_>| {
                table(&["logged in", "expires", "used", "id"], sessions.into_iter().map(row))
            });
        }
        Session::Rm { session: Some(id), .. } => {
            client.delete(&format!("/sessions/{}", segment(id))).await?;
            anstream::eprintln!("{id}: logged out");
        }
        Session::Rm { session: None, .. } => {
            let RevokedSessions { revoked } = client.delete_for("/sessions").await?;
            anstream::eprintln!("{} ended", job_specs::units::count(revoked, "session"));
        }
    }
    Ok(Exit::Passed)
}

/// When a token or session stops to work.
fn expiry(expires_at: Option<i64>) -> String {
    match expires_at {
        None => "never".to_owned(),
        Some(at) if at <= jiff::Timestamp::now().as_microsecond() => "expired".to_owned(),
        Some(at) => render::date(at),
    }
}

/// When a token or session was last used.
fn used(last_used_at: Option<i64>) -> String {
    last_used_at.map_or("never".to_owned(), render::ago)
}

/// `drover login --url URL < token`
pub async fn login(arguments: &Arguments) -> anyhow::Result<Exit> {
    let url = arguments.url.clone().ok_or_else(|| {
        Stop::new(Exit::Usage, "which coordinator?").help("drover login --url https://ci.example < token")
    })?;
    let token = match &arguments.token {
        Some(token) => token.clone(),
        None => super::secrets::value_from_stdin()?.0,
    };
    let access = Access {
        url: url.trim_end_matches('/').to_owned(),
        token: Some(token),
    };
    let _: Value = Client::new(access.clone())?
        .query("/builds", &[("limit", "1".to_owned())])
        .await?;
    let path = settings::store(&access)?;
    anstream::eprintln!("logged in to {}; kept in {}", access.url, path.display());
    Ok(Exit::Passed)
}

/// `drover login-link`
pub async fn login_link(client: &Client) -> anyhow::Result<Exit> {
    let link: LoginLink = client.post("/login-links", &json!({})).await?;
    anstream::println!("{}", link.url);
    anstream::eprintln!("one use, within one hour");
    Ok(Exit::Passed)
}
