//! Keys of the maps inside a service: `build`, `volumes`, `ports`, `deploy`, ….

use super::Foreign::{Ignored, Later, Means, Refused};
use super::{Others, Shape, Table, key, required};

const TEXTS: Shape = Shape::List(&Shape::Text);
const PAIRS: Shape = Shape::AnyOf(&[Shape::Map(&Shape::Scalar), TEXTS]);

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
        key("protocol", Shape::Choice(&["tcp", "udp", "sctp"]), "Default: tcp."),
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
        key("bind", Shape::Object(&BIND), "Options of a path of the repository."),
        key("volume", Shape::Object(&VOLUME_OPTIONS), "Options of a volume."),
        key("consistency", Shape::Text, "Read over."),
    ],
    foreign: &[("destination", Means("target"))],
    others: Others::Extensions,
};

/// `bind` of a volume.
pub(crate) static BIND: Table = Table {
    what: "`bind`",
    about: "Options of a path of the repository that is mounted.",
    keys: &[
        key(
            "create_host_path",
            Shape::Flag,
            "true (default): what is not in the repository is made, an empty folder. false: it must be there.",
        ),
        key("propagation", Shape::Text, "Read over."),
        key("selinux", Shape::Text, "Read over."),
        key("recursive", Shape::Text, "Read over."),
    ],
    foreign: &[],
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
    others: Others::Extensions,
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
