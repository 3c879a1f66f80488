//! Keys of steps, their conditions, their secrets and the images that they build.

use super::Foreign::{Hint, Means};
use super::{BUILD, EVENTS, Others, RETRY, Shape, Table, foreign, key, required};

const ENV: Shape = Shape::Map(&Shape::Scalar);
const TEXTS: Shape = Shape::List(&Shape::Text);
const GLOBS: Shape = Shape::OneOrMany(&Shape::Text);
const STATUS: Shape = Shape::OneOrMany(&Shape::Choice(&["success", "failure", "always"]));

/// A step.
pub(crate) static STEP: Table = Table {
    what: "step",
    about: "One script, or one program, in a throwaway container of its own with the workspace at /workspace.",
    keys: &[
        key(
            "name",
            Shape::Text,
            "How the step is called. Default: the script's first line.",
        ),
        key(
            "run",
            Shape::Script,
            "A script for the shell. Values come as environment variables, never as `${{ }}`.",
        ),
        key(
            "entrypoint",
            Shape::AnyOf(&[Shape::Text, TEXTS]),
            "A program and its arguments, run without a shell.",
        ),
        key(
            "shell",
            Shape::Choice(&["sh", "bash"]),
            "The shell of `run`: `sh -e` (default) or `bash -e -o pipefail`.",
        ),
        key(
            "image",
            Shape::AnyOf(&[Shape::Text, Shape::Object(&IMAGE)]),
            "The image. Default: the job's. A map, without `run`, makes the step build an image.",
        ),
        key("env", ENV, "Environment of this step, over the job's."),
        key("workdir", Shape::Text, "Working folder, from /workspace."),
        key(
            "user",
            Shape::Scalar,
            "`user`, `uid` or `uid:gid`. Default: the image's.",
        ),
        key(
            "secrets",
            Shape::OneOrMany(&Shape::AnyOf(&[Shape::Name, Shape::Object(&SECRET)])),
            "Secrets that this step gets, as environment variables or as files.",
        ),
        key("timeout", Shape::Duration, "The step may take this long."),
        key(
            "retry",
            Shape::AnyOf(&[Shape::Whole(0, 10), Shape::Object(&RETRY)]),
            "How often the step is tried again; without `on` after any failure.",
        ),
        key(
            "when",
            Shape::OneOrMany(&Shape::Object(&WHEN)),
            "When it runs; else it is shown as skipped. `status` is about the steps before it.",
        ),
        key(
            "allow_failure",
            Shape::Flag,
            "A failure of this step does not fail the job.",
        ),
    ],
    foreign: foreign::IN_A_STEP,
    others: Others::Refused,
};

/// A condition.
pub(crate) static WHEN: Table = Table {
    what: "`when`",
    about: "A condition: all of its keys must hold. A list of conditions means that one of them is enough.",
    keys: &[
        key(
            "event",
            Shape::OneOrMany(&Shape::Choice(EVENTS)),
            "The build is for one of these events.",
        ),
        key(
            "branch",
            GLOBS,
            "The build's branch matches; for a pull request the one that is to be merged.",
        ),
        key("tag", GLOBS, "The build is for a tag that matches."),
        key(
            "paths",
            GLOBS,
            "A changed path matches. Nothing to compare with counts as changed.",
        ),
        key(
            "matrix",
            Shape::Map(&Shape::OneOrMany(&Shape::Scalar)),
            "The cell's values match: `{postgres: [\"15\", \"17\"]}`.",
        ),
        key(
            "status",
            STATUS,
            "How all went before: success (default), failure after something failed, always for both.",
        ),
    ],
    foreign: &[
        ("events", Means("event")),
        ("branches", Means("branch")),
        ("tags", Means("tag")),
        ("path", Means("paths")),
        ("changes", Means("paths")),
        ("ref", Hint("write `branch` or `tag`")),
        ("repo", Hint("a job file belongs to one repository")),
        (
            "cron",
            Hint("write `event: schedule`; schedules can have inputs of their own"),
        ),
    ],
    others: Others::Refused,
};

/// The map form of an item of `secrets`.
pub(crate) static SECRET: Table = Table {
    what: "`secrets`",
    about: "A secret, and how the step gets it: as an environment variable of its own name unless it says otherwise.",
    keys: &[
        required("name", Shape::Name, "The secret's name in the repository."),
        key("env", Shape::Name, "The environment variable that has it."),
        key(
            "file",
            Shape::Name,
            "The file that has it: an absolute path. Only the step's user can read it, and it is never on a disk.",
        ),
    ],
    foreign: &[
        ("source", Means("name")),
        ("secret", Means("name")),
        ("from_secret", Means("name")),
        ("target", Means("env")),
        ("as", Means("env")),
        ("path", Means("file")),
        ("mount", Means("file")),
    ],
    others: Others::Refused,
};

/// The map form of a step's `image`: it builds one.
pub(crate) static IMAGE: Table = Table {
    what: "`image`",
    about: "An image that the step builds, names and perhaps pushes.",
    keys: &[
        required(
            "build",
            Shape::AnyOf(&[Shape::Text, Shape::Object(&BUILD)]),
            "From what: a folder of the workspace, or a map as in Compose.",
        ),
        required(
            "tags",
            Shape::OneOrMany(&Shape::Text),
            "Its names, with the registry: `registry.example/app:1.2`.",
        ),
        key(
            "push",
            Shape::Flag,
            "Pushes every name to its registry. Default: false.",
        ),
        key("login", Shape::Object(&LOGIN), "Who pushes."),
    ],
    foreign: &[
        ("tag", Means("tags")),
        ("name", Means("tags")),
        ("repo", Means("tags")),
        ("context", Means("build")),
        ("credentials", Means("login")),
        ("dockerfile", Hint("write `build: {context: ., dockerfile: …}`")),
        ("args", Hint("write `build: {context: ., args: {…}}`")),
    ],
    others: Others::Refused,
};

/// Who pushes an image.
pub(crate) static LOGIN: Table = Table {
    what: "`login`",
    about: "Credentials of a registry.",
    keys: &[
        required("user", Shape::Text, "The user's name."),
        required("secret", Shape::Name, "The secret that holds the password or token."),
    ],
    foreign: &[
        ("username", Means("user")),
        ("name", Means("user")),
        ("password", Means("secret")),
        ("token", Means("secret")),
    ],
    others: Others::Refused,
};
