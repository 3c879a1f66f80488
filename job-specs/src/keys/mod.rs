//! The keys of the language, in tables: what each is called, what it takes and what it is for. The reader accepts a
//! key only if it is here, and the JSON Schema is made from the same tables, so the two cannot differ.

mod compose;
mod file;
mod foreign;
mod job;
mod kept;
mod on;
mod service;
mod service_parts;
mod step;
#[cfg(test)]
mod tests;

pub(crate) use compose::{
    COMPOSE, COMPOSE_FILE, EXTENDS, FILE_DEFINITION, INCLUDE, NETWORK_DEFINITION, VOLUME_DEFINITION,
};
pub(crate) use file::FILE;
pub(crate) use job::{JOB, MATRIX, NEED, RESOURCES};
pub(crate) use kept::{ARTIFACT, CACHE, REPORTS, RETRY};
pub(crate) use on::{CONCURRENCY, EVENTS, INPUT, MANUAL, ON, PULL_REQUEST, PUSH, SCHEDULE, TAG};
pub(crate) use service::{DEPENDENCY, HEALTHCHECK, HTTP, READY, SERVICE};
pub(crate) use service_parts::{
    BIND, BUILD, DEPLOY, DEPLOY_RESOURCES, ENV_FILE, FILE_MOUNT, LIMITS, MAX_SCALE, NETWORK, PORT, TMPFS, ULIMIT,
    VOLUME, VOLUME_OPTIONS,
};
pub(crate) use step::{IMAGE, LOGIN, SECRET, STEP, WHEN};

/// The keys of one kind of map.
#[derive(Debug)]
pub(crate) struct Table {
    /// What has these keys: `job`, `service`, …
    pub(crate) what: &'static str,
    /// One sentence for the reference and for editors.
    pub(crate) about: &'static str,
    /// The keys that are read.
    pub(crate) keys: &'static [Key],
    /// Keys that people write here and that mean something else, or nothing.
    pub(crate) foreign: &'static [(&'static str, Foreign)],
    /// What any other key means; `None`: it is an error.
    pub(crate) others: Others,
}

/// One key.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) about: &'static str,
    pub(crate) required: bool,
}

/// What a key of another system gets as its answer.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Foreign {
    /// It is called so here.
    Means(&'static str),
    /// It does not exist; this is what to do.
    Hint(&'static str),
    /// It belongs to the language and is not read yet.
    Later,
    /// Compose's, and refused, with the reason.
    Refused(&'static str),
    /// Compose's, and read over, with the reason.
    Ignored(&'static str),
}

/// Refused in a job file; in a Compose file that is taken as it is, it is read over.
pub(crate) const CONTAINER_NAME: &str = "container_name";

/// Whether a refused key says no more than what is so anyway: `privileged: false`.
pub(crate) fn is_harmless(key: &str, value: &str) -> bool {
    matches!(
        (key, value),
        ("privileged" | "use_api_socket", "false" | "no" | "off")
            | ("network_mode", "bridge" | "default")
            | ("ipc", "private" | "shareable")
            | ("cgroup", "private")
    )
}

/// Why a service may not have a key of Compose's; `None`: it may, or a job file reads over the key.
pub fn refused_in_service(key: &str) -> Option<&'static str> {
    match SERVICE.foreign(key) {
        Some(Foreign::Refused(reason)) if key != CONTAINER_NAME => Some(reason),
        _ => None,
    }
}

/// Keys that a table does not name.
#[derive(Debug)]
pub(crate) enum Others {
    /// None.
    Refused,
    /// Only `x-…`, for anchors.
    Extensions,
    /// Any name (the axes of a matrix).
    Taken(&'static Shape),
}

/// What a value must look like.
#[derive(Debug)]
pub(crate) enum Shape {
    /// A text; `${{ }}` is substituted.
    Text,
    /// A text, a number or true/false, taken as it is written.
    Scalar,
    /// A script: a text without `${{ }}`.
    Script,
    /// A name that must be written out.
    Name,
    /// `true` or `false`.
    Flag,
    /// `on` or `off`, or `true` or `false`.
    Switch,
    /// A whole number in a range.
    Whole(i64, i64),
    /// A number above zero.
    Number,
    /// `10m`
    Duration,
    /// `512m`
    Size,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Nothing, or `{}`.
    Empty,
    /// A list.
    List(&'static Shape),
    /// One, or a list.
    OneOrMany(&'static Shape),
    /// A map from names to this.
    Map(&'static Shape),
    /// A map with these keys.
    Object(&'static Table),
    /// One of several forms.
    AnyOf(&'static [Shape]),
}

impl Table {
    /// The key of that name.
    pub(crate) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// What is known about a key that is not ours.
    pub(crate) fn foreign(&self, name: &str) -> Option<Foreign> {
        let snake = name.replace('-', "_");
        self.foreign
            .iter()
            .find(|(key, _)| *key == name || *key == snake)
            .map(|(_, verdict)| *verdict)
    }
}

const fn key(name: &'static str, shape: Shape, about: &'static str) -> Key {
    Key {
        name,
        shape,
        about,
        required: false,
    }
}

const fn required(name: &'static str, shape: Shape, about: &'static str) -> Key {
    Key {
        name,
        shape,
        about,
        required: true,
    }
}
