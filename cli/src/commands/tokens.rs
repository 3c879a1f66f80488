//! API tokens, sessions of browsers, logging in on this machine, and links to log in to the pages.

use serde_json::{Value, json};

use super::print_json;
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
            if json.json {
                return print_json(&answer);
            }
            let empty = Vec::new();
            let rows = answer.as_array().unwrap_or(&empty).iter().map(|token| {
                let text = |key: &str| token[key].as_str().unwrap_or_default().to_owned();
                vec![text("name"), expiry(token), used(token), text("id")]
            });
            anstream::println!("{}", table(&["name", "expires", "used", "id"], rows));
        }
        Token::Add { name, days, no_expiry } => {
            let new = json!({"name": name, "days": days, "no_expiry": no_expiry});
            let answer: Value = client.post("/tokens", &new).await?;
            anstream::println!("{}", answer["token"].as_str().unwrap_or_default());
            anstream::eprintln!("it is shown only now; use it as DROVER_TOKEN or with `drover login`");
            anstream::eprintln!("expires: {}", expiry(&answer));
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
            if json.json {
                return print_json(&answer);
            }
            let empty = Vec::new();
            let rows = answer.as_array().unwrap_or(&empty).iter().map(|session| {
                let made = session["created_at"].as_i64().map_or(String::new(), render::ago);
                let id = session["id"].as_str().unwrap_or_default().to_owned();
                vec![made, expiry(session), used(session), id]
            });
            anstream::println!("{}", table(&["logged in", "expires", "used", "id"], rows));
        }
        Session::Rm { session: Some(id), .. } => {
            client.delete(&format!("/sessions/{}", segment(id))).await?;
            anstream::eprintln!("{id}: logged out");
        }
        Session::Rm { session: None, .. } => {
            let answer: Value = client.delete_for("/sessions").await?;
            let count = answer["revoked"].as_u64().unwrap_or(0);
            anstream::eprintln!("{} ended", job_specs::units::count(count, "session"));
        }
    }
    Ok(Exit::Passed)
}

/// When a token or session stops to work.
fn expiry(credential: &Value) -> String {
    match credential["expires_at"].as_i64() {
        None => "never".to_owned(),
        Some(at) if at <= jiff::Timestamp::now().as_microsecond() => "expired".to_owned(),
        Some(at) => render::date(at),
    }
}

/// When a token or session was last used.
fn used(credential: &Value) -> String {
    credential["last_used_at"]
        .as_i64()
        .map_or("never".to_owned(), render::ago)
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
    let answer: Value = client.post("/login-links", &json!({})).await?;
    anstream::println!("{}", answer["url"].as_str().unwrap_or_default());
    anstream::eprintln!("one use, within one hour");
    Ok(Exit::Passed)
}
