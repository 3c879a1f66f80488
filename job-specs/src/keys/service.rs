//! Keys of services: Compose's own, and ours (`ready`, `run_once`, `allow_failure`, `gate`).

use super::Foreign::{Ignored, Later, Means};
use super::{Others, Shape, Table, foreign, key, required};

const TEXTS: Shape = Shape::List(&Shape::Text);
const WORDS: Shape = Shape::AnyOf(&[Shape::Text, TEXTS]);
const CONDITIONS: &[&str] = &["service_started", "service_healthy", "service_completed_successfully"];
const PORT: Shape = Shape::Whole(1, 65_535);

/// A service.
pub(crate) static SERVICE: Table = Table {
    what: "service",
    about: "A container beside the steps, reached by its name.",
    keys: &[
        required("image", Shape::Text, "The image."),
        key(
            "environment",
            Shape::AnyOf(&[Shape::Map(&Shape::Scalar), TEXTS]),
            "Its environment: a map, or a list of NAME=value.",
        ),
        key(
            "command",
            WORDS,
            "Replaces the image's CMD. A text is split into words as a shell would.",
        ),
        key(
            "entrypoint",
            WORDS,
            "Replaces the image's ENTRYPOINT, and drops its CMD.",
        ),
        key("healthcheck", Shape::Object(&HEALTHCHECK), "How to see that it works."),
        key(
            "depends_on",
            Shape::AnyOf(&[Shape::List(&Shape::Name), Shape::Map(&Shape::Object(&DEPENDENCY))]),
            "Services that must run, be healthy or have ended before this one starts.",
        ),
        key(
            "tmpfs",
            Shape::OneOrMany(&Shape::Text),
            "Folders in memory: /tmp, or /data:size=64m.",
        ),
        key(
            "user",
            Shape::Scalar,
            "`user`, `uid` or `uid:gid`. Default: the image's.",
        ),
        key("mem_limit", Shape::Size, "Memory: 512m, 2g."),
        key(
            "ready",
            Shape::Object(&READY),
            "How to see that it is ready. Default: healthcheck, the image's HEALTHCHECK, its first port, running.",
        ),
        key(
            "run_once",
            Shape::Flag,
            "It is a task: ready when it has ended with exit code 0.",
        ),
        key("allow_failure", Shape::Flag, "Its death does not fail the job."),
        key(
            "gate",
            Shape::Switch,
            "off: run it as the container's first process. Default: on.",
        ),
    ],
    foreign: foreign::IN_A_SERVICE,
    others: Others::Extensions,
};

/// Compose's `healthcheck`.
pub(crate) static HEALTHCHECK: Table = Table {
    what: "`healthcheck`",
    about: "Compose's health check.",
    keys: &[
        key(
            "test",
            WORDS,
            "A text for a shell, or a list that begins with CMD, CMD-SHELL or NONE.",
        ),
        key(
            "interval",
            Shape::Duration,
            "Between two probes. Default: 30s; while it starts, every 50ms.",
        ),
        key(
            "timeout",
            Shape::Duration,
            "One probe may take this long. Default: 30s.",
        ),
        key(
            "retries",
            Shape::Whole(1, 1000),
            "Failures in a row that make it unhealthy. Default: 3.",
        ),
        key(
            "start_period",
            Shape::Duration,
            "Failures in this time do not count. Default: 0s.",
        ),
        key(
            "disable",
            Shape::Flag,
            "true: the image's own health check is not used.",
        ),
    ],
    foreign: &[
        (
            "start_interval",
            Ignored("a starting service is probed every 50ms anyway"),
        ),
        ("cmd", Means("test")),
        ("command", Means("test")),
        ("period", Means("interval")),
    ],
    others: Others::Refused,
};

/// The map form of one dependency.
pub(crate) static DEPENDENCY: Table = Table {
    what: "`depends_on`",
    about: "What must be so before the service starts.",
    keys: &[key("condition", Shape::Choice(CONDITIONS), "Default: service_started.")],
    foreign: &[("restart", Ignored("services are not restarted")), ("required", Later)],
    others: Others::Refused,
};

/// Our `ready`.
pub(crate) static READY: Table = Table {
    what: "`ready`",
    about: "How to see that a service is ready: one of tcp, http, log, cmd and docker.",
    keys: &[
        key("tcp", PORT, "A connection to this port is taken."),
        key(
            "http",
            Shape::AnyOf(&[PORT, Shape::Text, Shape::Object(&HTTP)]),
            "A GET answers 200 to 399: 8080, 8080/health, or a map of port and path.",
        ),
        key("log", Shape::Text, "A line of its log matches this regular expression."),
        key("cmd", WORDS, "This command exits with 0 inside the service."),
        key("docker", Shape::Flag, "true: the health check says healthy."),
        key(
            "timeout",
            Shape::Duration,
            "The job fails when it is not ready by then. Default: 60s.",
        ),
    ],
    foreign: &[
        ("port", Means("tcp")),
        ("url", Means("http")),
        ("command", Means("cmd")),
        ("test", Means("cmd")),
        ("regex", Means("log")),
        ("healthcheck", Means("docker")),
    ],
    others: Others::Refused,
};

/// The map form of `ready.http`.
pub(crate) static HTTP: Table = Table {
    what: "`http`",
    about: "A GET inside the job's network.",
    keys: &[
        required("port", PORT, "The port."),
        key("path", Shape::Text, "The path. Default: /."),
    ],
    foreign: &[],
    others: Others::Refused,
};
