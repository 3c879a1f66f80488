//! Keys of jobs, their matrices and their steps.

use super::Foreign::{Hint, Ignored, Later, Means};
use super::{COMPOSE, FILE_DEFINITION, Others, SERVICE, Shape, Table, foreign, key, required};

const ENV: Shape = Shape::Map(&Shape::Scalar);
const TEXTS: Shape = Shape::List(&Shape::Text);
const STATUS: Shape = Shape::OneOrMany(&Shape::Choice(&["success", "failure"]));
const CELL: Shape = Shape::Map(&Shape::Scalar);

/// A job.
pub(crate) static JOB: Table = Table {
    what: "job",
    about: "Steps that run one after the other beside their services, once for each cell of the matrix.",
    keys: &[
        required("image", Shape::Text, "The image of every step that names none."),
        key(
            "needs",
            Shape::OneOrMany(&Shape::Name),
            "Jobs that must pass before this one starts.",
        ),
        key(
            "matrix",
            Shape::Object(&MATRIX),
            "The job runs once for each cell of this matrix.",
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
    ],
    foreign: foreign::IN_A_JOB,
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
        key("image", Shape::Text, "The image. Default: the job's."),
        key("env", ENV, "Environment of this step, over the job's."),
        key("workdir", Shape::Text, "Working folder, from /workspace."),
        key(
            "user",
            Shape::Scalar,
            "`user`, `uid` or `uid:gid`. Default: the image's.",
        ),
        key(
            "secrets",
            Shape::OneOrMany(&Shape::Name),
            "Secrets that this step gets as environment variables.",
        ),
        key("timeout", Shape::Duration, "The step may take this long."),
        key("when", Shape::OneOrMany(&Shape::Object(&WHEN)), "When it runs."),
        key(
            "allow_failure",
            Shape::Flag,
            "A failure of this step does not fail the job.",
        ),
    ],
    foreign: foreign::IN_A_STEP,
    others: Others::Refused,
};

/// The condition of a step.
pub(crate) static WHEN: Table = Table {
    what: "`when`",
    about: "A condition; a list of conditions means that one of them is enough.",
    keys: &[key(
        "status",
        STATUS,
        "How the job stands: success (default) while all went well, failure after something failed.",
    )],
    foreign: &[
        ("event", Later),
        ("branch", Later),
        ("tag", Later),
        ("ref", Later),
        ("paths", Later),
        ("path", Later),
        ("matrix", Later),
        ("repo", Hint("a job file belongs to one repository")),
    ],
    others: Others::Refused,
};
