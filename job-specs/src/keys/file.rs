//! Keys of the whole file.

use super::Foreign::{Hint, Means};
use super::{CONCURRENCY, EVENTS, JOB, ON, Others, Shape, Table, key, required};

const EVENT: Shape = Shape::Choice(EVENTS);
const ENV: Shape = Shape::Map(&Shape::Scalar);

/// The file itself.
pub(crate) static FILE: Table = Table {
    what: "file",
    about: "A job file of Drover: `.drover.yml`, or one of `.drover/*.yml`.",
    keys: &[
        key(
            "on",
            Shape::AnyOf(&[EVENT, Shape::List(&EVENT), Shape::Object(&ON)]),
            "The events that make a build. Without it: push, pull_request, tag and manual.",
        ),
        key(
            "concurrency",
            Shape::AnyOf(&[Shape::Text, Shape::Object(&CONCURRENCY)]),
            "Builds of one group share the road. A text is the group.",
        ),
        key("env", ENV, "Environment of every step of every job."),
        required("jobs", Shape::Map(&Shape::Object(&JOB)), "The jobs, by name."),
    ],
    foreign: &[
        (
            "inputs",
            Hint("inputs belong to builds by hand: `on: {manual: {inputs: {…}}}`"),
        ),
        ("environment", Means("env")),
        ("variables", Means("env")),
        (
            "steps",
            Hint("steps belong to a job: `jobs: {test: {image: …, steps: […]}}`"),
        ),
        (
            "pipeline",
            Hint("steps belong to a job: `jobs: {test: {image: …, steps: […]}}`"),
        ),
        (
            "services",
            Hint("services belong to a job: `jobs: {test: {image: …, services: {…}}}`"),
        ),
        (
            "matrix",
            Hint("a matrix belongs to a job: `jobs: {test: {image: …, matrix: {…}}}`"),
        ),
        (
            "image",
            Hint("an image belongs to a job or a step: `jobs: {test: {image: …}}`"),
        ),
        (
            "stages",
            Hint("there are no stages: a job starts the moment its own `needs` have passed"),
        ),
        ("workflow", Hint("write the events under `on:`")),
        ("when", Hint("write the events under `on:`")),
        ("version", Hint("remove it; the file needs no version")),
        ("name", Hint("remove it; a build is named by its repository and number")),
        (
            "defaults",
            Hint("set `image` and `env` in the job; an anchor (`&name`, `*name`) saves repetition"),
        ),
        (
            "include",
            Hint("put several files into the folder `.drover/`; they are read as one"),
        ),
    ],
    others: Others::Extensions,
};
