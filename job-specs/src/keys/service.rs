//! Keys of services: Compose's own, and ours (`ready`, `run_once`, `allow_failure`, `gate`).

use super::Foreign::{Ignored, Means};
use super::{
    BUILD, DEPLOY, ENV_FILE, FILE_MOUNT, MAX_SCALE, NETWORK, Others, PORT, Shape, Table, ULIMIT, VOLUME, foreign, key,
    required,
};

const TEXTS: Shape = Shape::List(&Shape::Text);
const WORDS: Shape = Shape::AnyOf(&[Shape::Text, TEXTS]);
const CONDITIONS: &[&str] = &["service_started", "service_healthy", "service_completed_successfully"];
const TCP: Shape = Shape::Whole(1, 65_535);
const PAIRS: Shape = Shape::AnyOf(&[Shape::Map(&Shape::Scalar), TEXTS]);
const FILES: Shape = Shape::List(&Shape::AnyOf(&[Shape::Name, Shape::Object(&FILE_MOUNT)]));

/// A service.
pub(crate) static SERVICE: Table = Table {
    what: "service",
    about: "A container beside the steps, reached by its name.",
    keys: &[
        key("image", Shape::Text, "The image; with `build`, the name that it gets."),
        key(
            "build",
            Shape::AnyOf(&[Shape::Text, Shape::Object(&BUILD)]),
            "Makes the image from a Dockerfile: a folder of the repository, or a map.",
        ),
        key("environment", PAIRS, "Its environment: a map, or a list of NAME=value."),
        key(
            "env_file",
            Shape::OneOrMany(&Shape::AnyOf(&[Shape::Text, Shape::Object(&ENV_FILE)])),
            "Files of the repository with NAME=value lines; `environment` goes over them.",
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
            "How to see that it is ready. Default: its healthcheck or its image's once a port is open, any port, running.",
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
        key(
            "networks",
            Shape::AnyOf(&[
                Shape::List(&Shape::Name),
                Shape::Map(&Shape::AnyOf(&[Shape::Empty, Shape::Object(&NETWORK)])),
            ]),
            "All services of a job share one network; only `aliases` count.",
        ),
        key(
            "hostname",
            Shape::Text,
            "What the container calls itself. Default: its key.",
        ),
        key("expose", Shape::List(&Shape::Scalar), "Ports that it serves."),
        key(
            "ports",
            Shape::List(&Shape::AnyOf(&[Shape::Scalar, Shape::Object(&PORT)])),
            "Ports that it serves. Nothing is published on the host: steps reach `db:5432`.",
        ),
        key(
            "volumes",
            Shape::List(&Shape::AnyOf(&[Shape::Text, Shape::Object(&VOLUME)])),
            "Volumes by name, nameless ones, and paths of the repository: data:/data, ./conf:/etc/app:ro.",
        ),
        key("configs", FILES, "Files that are there when it starts."),
        key("secrets", FILES, "Secrets as files under /run/secrets."),
        key("cap_add", TEXTS, "Capabilities beyond the usual ones."),
        key("cap_drop", TEXTS, "Capabilities less than the usual ones; ALL for all."),
        key(
            "security_opt",
            TEXTS,
            "no-new-privileges, or seccomp=FILE with a file of the repository.",
        ),
        key("read_only", Shape::Flag, "Its root file system cannot be written."),
        key("working_dir", Shape::Text, "Its working folder. Default: the image's."),
        key("init", Shape::Flag, "Read over: the gate does what an init does."),
        key("labels", PAIRS, "Labels of its container."),
        key(
            "links",
            TEXTS,
            "Services that must run before it starts; `service:alias` gives one a further host name.",
        ),
        key(
            "profiles",
            Shape::List(&Shape::Text),
            "It runs only when one of these is chosen by the job's `compose.profiles`.",
        ),
        key("scale", Shape::Whole(0, MAX_SCALE), "How many containers. Default: 1."),
        key(
            "stop_signal",
            Shape::Scalar,
            "The signal that asks it to end. Default: SIGTERM.",
        ),
        key(
            "stop_grace_period",
            Shape::Duration,
            "Time from that signal to its end by force.",
        ),
        key(
            "ulimits",
            Shape::Map(&Shape::AnyOf(&[Shape::Whole(-1, i64::MAX), Shape::Object(&ULIMIT)])),
            "Limits of its processes: nofile, memlock, ….",
        ),
        key("cpus", Shape::Number, "Processors, also fractions: 0.5."),
        key(
            "pids_limit",
            Shape::Whole(-1, 4_194_304),
            "Processes and threads; -1: no limit of its own.",
        ),
        key("shm_size", Shape::Size, "Size of /dev/shm: 256m."),
        key("sysctls", PAIRS, "Kernel settings of its own network and IPC."),
        key(
            "extra_hosts",
            Shape::AnyOf(&[TEXTS, Shape::Map(&Shape::OneOrMany(&Shape::Text))]),
            "Further lines of its /etc/hosts: name=address.",
        ),
        key("dns", Shape::OneOrMany(&Shape::Text), "Addresses of its name servers."),
        key("dns_search", Shape::OneOrMany(&Shape::Text), "Domains that are tried."),
        key("dns_opt", TEXTS, "Options of its resolver."),
        key("platform", Shape::Text, "The image's platform: linux/amd64."),
        key(
            "pull_policy",
            Shape::Text,
            "When its image is fetched: missing (default), always, never or build.",
        ),
        key(
            "restart",
            Shape::Scalar,
            "What happens when it ends: no (default), always, unless-stopped, on-failure[:times].",
        ),
        key(
            "deploy",
            Shape::Object(&DEPLOY),
            "Only `resources.limits` and `replicas` are read.",
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
            "Between two probes. Default: 30s; at once when an exposed port takes connections.",
        ),
        key(
            "timeout",
            Shape::Duration,
            "One probe may take this long. Default: 30s.",
        ),
        key(
            "retries",
            Shape::Whole(0, 1000),
            "Failures in a row that make it unhealthy, and end the wait for it. Default: 3, and at least 60s.",
        ),
        key(
            "start_period",
            Shape::Duration,
            "Failures in this time do not count. Default: 0s.",
        ),
        key(
            "start_interval",
            Shape::Duration,
            "Between two probes until the first success. Default: 5s, or the interval if that is shorter.",
        ),
        key(
            "disable",
            Shape::Flag,
            "true: the image's own health check is not used.",
        ),
    ],
    foreign: &[
        ("cmd", Means("test")),
        ("command", Means("test")),
        ("period", Means("interval")),
    ],
    others: Others::Extensions,
};

/// The map form of one dependency.
pub(crate) static DEPENDENCY: Table = Table {
    what: "`depends_on`",
    about: "What must be so before the service starts.",
    keys: &[
        key("condition", Shape::Choice(CONDITIONS), "Default: service_started."),
        key(
            "required",
            Shape::Flag,
            "false: it may be missing, or not get so far. Default: true.",
        ),
    ],
    foreign: &[("restart", Ignored("a service is not restarted because another one is"))],
    others: Others::Extensions,
};

/// Our `ready`.
pub(crate) static READY: Table = Table {
    what: "`ready`",
    about: "How to see that a service is ready: one of tcp, http, log, cmd and docker.",
    keys: &[
        key("tcp", TCP, "A connection to this port is taken."),
        key(
            "http",
            Shape::AnyOf(&[TCP, Shape::Text, Shape::Object(&HTTP)]),
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
        required("port", TCP, "The port."),
        key("path", Shape::Text, "The path. Default: /."),
    ],
    foreign: &[],
    others: Others::Refused,
};
