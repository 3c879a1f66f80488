//! API tokens, logging in on this machine, and links to log in to the pages.

use serde_json::{Value, json};

use super::print_json;
use crate::args::{Arguments, Token};
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
                let used = token["last_used_at"].as_i64().map_or("never".to_owned(), render::ago);
                vec![text("name"), used, text("id")]
            });
            anstream::println!("{}", table(&["name", "used", "id"], rows));
        }
        Token::Add { name } => {
            let answer: Value = client.post("/tokens", &json!({"name": name})).await?;
            anstream::println!("{}", answer["token"].as_str().unwrap_or_default());
            anstream::eprintln!("it is shown only now; use it as DROVER_TOKEN or with `drover login`");
        }
        Token::Rm { token } => {
            client.delete(&format!("/tokens/{}", segment(token))).await?;
            anstream::eprintln!("{token}: revoked");
        }
    }
    Ok(Exit::Passed)
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
