//! Every message between agent and coordinator as it is on the wire: what one side writes the other reads, by these very
//! names, whatever the types are called. A new field is added to a line here; a line of `older.txt` never changes.

use job_specs::model::JobSpec;
use protocol::attempt::AttemptEvent;
use protocol::blobs::{BlobLimits, CacheFound, CacheWanted, Kept, NeededArtifact};
use protocol::lease::{Enrol, Enrolled, ErrorBody, Events, Finish, Finished, Lease, LogAnswer, Poll, PollAnswer};
use protocol::reports::TestUpload;
use protocol::shell::{ShellCall, ShellMessage, ShellRequest};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// All that an agent and a coordinator of this version say, a name and its JSON on each line.
const TODAY: &str = include_str!("golden/today.txt");
/// What earlier versions said, without what has come since.
const OLDER: &str = include_str!("golden/older.txt");

/// Reads a message of that name and writes it again.
fn again(name: &str, json: &Value) -> Result<Value, serde_json::Error> {
    fn of<T: DeserializeOwned + Serialize>(json: &Value) -> Result<Value, serde_json::Error> {
        serde_json::to_value(serde_json::from_value::<T>(json.clone())?)
    }
    match name {
        "enrol" => of::<Enrol>(json),
        "enrolled" => of::<Enrolled>(json),
        "poll" => of::<Poll>(json),
        "poll_answer" => of::<PollAnswer>(json),
        "lease" => of::<Lease>(json),
        "events" => of::<Events>(json),
        "event" => of::<AttemptEvent>(json),
        "finish" => of::<Finish>(json),
        "finished" => of::<Finished>(json),
        "log_answer" => of::<LogAnswer>(json),
        "error" => of::<ErrorBody>(json),
        "tests" => of::<TestUpload>(json),
        "blob_limits" => of::<BlobLimits>(json),
        "kept" => of::<Kept>(json),
        "cache_wanted" => of::<CacheWanted>(json),
        "cache_found" => of::<CacheFound>(json),
        "needed" => of::<NeededArtifact>(json),
        "shell_call" => of::<ShellCall>(json),
        "shell_wish" => of::<ShellRequest>(json),
        "shell_word" => of::<ShellMessage>(json),
        other => panic!("there is no message `{other}`"),
    }
}

/// The messages of a file; `SPEC` stands for a job.
fn messages(file: &str) -> Vec<(String, Value)> {
    let spec = serde_json::to_string(&JobSpec::default()).expect("a job is written");
    let message = |line: &str| {
        let (name, json) = line.split_once(' ').expect("a name and JSON");
        let json = json.replace("\"SPEC\"", &spec);
        let json = serde_json::from_str(&json).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name.to_owned(), json)
    };
    file.lines().map(message).collect()
}

#[test]
fn every_message_is_read_and_written_by_its_names() {
    for (name, json) in messages(TODAY) {
        let written = again(&name, &json).unwrap_or_else(|error| panic!("{name}: {error}: {json}"));
        assert_eq!(written, json, "{name}");
    }
}

#[test]
fn what_earlier_versions_say_is_read() {
    for (name, json) in messages(OLDER) {
        assert!(again(&name, &json).is_ok(), "{name}: {json}");
    }
}

#[test]
fn what_later_versions_add_is_passed_over() {
    for (name, mut json) in messages(TODAY) {
        let known = again(&name, &json).unwrap();
        if let Value::Object(fields) = &mut json {
            fields.insert("of_a_later_version".to_owned(), Value::Bool(true));
        }
        assert_eq!(again(&name, &json).unwrap(), known, "{name}");
    }
}
