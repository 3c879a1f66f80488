//! Shells into running steps, services and stacks. A person's WebSocket ends at the coordinator; the agent hears of
//! it in its poll's answer ([`ShellCall`]) and opens one of its own to `/agent/v1/shells/{id}`; the coordinator copies
//! between the two. On both: binary frames are bytes of the terminal, text frames are a [`ShellMessage`] in JSON.

use serde::{Deserialize, Serialize};

use crate::work::WorkId;

/// Somebody wants to enter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShellCall {
    /// Its id; a secret of the two that meet under it.
    pub id: String,
    /// Whose containers.
    #[serde(flatten)]
    pub work: WorkId,
    /// Which container.
    #[serde(default, rename = "place")]
    pub target: ShellTarget,
    /// What to run; empty: the best shell there is.
    #[serde(default)]
    pub command: Vec<String>,
    /// With a terminal of that size; without one, output and errors are plain bytes.
    #[serde(default)]
    pub terminal: Option<ShellSize>,
    /// Who, for the job's log.
    #[serde(default)]
    pub by: String,
}

/// What a person asks for: the first text frame of their WebSocket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ShellRequest {
    /// Which container.
    #[serde(rename = "place")]
    pub target: ShellTarget,
    /// What to run; empty: the best shell there is.
    pub command: Vec<String>,
    /// With a terminal of that size.
    pub terminal: Option<ShellSize>,
}

/// Which container of an attempt to enter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShellTarget {
    /// The step that runs, or the one that is retained.
    #[default]
    Job,
    /// That step, by its name or its number from 1.
    Step(String),
    /// That service.
    Service(String),
}

/// The size of a terminal, characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShellSize {
    /// Width.
    pub cols: u16,
    /// Height.
    pub rows: u16,
}

/// What the two ends of a shell say to each other besides bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ShellMessage {
    /// To the agent: the terminal has a new size.
    Resize(ShellSize),
    /// To the agent: there is no more input.
    Eof,
    /// From the agent: the command runs.
    Ready {
        /// Where it runs, for people: `step 2 (./it.sh)`, `service db`.
        #[serde(rename = "place")]
        title: String,
    },
    /// From the agent: the command is over. The last word.
    Exit {
        /// Its exit code.
        code: i32,
    },
    /// From the agent or the coordinator: there is no shell, or no longer. The last word.
    Failed {
        /// Why, and what to do.
        message: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_short_json() {
        let words = [
            ShellMessage::Resize(ShellSize { cols: 80, rows: 24 }),
            ShellMessage::Eof,
            ShellMessage::Exit { code: 3 },
        ];
        let reported: Vec<String> = words.iter().map(|word| serde_json::to_string(word).unwrap()).collect();
        assert_eq!(
            reported,
            [
                r#"{"type":"resize","cols":80,"rows":24}"#,
                r#"{"type":"eof"}"#,
                r#"{"type":"exit","code":3}"#
            ]
        );
        let call: ShellCall = serde_json::from_str(r#"{"id":"x","attempt":"a"}"#).unwrap();
        assert_eq!((call.target, call.terminal), (ShellTarget::Job, None));
    }
}
