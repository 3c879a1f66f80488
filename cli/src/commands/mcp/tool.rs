//! What a tool is: a struct of its arguments, of which are made the schema that clients see and the check of what they
//! send, with its name and what it does. Apart from the tools, each of which is then nothing but that.

use std::future::Future;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::answer::Answer;
use crate::client::Client;
use crate::exit::{Exit, Stop};

/// What calls of a tool do to builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    Reads,
    /// They make new ones.
    Adds,
    /// They end what runs; twice is the same as once.
    Ends,
}

/// A tool, by its arguments.
pub trait Call: DeserializeOwned + JsonSchema + Send + 'static {
    /// Its name for programs.
    const NAME: &'static str;
    /// Its name for people.
    const TITLE: &'static str;
    /// What it does, for whoever is to choose it.
    const DESCRIPTION: &'static str;
    /// What it does to builds.
    const EFFECT: Effect = Effect::Reads;

    /// Does it.
    fn answer(self, client: &Client) -> impl Future<Output = anyhow::Result<Answer>> + Send;
}

/// A tool in the list of all.
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// What it does to builds.
    pub effect: Effect,
    /// As clients see it.
    pub definition: fn() -> Tool,
    /// Reads the arguments and answers.
    pub run: for<'a> fn(&'a Client, JsonObject) -> BoxFuture<'a, anyhow::Result<Answer>>,
}

impl Entry {
    /// Of that tool.
    pub const fn of<T: Call>() -> Entry {
        Entry {
            name: T::NAME,
            effect: T::EFFECT,
            definition: definition::<T>,
            run: run::<T>,
        }
    }
}

fn definition<T: Call>() -> Tool {
    let annotations = ToolAnnotations::new().read_only(T::EFFECT == Effect::Reads);
    let annotations = match T::EFFECT {
        Effect::Reads => annotations,
        Effect::Adds => annotations.destructive(false).idempotent(false),
        Effect::Ends => annotations.destructive(true).idempotent(true),
    };
    let mut tool = Tool::new(T::NAME, T::DESCRIPTION, JsonObject::new())
        .with_input_schema::<T>()
        .with_title(T::TITLE)
        .with_annotations(annotations);
    without_formats(Arc::make_mut(&mut tool.input_schema));
    tool
}

/// Takes out that a number is a `uint32`: a format that JSON Schema does not know, of which clients warn.
fn without_formats(schema: &mut JsonObject) {
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    for property in properties
        .into_iter()
        .flatten()
        .filter_map(|(_, property)| property.as_object_mut())
    {
        property.remove("format");
    }
}

fn run<T: Call>(client: &Client, arguments: JsonObject) -> BoxFuture<'_, anyhow::Result<Answer>> {
    Box::pin(async move { read::<T>(arguments)?.answer(client).await })
}

/// The arguments; an error names the one that is wrong.
fn read<T: DeserializeOwned>(arguments: JsonObject) -> Result<T, Stop> {
    serde_path_to_error::deserialize(Value::Object(arguments)).map_err(|error| {
        let name = error.path().to_string();
        let why = error.into_inner().to_string();
        // An argument that is missing or unknown is named by the sentence.
        let is_named = why.starts_with("missing field") || why.starts_with("unknown field");
        let message = match is_named {
            true => why.replacen("field", "argument", 1),
            false => format!("argument `{name}`: {why}"),
        };
        Stop::new(Exit::Usage, message)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{TOOLS, read, write};
    use super::*;

    #[test]
    fn every_tool_says_what_it_is_and_what_it_does() {
        for entry in TOOLS {
            let tool = (entry.definition)();
            assert_eq!(tool.name, entry.name);
            assert!(entry.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
            assert!(tool.title.is_some() && tool.description.is_some(), "{}", entry.name);
            assert_eq!(tool.input_schema["type"], "object");
            assert_eq!(tool.input_schema["additionalProperties"], false, "{}", entry.name);
            let properties = tool.input_schema.get("properties").and_then(Value::as_object);
            for (name, schema) in properties.into_iter().flatten() {
                assert!(schema["description"].is_string(), "{} {name}", entry.name);
                assert_eq!(schema.get("format"), None);
            }
            let hints = tool.annotations.unwrap();
            assert_eq!(hints.read_only_hint, Some(entry.effect == Effect::Reads));
        }
    }

    #[test]
    fn a_wrong_argument_is_named_and_it_is_said_why() {
        fn said<T: DeserializeOwned>(arguments: Value) -> String {
            let arguments = arguments.as_object().cloned().unwrap();
            super::read::<T>(arguments)
                .map(drop)
                .map_or_else(|stop| stop.message, |()| "nothing".to_owned())
        }
        assert_eq!(said::<read::ShowBuild>(json!({"build": 1})), "nothing");
        assert_eq!(said::<read::ShowBuild>(json!({})), "missing argument `build`");
        assert_eq!(
            said::<read::ShowBuild>(json!({"build": "one"})),
            "argument `build`: invalid type: string \"one\", expected i64"
        );
        assert_eq!(
            said::<read::ShowBuild>(json!({"build": 1, "jobs": true})),
            "unknown argument `jobs`, expected `build`"
        );
        assert_eq!(
            said::<write::TriggerBuild>(json!({"repository": "app", "inputs": {"env": 1}})),
            "argument `inputs.env`: invalid type: integer `1`, expected a string"
        );
    }
}
