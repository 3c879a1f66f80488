//! Keys of `on`, one table for each event, and of `concurrency`.

use super::Foreign::{Hint, Means};
use super::{Others, Shape, Table, key, required};

/// Every event that a build can be for.
pub(crate) const EVENTS: &[&str] = &["push", "pull_request", "tag", "schedule", "manual"];

const GLOBS: Shape = Shape::OneOrMany(&Shape::Text);
const INPUT_VALUES: Shape = Shape::Map(&Shape::Scalar);

/// The map form of `on`.
pub(crate) static ON: Table = Table {
    what: "`on`",
    about: "Events that make a build.",
    keys: &[
        key(
            "push",
            Shape::AnyOf(&[Shape::Empty, Shape::Object(&PUSH)]),
            "A branch was pushed.",
        ),
        key(
            "pull_request",
            Shape::AnyOf(&[Shape::Empty, Shape::Object(&PULL_REQUEST)]),
            "A pull request was opened or got a new commit.",
        ),
        key(
            "tag",
            Shape::AnyOf(&[Shape::Empty, Shape::Object(&TAG)]),
            "A tag was pushed.",
        ),
        key(
            "schedule",
            Shape::AnyOf(&[Shape::Empty, Shape::OneOrMany(&Shape::Object(&SCHEDULE))]),
            "A time of a schedule has come.",
        ),
        key(
            "manual",
            Shape::AnyOf(&[Shape::Empty, Shape::Object(&MANUAL)]),
            "Somebody asked for it.",
        ),
    ],
    foreign: &[
        ("cron", Means("schedule")),
        ("merge_request", Means("pull_request")),
        ("merge_requests", Means("pull_request")),
        ("workflow_dispatch", Means("manual")),
        ("release", Means("tag")),
        ("web", Means("manual")),
    ],
    others: Others::Refused,
};

const PATHS: &str = "A changed path matches one of these globs; `!` leaves out again, the last match counts.";
const PATHS_IGNORE: &str = "Changes of these paths alone make no build.";

/// Filters of pushes.
pub(crate) static PUSH: Table = Table {
    what: "`push`",
    about: "Which pushes make a build; all keys must hold.",
    keys: &[
        key(
            "branches",
            GLOBS,
            "The branch matches one of these globs; `!` leaves out again, the last match counts.",
        ),
        key("branches_ignore", GLOBS, "Branches that make no build."),
        key(
            "tags",
            GLOBS,
            "Tags that make a build too, as under `tag`. Without `branches`, pushes of branches then make none.",
        ),
        key("paths", GLOBS, PATHS),
        key("paths_ignore", GLOBS, PATHS_IGNORE),
    ],
    foreign: &[
        ("branch", Means("branches")),
        ("tag", Means("tags")),
        ("path", Means("paths")),
        ("changes", Means("paths")),
        ("tags_ignore", Hint("write `tags: [\"!v0.*\"]`")),
    ],
    others: Others::Refused,
};

/// Filters of tags.
pub(crate) static TAG: Table = Table {
    what: "`tag`",
    about: "Which tags make a build.",
    keys: &[key("tags", GLOBS, "The tag matches one of these globs.")],
    foreign: &[
        ("tag", Means("tags")),
        ("names", Means("tags")),
        ("branches", Hint("a tag has no branch")),
        ("paths", Hint("a tag changes no paths")),
    ],
    others: Others::Refused,
};

/// Filters of pull requests.
pub(crate) static PULL_REQUEST: Table = Table {
    what: "`pull_request`",
    about: "Which pull requests make a build; all keys must hold.",
    keys: &[
        key("branches", GLOBS, "The branch that it wants to go into matches."),
        key("branches_ignore", GLOBS, "Branches to go into that make no build."),
        key("paths", GLOBS, PATHS),
        key("paths_ignore", GLOBS, PATHS_IGNORE),
    ],
    foreign: &[
        ("branch", Means("branches")),
        ("base", Means("branches")),
        ("target_branches", Means("branches")),
        ("path", Means("paths")),
        ("changes", Means("paths")),
        (
            "types",
            Hint("a build is made when it is opened and for each new commit"),
        ),
    ],
    others: Others::Refused,
};

/// One schedule.
pub(crate) static SCHEDULE: Table = Table {
    what: "`schedule`",
    about: "Times at which a build of the default branch is made.",
    keys: &[
        required("cron", Shape::Name, "Minute, hour, day, month, weekday: `0 2 * * *`."),
        key("timezone", Shape::Name, "Of which clock: `Europe/Paris`. Default: UTC."),
        key(
            "missed",
            Shape::Choice(&["run_once", "skip"]),
            "Times that passed while nobody was there: run_once (default) makes one build for all of them.",
        ),
        key("inputs", INPUT_VALUES, "Values of `on.manual.inputs` for its builds."),
    ],
    foreign: &[
        ("schedule", Means("cron")),
        ("time", Means("cron")),
        ("tz", Means("timezone")),
        ("time_zone", Means("timezone")),
        ("zone", Means("timezone")),
        ("branch", Hint("a schedule builds the default branch")),
    ],
    others: Others::Refused,
};

/// Builds by hand.
pub(crate) static MANUAL: Table = Table {
    what: "`manual`",
    about: "Builds that somebody asks for.",
    keys: &[key(
        "inputs",
        Shape::Map(&Shape::AnyOf(&[Shape::Empty, Shape::Object(&INPUT)])),
        "What the person is asked, by name: `${{ inputs.name }}`, `$DROVER_INPUT_NAME`.",
    )],
    foreign: &[("input", Means("inputs")), ("parameters", Means("inputs"))],
    others: Others::Refused,
};

/// One input.
pub(crate) static INPUT: Table = Table {
    what: "input",
    about: "A value that the person gives.",
    keys: &[
        key(
            "type",
            Shape::Choice(&["text", "flag", "number", "choice"]),
            "What it takes. Default: choice with `options`, else text.",
        ),
        key("options", Shape::List(&Shape::Scalar), "The values of a choice."),
        key(
            "default",
            Shape::Scalar,
            "Taken when nothing is given, and by other events.",
        ),
        key("required", Shape::Flag, "It must be given."),
        key("description", Shape::Name, "For people."),
    ],
    foreign: &[
        ("kind", Means("type")),
        ("choices", Means("options")),
        ("values", Means("options")),
        ("about", Means("description")),
        ("value", Means("default")),
    ],
    others: Others::Refused,
};

/// `concurrency`.
pub(crate) static CONCURRENCY: Table = Table {
    what: "`concurrency`",
    about: "How builds of one group share the road.",
    keys: &[
        required(
            "group",
            Shape::Text,
            "Builds with the same text are one group: `${{ git.branch }}`.",
        ),
        key(
            "mode",
            Shape::Choice(&["queue", "latest", "cancel"]),
            "queue (default): one after the other. latest: of those that wait only the newest stays. cancel: a new one \
             stops the older ones.",
        ),
    ],
    foreign: &[
        ("cancel_in_progress", Hint("write `mode: cancel`")),
        ("name", Means("group")),
        ("key", Means("group")),
        ("strategy", Means("mode")),
        ("policy", Means("mode")),
    ],
    others: Others::Refused,
};
