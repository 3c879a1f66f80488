//! Keys of the maps inside a service (`build`, `volumes`, `deploy`, …), of a Compose file's own top level, and of the
//! job's `compose:` that takes services from one.

use super::Foreign::{Hint, Ignored, Later, Means, Refused};
use super::{Others, SERVICE, Shape, Table, key, required};

const TEXTS: Shape = Shape::List(&Shape::Text);
const PAIRS: Shape = Shape::AnyOf(&[Shape::Map(&Shape::Scalar), TEXTS]);

/// The job's `compose`.
pub(crate) static COMPOSE: Table = Table {
    what: "`compose`",
    about: "Services that are taken from Compose files of the repository.",
    keys: &[
        required(
            "file",
            Shape::OneOrMany(&Shape::Text),
            "The Compose file, from the repository's root; of several, later ones override earlier ones.",
        ),
        key(
            "profiles",
            Shape::OneOrMany(&Shape::Text),
            "Profiles whose services run too; \"*\" for all.",
        ),
        key(
            "services",
            Shape::OneOrMany(&Shape::Text),
            "Only these services, and those that they depend on.",
        ),
    ],
    foreign: &[
        ("files", Means("file")),
        ("path", Means("file")),
        ("profile", Means("profiles")),
        ("service", Means("services")),
        ("env", Hint("variables of a Compose file come from the job's `env`")),
        (
            "environment",
            Hint("variables of a Compose file come from the job's `env`"),
        ),
        (
            "env_file",
            Hint("variables of a Compose file come from the job's `env`, and from `.env` beside it"),
        ),
    ],
    others: Others::Refused,
};

/// A Compose file's top level.
pub(crate) static COMPOSE_FILE: Table = Table {
    what: "Compose file",
    about: "A Compose file of the repository.",
    keys: &[
        key(
            "name",
            Shape::Text,
            "The project's name; `COMPOSE_PROJECT_NAME` in the file.",
        ),
        key("version", Shape::Scalar, "Read over."),
        key("services", Shape::Map(&Shape::Object(&SERVICE)), "The services."),
        key(
            "networks",
            Shape::Map(&Shape::Object(&NETWORK_DEFINITION)),
            "Its networks; here they are one.",
        ),
        key(
            "volumes",
            Shape::Map(&Shape::Object(&VOLUME_DEFINITION)),
            "Its volumes.",
        ),
        key("configs", Shape::Map(&Shape::Object(&FILE_DEFINITION)), "Its configs."),
        key("secrets", Shape::Map(&Shape::Object(&FILE_DEFINITION)), "Its secrets."),
        key("include", TEXTS, "Compose files that belong to it."),
    ],
    foreign: &[
        ("models", Ignored("models are not run here")),
        ("service", Means("services")),
        ("volume", Means("volumes")),
        ("network", Means("networks")),
    ],
    others: Others::Extensions,
};

/// One item of `include`.
pub(crate) static INCLUDE: Table = Table {
    what: "`include`",
    about: "A Compose file that belongs to another.",
    keys: &[
        required("path", Shape::OneOrMany(&Shape::Text), "The file."),
        key(
            "env_file",
            Shape::OneOrMany(&Shape::Text),
            "Its variables. Default: `.env` of its folder.",
        ),
        key(
            "project_directory",
            Shape::Text,
            "What its paths are relative to. Default: its folder.",
        ),
    ],
    foreign: &[("file", Means("path"))],
    others: Others::Refused,
};

/// `extends` of a service.
pub(crate) static EXTENDS: Table = Table {
    what: "`extends`",
    about: "Another service that this one is built upon.",
    keys: &[
        required("service", Shape::Text, "Its name."),
        key("file", Shape::Text, "Its file. Default: this one."),
    ],
    foreign: &[],
    others: Others::Refused,
};

/// Top-level `networks`.
pub(crate) static NETWORK_DEFINITION: Table = Table {
    what: "network",
    about: "A network of a Compose file.",
    keys: &[
        key("name", Shape::Text, "Read over."),
        key("external", Shape::Flag, "Refused when it is true."),
        key("driver", Shape::Text, "Read over."),
        key("driver_opts", Shape::Map(&Shape::Scalar), "Read over."),
        key("ipam", Shape::Map(&Shape::Scalar), "Read over."),
        key("internal", Shape::Flag, "Read over."),
        key("attachable", Shape::Flag, "Read over."),
        key("enable_ipv4", Shape::Flag, "Read over."),
        key("enable_ipv6", Shape::Flag, "Read over."),
        key("labels", PAIRS, "Read over."),
    ],
    foreign: &[],
    others: Others::Extensions,
};

/// Top-level `volumes`.
pub(crate) static VOLUME_DEFINITION: Table = Table {
    what: "volume",
    about: "A volume of a Compose file.",
    keys: &[
        key("name", Shape::Text, "Read over."),
        key("external", Shape::Flag, "Refused when it is true."),
        key("driver", Shape::Text, "Read over."),
        key("labels", PAIRS, "Read over."),
    ],
    foreign: &[(
        "driver_opts",
        Ignored("a volume of a job is an empty folder of its own, gone with the job"),
    )],
    others: Others::Extensions,
};

/// One of `configs` or `secrets` of a Compose file or of a job.
pub(crate) static FILE_DEFINITION: Table = Table {
    what: "config or secret",
    about: "What a file of services holds: one of file, content, environment and, for secrets, external.",
    keys: &[
        key("file", Shape::Text, "A file of the repository."),
        key("content", Shape::Text, "The text itself."),
        key(
            "environment",
            Shape::Text,
            "The value of this variable of the job's `env`.",
        ),
        key("external", Shape::Flag, "true: the repository's secret of that name."),
        key(
            "name",
            Shape::Text,
            "The name of the repository's secret. Default: its key.",
        ),
    ],
    foreign: &[
        ("labels", Ignored("nothing reads them here")),
        ("driver", Ignored("secrets come from the repository's secrets")),
        ("driver_opts", Ignored("secrets come from the repository's secrets")),
        ("template_driver", Ignored("a file is used as it is")),
    ],
    others: Others::Extensions,
};

/// Compose's `build`.
pub(crate) static BUILD: Table = Table {
    what: "`build`",
    about: "How an image is made from a Dockerfile of the repository.",
    keys: &[
        key(
            "context",
            Shape::Text,
            "A folder of the repository. Default: all of it.",
        ),
        key("dockerfile", Shape::Text, "From the context. Default: Dockerfile."),
        key("dockerfile_inline", Shape::Text, "The Dockerfile's text itself."),
        key(
            "args",
            PAIRS,
            "Build arguments; the image's history shows them, so never secrets.",
        ),
        key("target", Shape::Text, "The stage to stop at."),
        key("labels", PAIRS, "Labels of the image."),
        key("no_cache", Shape::Flag, "Nothing of an earlier build is used."),
        key("pull", Shape::Flag, "Base images are asked for anew."),
        key("platforms", TEXTS, "The one platform to build for: linux/amd64."),
    ],
    foreign: &[
        ("cache_from", Ignored("the agent's own build cache is used")),
        ("cache_to", Ignored("the agent's own build cache is used")),
        (
            "tags",
            Ignored("the image lives as long as the job; write a step with `image:` to keep one"),
        ),
        ("network", Ignored("a build has a network of its own")),
        ("shm_size", Ignored("the engine's default is used")),
        ("ulimits", Ignored("the engine's default is used")),
        ("extra_hosts", Ignored("a build reaches no service")),
        ("isolation", Ignored("it is for Windows")),
        ("provenance", Ignored("the image lives as long as the job")),
        ("sbom", Ignored("the image lives as long as the job")),
        ("additional_contexts", Later),
        ("secrets", Later),
        ("ssh", Later),
        (
            "privileged",
            Refused("a privileged build could take over the agent's host"),
        ),
        (
            "entitlements",
            Refused("a privileged build could take over the agent's host"),
        ),
        ("file", Means("dockerfile")),
        ("path", Means("context")),
    ],
    others: Others::Extensions,
};

/// The long form of `env_file`.
pub(crate) static ENV_FILE: Table = Table {
    what: "`env_file`",
    about: "A file of NAME=value lines.",
    keys: &[
        required("path", Shape::Text, "A file of the repository."),
        key("required", Shape::Flag, "false: it may be missing."),
        key(
            "format",
            Shape::Choice(&["raw"]),
            "raw: nothing in it is replaced or unquoted.",
        ),
    ],
    foreign: &[("file", Means("path"))],
    others: Others::Refused,
};

/// The map form of `networks` of a service.
pub(crate) static NETWORK: Table = Table {
    what: "`networks`",
    about: "How a service takes part in a network.",
    keys: &[key("aliases", TEXTS, "Further host names of the service.")],
    foreign: &[
        ("ipv4_address", Ignored(ADDRESSES)),
        ("ipv6_address", Ignored(ADDRESSES)),
        ("link_local_ips", Ignored(ADDRESSES)),
        ("mac_address", Ignored(ADDRESSES)),
        ("interface_name", Ignored(ONE_NETWORK)),
        ("priority", Ignored(ONE_NETWORK)),
        ("gw_priority", Ignored(ONE_NETWORK)),
        ("driver_opts", Ignored(ONE_NETWORK)),
        ("alias", Means("aliases")),
    ],
    others: Others::Extensions,
};

const ADDRESSES: &str = "addresses are the engine's choice; a service is found by its name";
const ONE_NETWORK: &str = "all services of a job share one network";

/// The long form of `ports`.
pub(crate) static PORT: Table = Table {
    what: "`ports`",
    about: "A port of a service.",
    keys: &[
        required("target", Shape::Whole(1, 65_535), "The port in the container."),
        key(
            "published",
            Shape::Scalar,
            "Not published: steps reach the service by its name.",
        ),
        key("host_ip", Shape::Text, "Read over."),
        key("protocol", Shape::Choice(&["tcp", "udp"]), "Default: tcp."),
        key("app_protocol", Shape::Text, "Read over."),
        key("mode", Shape::Text, "Read over."),
        key("name", Shape::Text, "Read over."),
    ],
    foreign: &[("port", Means("target"))],
    others: Others::Extensions,
};

/// The long form of `volumes`.
pub(crate) static VOLUME: Table = Table {
    what: "`volumes`",
    about: "A folder of a service that something else is mounted on.",
    keys: &[
        key("type", Shape::Choice(&["volume", "bind", "tmpfs"]), "Default: volume."),
        key("source", Shape::Text, "A volume's name, or a path of the repository."),
        required("target", Shape::Text, "The folder in the container."),
        key("read_only", Shape::Flag, "It cannot be written there."),
        key("tmpfs", Shape::Object(&TMPFS), "Options of a folder in memory."),
        key("bind", Shape::Map(&Shape::Scalar), "Read over."),
        key("volume", Shape::Object(&VOLUME_OPTIONS), "Options of a volume."),
        key("consistency", Shape::Text, "Read over."),
    ],
    foreign: &[("destination", Means("target"))],
    others: Others::Extensions,
};

/// `tmpfs` of a volume.
pub(crate) static TMPFS: Table = Table {
    what: "`tmpfs`",
    about: "Options of a folder in memory.",
    keys: &[
        key("size", Shape::Size, "At most so big: 64m."),
        key("mode", Shape::Scalar, "Permission bits, in octal: \"1777\"."),
    ],
    foreign: &[],
    others: Others::Extensions,
};

/// `volume` of a volume.
pub(crate) static VOLUME_OPTIONS: Table = Table {
    what: "`volume`",
    about: "Options of a volume.",
    keys: &[
        key("nocopy", Shape::Flag, "Read over."),
        key("labels", PAIRS, "Read over."),
    ],
    foreign: &[("subpath", Later)],
    others: Others::Extensions,
};

/// The long form of `configs` and `secrets` of a service.
pub(crate) static FILE_MOUNT: Table = Table {
    what: "`configs` or `secrets`",
    about: "A file that is there when the service starts.",
    keys: &[
        required("source", Shape::Name, "The name of the config or secret."),
        key("target", Shape::Text, "Where. Default: /NAME, or /run/secrets/NAME."),
        key("uid", Shape::Scalar, "Its owner. Default: 0."),
        key("gid", Shape::Scalar, "Its group. Default: 0."),
        key("mode", Shape::Scalar, "Permission bits, in octal. Default: 0444."),
    ],
    foreign: &[("path", Means("target")), ("name", Means("source"))],
    others: Others::Extensions,
};

/// The map form of one of `ulimits`.
pub(crate) static ULIMIT: Table = Table {
    what: "`ulimits`",
    about: "The two values of a limit; -1 is unlimited.",
    keys: &[
        required("soft", Shape::Whole(-1, i64::MAX), "Where the kernel begins to refuse."),
        required("hard", Shape::Whole(-1, i64::MAX), "What the process may raise it to."),
    ],
    foreign: &[],
    others: Others::Refused,
};

/// The part of `deploy` that is read.
pub(crate) static DEPLOY: Table = Table {
    what: "`deploy`",
    about: "Compose's `deploy`: only limits and the number of containers.",
    keys: &[
        key("resources", Shape::Object(&DEPLOY_RESOURCES), "Its limits."),
        key(
            "replicas",
            Shape::Whole(0, MAX_SCALE),
            "How many containers, as `scale`.",
        ),
    ],
    foreign: &[
        ("mode", Ignored(NO_CLUSTER)),
        ("placement", Ignored(NO_CLUSTER)),
        ("endpoint_mode", Ignored(NO_CLUSTER)),
        ("update_config", Ignored(NO_CLUSTER)),
        ("rollback_config", Ignored(NO_CLUSTER)),
        ("restart_policy", Ignored("write `restart:` beside `image:`")),
        ("labels", Ignored("write `labels:` beside `image:`")),
    ],
    others: Others::Extensions,
};

/// Containers of one service.
pub(crate) const MAX_SCALE: i64 = 30;
const NO_CLUSTER: &str = "a service runs beside its job, on one agent";

/// `deploy.resources`.
pub(crate) static DEPLOY_RESOURCES: Table = Table {
    what: "`resources`",
    about: "Limits of the service.",
    keys: &[key("limits", Shape::Object(&LIMITS), "What it may use at most.")],
    foreign: &[(
        "reservations",
        Ignored("an agent has slots; it does not divide its processors"),
    )],
    others: Others::Extensions,
};

/// `deploy.resources.limits`.
pub(crate) static LIMITS: Table = Table {
    what: "`limits`",
    about: "What the service may use at most.",
    keys: &[
        key("cpus", Shape::Number, "Processors, also fractions: \"0.5\"."),
        key("memory", Shape::Size, "Memory: 512m, 2g."),
        key("pids", Shape::Whole(-1, 4_194_304), "Processes and threads."),
    ],
    foreign: &[("devices", Refused("a job gets no device of the agent's host"))],
    others: Others::Extensions,
};
