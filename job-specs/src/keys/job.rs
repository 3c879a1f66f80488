//! Keys of jobs and their matrices; what they keep (caches, artifacts, reports) stands in `kept`.

use super::Foreign::{Hint, Ignored, Means};
use super::{
    ARTIFACT, CACHE, COMPOSE, FILE_DEFINITION, Others, REPORTS, RETRY, SERVICE, STEP, Shape, Table, WHEN, foreign, key,
    required,
};

const ENV: Shape = Shape::Map(&Shape::Scalar);
const TEXTS: Shape = Shape::List(&Shape::Text);
const CELL: Shape = Shape::Map(&Shape::Scalar);

/// A job.
pub(crate) static JOB: Table = Table {
    what: "job",
    about: "Steps that run one after the other beside their services, once for each cell of the matrix.",
    keys: &[
        key(
            "image",
            Shape::Text,
            "The image of every step that names none. Required unless every step has its own.",
        ),
        key(
            "needs",
            Shape::OneOrMany(&Shape::AnyOf(&[Shape::Name, Shape::Object(&NEED)])),
            "Jobs that must end before this one starts; `when` says how.",
        ),
        key(
            "matrix",
            Shape::AnyOf(&[Shape::Object(&MATRIX), Shape::Text]),
            "The job runs once for each cell of this matrix. It may be an output of a job that it needs: \
             `${{ needs.plan.outputs.cells }}`, in JSON.",
        ),
        key(
            "when",
            Shape::OneOrMany(&Shape::Object(&WHEN)),
            "When it runs; else it is shown as skipped. `status` is about the jobs that it needs.",
        ),
        key("env", ENV, "Environment of every step, over the file's."),
        key(
            "services",
            Shape::Map(&Shape::Object(&SERVICE)),
            "Containers that run beside the steps, by host name, in Compose's words.",
        ),
        key(
            "compose",
            Shape::AnyOf(&[Shape::Text, TEXTS, Shape::Object(&COMPOSE)]),
            "A Compose file of the repository, whose services run beside the steps; `services` goes over them.",
        ),
        key(
            "configs",
            Shape::Map(&Shape::Object(&FILE_DEFINITION)),
            "Files that services name under their `configs`.",
        ),
        key(
            "secrets",
            Shape::Map(&Shape::Object(&FILE_DEFINITION)),
            "Files that services name under their `secrets`. Steps name the repository's secrets themselves.",
        ),
        required(
            "steps",
            Shape::List(&Shape::AnyOf(&[Shape::Script, Shape::Object(&STEP)])),
            "What runs, in order. A text is a script.",
        ),
        key(
            "timeout",
            Shape::Duration,
            "The job may take this long, steps and services together. Default: 1h.",
        ),
        key(
            "resources",
            Shape::Object(&RESOURCES),
            "Limits of each step's container.",
        ),
        key(
            "allow_failure",
            Shape::Flag,
            "A failure of this job does not fail the build.",
        ),
        key(
            "cache",
            Shape::OneOrMany(&Shape::Object(&CACHE)),
            "Folders that are kept from one build to the next.",
        ),
        key(
            "artifacts",
            Shape::OneOrMany(&Shape::Object(&ARTIFACT)),
            "Files that are kept with the build.",
        ),
        key(
            "reports",
            Shape::Object(&REPORTS),
            "Test reports that are read when the steps are over.",
        ),
        key(
            "retry",
            RETRIES,
            "How often the job is attempted again; without `on` after `infrastructure` alone.",
        ),
        key(
            "hold_on_failure",
            Shape::Duration,
            "After a failure, containers and services stay for this time, at most 24h, so that `drover shell` can enter.",
        ),
        key(
            "runs_on",
            Shape::Map(&Shape::Scalar),
            "Labels that its agent must have: `{arch: arm64}`.",
        ),
        key(
            "idempotent",
            Shape::Flag,
            "With false the job is never attempted again by itself. Default: true.",
        ),
        key(
            "network",
            Shape::Choice(&["none"]),
            "With none its steps reach no network at all, services included.",
        ),
    ],
    foreign: foreign::IN_A_JOB,
    others: Others::Refused,
};

const RETRIES: Shape = Shape::AnyOf(&[Shape::Whole(0, 10), Shape::Object(&RETRY)]);

/// The map form of an item of `needs`.
pub(crate) static NEED: Table = Table {
    what: "`needs`",
    about: "A job that must end first.",
    keys: &[
        required("job", Shape::Name, "The job's name."),
        key(
            "matrix",
            Shape::Map(&Shape::Scalar),
            "Only its cells with these values count.",
        ),
        key(
            "artifacts",
            Shape::Flag,
            "Its artifacts are put into the workspace before the first step.",
        ),
    ],
    foreign: &[
        ("name", Means("job")),
        ("cell", Means("matrix")),
        ("artifact", Means("artifacts")),
        (
            "optional",
            Hint("write `when: {status: [success, failure]}` in the job that needs it"),
        ),
        ("parallel", Means("matrix")),
    ],
    others: Others::Refused,
};

/// A matrix. Any other key is an axis.
pub(crate) static MATRIX: Table = Table {
    what: "matrix",
    about: "Axes with their values; one cell for each combination.",
    keys: &[
        key(
            "include",
            Shape::List(&CELL),
            "Cells to add, or values to add to the cells that match.",
        ),
        key(
            "exclude",
            Shape::List(&CELL),
            "Cells to leave out: those that have all of an entry's values.",
        ),
        key(
            "fail_fast",
            Shape::Flag,
            "The first cell that fails cancels the others. Default: false.",
        ),
        key(
            "max_parallel",
            Shape::Whole(1, 256),
            "At most so many cells run at once.",
        ),
    ],
    foreign: &[],
    others: Others::Taken(&Shape::List(&Shape::Scalar)),
};

/// Limits.
pub(crate) static RESOURCES: Table = Table {
    what: "`resources`",
    about: "Limits of each step's container.",
    keys: &[
        key("cpus", Shape::Number, "Processors, also fractions: 0.5."),
        key("memory", Shape::Size, "Memory: 512m, 4g."),
        key("pids", Shape::Whole(1, 4_194_304), "Processes and threads."),
    ],
    foreign: &[
        ("cpu", Means("cpus")),
        ("mem", Means("memory")),
        ("ram", Means("memory")),
        ("mem_limit", Means("memory")),
        ("pids_limit", Means("pids")),
        (
            "limits",
            Hint("write `cpus`, `memory` and `pids` directly under `resources`"),
        ),
        (
            "requests",
            Ignored("an agent has slots; it does not divide its processors"),
        ),
    ],
    others: Others::Refused,
};
