//! Keys of a Compose file's own top level, and of the job's `compose:` that takes services from one.

use super::Foreign::{Hint, Ignored, Means};
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
