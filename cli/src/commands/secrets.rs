//! `drover secret`: values go in by stdin and never come out.

use std::io::{IsTerminal, Read};

use protocol::api::{self, NewSecretValue};
use protocol::work::SecretValue;
use reqwest::Method;
use serde_json::Value;

use super::show;
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
            let row = |secret: api::Secret| vec![secret.name, render::ago(secret.updated_at)];
            return show(answer, *json, |secrets: Vec<_>| {
                table(&["name", "set"], secrets.into_iter().map(row))
            });
        }
        Secret::Set { repository, name } => {
            let (value, note) = value_from_stdin()?;
            let path = path(repository, name);
            let body = NewSecretValue {
                value: SecretValue(value),
            };
            client.call(Method::PUT, &path, &body).await?;
            anstream::eprintln!("{name}: set{note}; a step gets it when it says `secrets: [{name}]`");
        }
        Secret::Rm { repository, name } => {
            client.delete(&path(repository, name)).await?;
            anstream::eprintln!("{name}: removed");
        }
    }
    Ok(Exit::Passed)
}

fn path(repository: &str, name: &str) -> String {
    format!("/repositories/{}/secrets/{}", segment(repository), segment(name))
}

/// What is on stdin, and what to say of it: one line without its end, several as they are (a key is no key without the
/// last line's end).
pub fn value_from_stdin() -> anyhow::Result<(String, String)> {
    if std::io::stdin().is_terminal() {
        anstream::eprintln!("type or paste the value, then Ctrl-D:");
    }
    let mut value = String::new();
    std::io::stdin()
        .read_to_string(&mut value)
        .map_err(|error| Stop::new(Exit::Usage, format!("cannot read the value from stdin: {error}")))?;
    let (value, note) = value_of(&value);
    if value.is_empty() {
        return Err(Stop::new(Exit::Usage, "there is no value on stdin").into());
    }
    Ok((value.to_owned(), note))
}

fn value_of(text: &str) -> (&str, String) {
    let Some(line) = text.strip_suffix('\n') else {
        return (text, String::new());
    };
    match line.matches('\n').count() {
        0 => (
            line.strip_suffix('\r').unwrap_or(line),
            " without its line end".to_owned(),
        ),
        ends => (text, format!(", {} lines with the last one's end", ends + 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_loses_its_end_and_a_key_keeps_it() {
        let read = |text: &'static str| {
            let (value, note) = value_of(text);
            format!("{value:?}{note}")
        };
        assert_eq!(read("token"), "\"token\"");
        assert_eq!(read("token\r\n"), "\"token\" without its line end");
        assert_eq!(read("a\nb\n"), "\"a\\nb\\n\", 2 lines with the last one's end");
        assert_eq!(read("a\nb"), "\"a\\nb\"");
        assert_eq!(read("\n"), "\"\" without its line end");
    }
}
