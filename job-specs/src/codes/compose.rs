//! Codes of services and of the Compose files that they come from.

use super::{Code, error, warning};

pub(crate) const PORT_NOT_PUBLISHED: Code = warning(
    "DRV0320",
    "ports of services are not published",
    "Compose publishes `ports` on the host. A job's services are on a network of their own, so that two \
     jobs can run at once: steps reach them by name, `db:5432`, on the port of the container.",
);
pub(crate) const NO_SUCH_FILE: Code = error(
    "DRV0321",
    "a file that is named cannot be read",
    "`compose`, `include`, `extends`, `env_file`, `configs` and `secrets` name files of the repository, \
     as they are in the commit. Files that are not committed do not exist for a job.",
);
pub(crate) const OUTSIDE: Code = error(
    "DRV0322",
    "a path leads out of the repository",
    "A service can mount folders of the repository (`./data:/data`) and named volumes. Absolute paths, \
     `~` and paths that climb out with `..` would be the agent's own files; two jobs would share them.",
);
pub(crate) const PATH_NOT_KNOWN: Code = error(
    "DRV0323",
    "a path depends on the build",
    "Paths of files that are read with the job file must be known when it is checked: they may hold \
     `matrix` values and written-out variables, not a branch or another fact of a build.",
);
pub(crate) const HOST_TWICE: Code = warning(
    "DRV0324",
    "a service answers to the name of another one",
    "Services may share an alias, as in Compose: a connection to it reaches the one or the other. That is \
     seldom meant when the alias or host name of one service is the name of another one.",
);
pub(crate) const BAD_VARIABLE: Code = error(
    "DRV0325",
    "a variable of a Compose file cannot be read",
    "Compose knows `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME-default}`, `${NAME:?message}`, \
     `${NAME?message}`, `${NAME:+value}` and `${NAME+value}`. Any other `$` is written `$$`.",
);
pub(crate) const UNSET_VARIABLE: Code = warning(
    "DRV0326",
    "a variable of a Compose file has no value",
    "The variable is neither in the job's `env` nor in the `.env` file beside the Compose file, so it is \
     empty. Matrix values are `MATRIX_<AXIS>`, facts of the build `DROVER_<FACT>`. Nothing is taken from \
     the agent's host.",
);
pub(crate) const REQUIRED_VARIABLE: Code = error(
    "DRV0327",
    "a variable that a Compose file requires has no value",
    "The Compose file says `${NAME:?message}`. Set the variable in the job's `env`, or in the `.env` file \
     beside the Compose file.",
);
pub(crate) const TEMPLATE_IN_COMPOSE: Code = error(
    "DRV0328",
    "`${{ }}` in a Compose file",
    "A Compose file keeps Compose's own rules, so that Compose still reads it: a matrix value is \
     `${MATRIX_POSTGRES}`, a fact of the build `${DROVER_SHA}`, a variable of the job's `env` `${NAME}`.",
);
pub(crate) const BAD_EXTENDS: Code = error(
    "DRV0329",
    "`extends` cannot be followed",
    "`extends` names a service of the same Compose file, or of the one under `file`. Services must not \
     extend each other in a circle, nor more than 16 deep.",
);
pub(crate) const INCLUDE_CIRCLE: Code = error(
    "DRV0330",
    "Compose files include each other",
    "A Compose file that is read because of itself would never be read to its end. At most 16 files can \
     be inside each other.",
);
pub(crate) const DEFINED_TWICE: Code = error(
    "DRV0331",
    "an included Compose file defines the same thing",
    "A file and one that it includes must not both define a service, network, volume, config or secret of \
     the same name, unless they are equal. To change a service of another file, use `extends`, or name \
     both files under `compose.file`.",
);
pub(crate) const TOO_MUCH_IMPORTED: Code = error(
    "DRV0332",
    "Compose files are too big for so many cells",
    "Compose files are read once for each cell of a job's matrix, with its values; what all of that makes \
     is bounded. Take fewer services with `compose.services`, or make the matrix smaller.",
);
pub(crate) const BAD_ENV_FILE: Code = error(
    "DRV0333",
    "a line of an env file cannot be read",
    "Lines are `NAME=value`. A value with a `#` or with spaces at its ends is quoted; what is opened with \
     a quote must be closed with it.",
);
pub(crate) const NO_SUCH_DEFINITION: Code = error(
    "DRV0334",
    "a config or secret is not defined",
    "Services name configs and secrets that are defined at the top of the Compose file, or under \
     `configs` and `secrets` of the job. In a job file `secrets: [NAME]` of a service is the repository's \
     secret of that name.",
);
pub(crate) const NOT_CHOSEN: Code = error(
    "DRV0335",
    "a service that is needed or named is not there",
    "`compose.services` holds names of services of the Compose files; a service that is off because of \
     its `profiles` cannot be waited for.",
);
pub(crate) const CANNOT_MERGE: Code = error(
    "DRV0336",
    "two forms of a value cannot be merged",
    "When one Compose file overrides another, both must write a value in the same form: a map over a map, \
     a list over a list. `!override` replaces a value instead of merging it, `!reset` removes it.",
);
