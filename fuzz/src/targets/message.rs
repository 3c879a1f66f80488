//! Messages between coordinator, agent and gate. An input begins with the name of its type; then come JSON, or the bytes
//! of a gate's message. What is understood says the same again when it is written and read once more.

use anyhow::Context;
use gate::exit::ExitStatus;
use gate::wire::{Event, Go, HealthCheck, Probe, ProbeTarget, Request, State, take_message};
use job_specs::{SourceFile, expand, parse};
use protocol::attempt::AttemptEvent;
use protocol::blobs::{BlobLimits, CacheFound, CacheWanted, Kept, NeededArtifact};
use protocol::ids::StreamId;
use protocol::lease::{Enrol, Enrolled, ErrorBody, Events, Finish, Finished, LogAnswer, Poll, PollAnswer};
use protocol::reports::TestUpload;
use protocol::shell::{ShellMessage, ShellRequest};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::job::push;
use super::{Target, filled};
use crate::mutate::Examples;

/// One for each line: the name of a type, a space, a value in JSON. `SPEC` stands for a job.
const JSON: &str = include_str!("../../corpus/messages.txt");
/// A file with such a job.
const JOB: &str = include_str!("../../../job-specs/examples/rust-postgres-matrix.yml");

/// A type that is read from JSON, by name.
type Reader = (&'static str, fn(&[u8]) -> bool);

const READERS: &[Reader] = &[
    ("enrol", json::<Enrol>),
    ("enrolled", json::<Enrolled>),
    ("poll", json::<Poll>),
    ("poll_answer", json::<PollAnswer>),
    ("events", json::<Events>),
    ("event", json::<AttemptEvent>),
    ("finish", json::<Finish>),
    ("finished", json::<Finished>),
    ("log_answer", json::<LogAnswer>),
    ("error", json::<ErrorBody>),
    ("tests", json::<TestUpload>),
    ("blob_limits", json::<BlobLimits>),
    ("kept", json::<Kept>),
    ("cache_wanted", json::<CacheWanted>),
    ("cache_found", json::<CacheFound>),
    ("needed", json::<NeededArtifact>),
    ("shell_wish", json::<ShellRequest>),
    ("shell_word", json::<ShellMessage>),
    ("stream", |bytes| {
        StreamId::parse(&String::from_utf8_lossy(bytes)).is_some()
    }),
    ("status", status),
    ("request", request),
    ("gate_event", gate_event),
];

pub(super) fn target() -> anyhow::Result<Target> {
    Ok(Target {
        name: "message",
        examples: Examples::new(examples()?),
        worst: Box::new(|| Ok(worst())),
        read: Box::new(|bytes| {
            read(bytes);
        }),
    })
}

fn worst() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        (
            "lists inside lists",
            filled(255 * 1024, "poll_answer ", &|_| "[".into(), ""),
        ),
        (
            "events",
            filled(4 << 20, "events {\"epoch\":1,\"events\":[", &|_| event(), "{}]}"),
        ),
        (
            "a long message of a gate",
            [b"request ", &u32::to_le_bytes(32 << 20)[..], &vec![1; 1 << 20]].concat(),
        ),
    ]
}

fn examples() -> anyhow::Result<Vec<Vec<u8>>> {
    let files = [SourceFile {
        name: ".drover.yml".to_owned(),
        text: JOB.to_owned(),
    }];
    let file = parse(&files).file.context("the example is right")?;
    let jobs = expand(&file, &push()).ok().context("the example is right")?.jobs;
    let spec = serde_json::to_string(jobs.first().context("the example has a job")?)?;
    let lines = JSON.lines().map(|line| line.replace("SPEC", &spec).into_bytes());
    Ok(lines.chain(binary()).collect())
}

fn event() -> String {
    r#"{"seq":0,"at":1,"type":"started"},"#.to_owned()
}

/// Whether it is understood.
fn read(bytes: &[u8]) -> bool {
    let Some(space) = bytes.iter().position(|byte| *byte == b' ') else {
        return false;
    };
    let (name, rest) = (&bytes[..space], &bytes[space + 1..]);
    let reader = READERS.iter().find(|(known, _)| known.as_bytes() == name);
    reader.is_some_and(|(_, read)| read(rest))
}

fn json<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> bool {
    let Ok(value) = serde_json::from_slice::<T>(bytes) else {
        return false;
    };
    let once = serde_json::to_string(&value).expect("a message is written");
    let again: T = serde_json::from_str(&once).expect("what was written is read");
    let twice = serde_json::to_string(&again).expect("a message is written");
    assert_eq!(once, twice, "a message says the same when it is read again");
    true
}

fn status(bytes: &[u8]) -> bool {
    let Some(status) = ExitStatus::from_text(&String::from_utf8_lossy(bytes)) else {
        return false;
    };
    assert_eq!(
        ExitStatus::from_text(&status.to_text()),
        Some(status.clone()),
        "a status says the same when read again"
    );
    let _ = status.code();
    true
}

fn request(bytes: &[u8]) -> bool {
    gate_message(bytes, |message| Request::decode(message).ok(), Request::encode)
}

fn gate_event(bytes: &[u8]) -> bool {
    gate_message(bytes, |message| Event::decode(message).ok(), Event::encode)
}

fn gate_message<T: PartialEq>(bytes: &[u8], decode: fn(&[u8]) -> Option<T>, encode: fn(&T, &mut Vec<u8>)) -> bool {
    let (mut buffer, mut understood) = (bytes.to_vec(), false);
    while let Ok(Some(message)) = take_message(&mut buffer) {
        let Some(value) = decode(&message) else {
            return false;
        };
        let mut again = Vec::new();
        encode(&value, &mut again);
        let same = decode(&again[4..]).is_some_and(|same| same == value);
        assert!(same, "a gate's message says the same when it is read again");
        understood = true;
    }
    understood
}

/// Messages of and to a gate.
fn binary() -> Vec<Vec<u8>> {
    let go = Go {
        argv: vec!["/bin/sh".into(), "-e".into()],
        env: vec![("PATH".into(), "/bin".into())],
        cwd: Some("/workspace".into()),
        script: Some(b"cargo test\n".to_vec()),
        health: Some(HealthCheck::default()),
        stop_signal: 15,
        log_limit: 64 << 20,
        files: vec![("secret".into(), b"x".to_vec())],
    };
    let probe = Probe {
        id: 1,
        target: ProbeTarget::Http {
            addr: ([127, 0, 0, 1], 80).into(),
            path: "/".into(),
        },
        interval_ms: 50,
        timeout_ms: 1_000,
    };
    let requests = [
        Request::Go(go),
        Request::Probe(probe),
        Request::WhatRuns,
        Request::EndSession("s".into()),
    ];
    let status = ExitStatus {
        exit_code: Some(1),
        error: Some("no such file".into()),
        ..ExitStatus::default()
    };
    let text = status.to_text();
    let events = [
        Event::Hello {
            version: 2,
            state: State::Running,
        },
        Event::Exited(status),
        Event::ProbeDone {
            id: 1,
            ok: false,
            message: "refused".into(),
        },
    ];
    let framed = |name: &str, encode: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = name.as_bytes().to_vec();
        encode(&mut bytes);
        bytes
    };
    let mut all: Vec<Vec<u8>> = requests
        .iter()
        .map(|request| framed("request ", &|out| request.encode(out)))
        .collect();
    all.extend(
        events
            .iter()
            .map(|event| framed("gate_event ", &|out| event.encode(out))),
    );
    all.push(format!("status {text}").into_bytes());
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_is_understood() {
        let examples = examples().unwrap();
        for example in &examples {
            assert!(read(example), "{}", String::from_utf8_lossy(example));
        }
        for (name, _) in READERS {
            let is_its = |text: &Vec<u8>| text.starts_with(format!("{name} ").as_bytes());
            assert!(examples.iter().any(is_its), "{name} has no example");
        }
    }
}
