//! `drover secret`: values go in by stdin and never come out.

use std::io::{IsTerminal, Read};

use reqwest::Method;
use serde_json::{Value, json};

use super::print_json;
use crate::args::Secret;
use crate::client::{Client, segment};
use crate::exit::{Exit, Stop};
use crate::render::{self, table::table};

/// `drover secret ls|set|rm`
pub async fn secret(client: &Client, secret: &Secret) -> anyhow::Result<Exit> {
    match secret {
        Secret::Ls { repository, json } => {
            let answer: Value = client
                .read(&format!("/repositories/{}/secrets", segment(repository)))
                .await?;
            if *json {
                return print_json(&answer);
            }
            let empty = Vec::new();
            let rows = answer.as_array().unwrap_or(&empty).iter().map(|secret| {
                let name = secret["name"].as_str().unwrap_or_default().to_owned();
                let changed = secret["updated_at"].as_i64().or(secret["created_at"].as_i64());
                vec![name, changed.map_or(String::new(), render::ago)]
            });
            anstream::println!("{}", table(&["name", "set"], rows));
        }
        Secret::Set { repository, name } => {
            let value = value_from_stdin()?;
            let path = format!("/repositories/{}/secrets/{}", segment(repository), segment(name));
            client.tell(Method::PUT, &path, &json!({"value": value})).await?;
            anstream::eprintln!("{name}: set; a step gets it when it says `secrets: [{name}]`");
        }
        Secret::Rm { repository, name } => {
            client
                .delete(&format!(
                    "/repositories/{}/secrets/{}",
                    segment(repository),
                    segment(name)
                ))
                .await?;
            anstream::eprintln!("{name}: removed");
        }
    }
    Ok(Exit::Passed)
}

/// Everything on stdin, without one line end at its end.
pub fn value_from_stdin() -> anyhow::Result<String> {
    if std::io::stdin().is_terminal() {
        anstream::eprintln!("type or paste the value, then Ctrl-D:");
    }
    let mut value = String::new();
    std::io::stdin()
        .read_to_string(&mut value)
        .map_err(|error| Stop::new(Exit::Usage, format!("cannot read the value from stdin: {error}")))?;
    let value = value
        .strip_suffix('\n')
        .map_or(value.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    if value.is_empty() {
        return Err(Stop::new(Exit::Usage, "there is no value on stdin").into());
    }
    Ok(value.to_owned())
}
