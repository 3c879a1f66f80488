//! Codes of what a file says about events, conditions, outputs and what a job keeps.

use super::{Code, error, warning};

pub(crate) const BAD_GLOB: Code = error(
    "DRV0140",
    "the value is not a glob",
    "`*` stands for anything but `/`, `**` for any number of folders, `?` for one character, `[a-z]` for \
     one of several, `{a,b}` for one of these words; `!` at the beginning leaves out again. Paths begin \
     at the root of the repository, without `/`; branches and tags are written without `refs/…`.",
);
pub(crate) const BAD_CRON: Code = error(
    "DRV0141",
    "the value is not a cron line",
    "A cron line has five fields: minute, hour, day of the month, month, day of the week. `0 2 * * *` is \
     two o'clock each night, `*/15 9-17 * * MON-FRI` every quarter of an hour at work.",
);
pub(crate) const NEVER_FIRES: Code = error(
    "DRV0142",
    "the cron line never fires",
    "Its fields are right one by one, but no day has them all: the 30th of February, for instance.",
);
pub(crate) const UNKNOWN_ZONE: Code = error(
    "DRV0143",
    "unknown time zone",
    "Time zones are written by their IANA names, `Europe/Paris`, and `UTC`. Short ones like `CEST` or \
     `PST` do not know when the clocks change.",
);
pub(crate) const NO_TIMES: Code = warning(
    "DRV0144",
    "`on` names the schedule, and no file has a time",
    "The event `schedule` comes only at times that a file names: `on: {schedule: [{cron: \"0 2 * * \
     *\"}]}`.",
);
pub(crate) const BAD_INPUT: Code = error(
    "DRV0145",
    "an input contradicts itself",
    "A choice needs `options`, only a choice has them, and a default must be a value that the input \
     takes.",
);
pub(crate) const UNKNOWN_INPUT: Code = error(
    "DRV0146",
    "an input that no file declares",
    "Inputs are declared under `on: {manual: {inputs: {…}}}` of one of the job files. `${{ inputs.x }}` \
     and the `inputs` of a schedule name those.",
);
pub(crate) const NEVER_TRUE: Code = error(
    "DRV0147",
    "a condition that can never hold",
    "Keys of one clause must hold together: a tag is on no branch, and a cell has only the values of its \
     matrix. An empty list holds for nothing. Clauses of a list are alternatives.",
);
pub(crate) const NOT_NEEDED: Code = error(
    "DRV0148",
    "an output of a job that is not needed",
    "`${{ needs.j.outputs.x }}` is known once `j` has ended, so `j` must be among the `needs` of the job.",
);
pub(crate) const NO_OUTPUT: Code = error(
    "DRV0149",
    "a job gave no such output",
    "A job that this one needs has ended, and no step of it wrote this name to the file `$DROVER_OUTPUT`.",
);
pub(crate) const BAD_CELLS: Code = error(
    "DRV0150",
    "the output is no matrix",
    "A matrix from an output is JSON: a list of cells, `[{\"os\": \"a\"}, {\"os\": \"b\"}]`, or a map of \
     axes as it would stand in the file, `{\"os\": [\"a\", \"b\"]}`.",
);
pub(crate) const NEED_CELL: Code = error(
    "DRV0151",
    "`needs` names a cell that the job does not have",
    "`matrix` of an item of `needs` holds axes of the other job's matrix with values that at least one of \
     its cells has.",
);
pub(crate) const NO_ARTIFACTS: Code = error(
    "DRV0152",
    "`needs` wants artifacts of a job that keeps none",
    "`artifacts: true` puts the artifacts of the other job into the workspace, so that one needs \
     `artifacts`.",
);
pub(crate) const BAD_PATH: Code = error(
    "DRV0153",
    "a path that is not allowed",
    "Paths of a job are relative to its workspace, and never leave it by `..`. Caches and files of \
     secrets may also have absolute paths, outside of the engine's own folders. Nothing is expanded: no \
     `~`, no `$HOME`.",
);
pub(crate) const OUT_OF_BOUNDS: Code = error(
    "DRV0154",
    "a time is too short or too long",
    "Some times have bounds, because what they hold costs something for everybody: a failed job is held \
     for 24h at most, and an artifact is kept for 1h at least.",
);
pub(crate) const NO_FILE_MATCHES: Code = warning(
    "DRV0155",
    "a glob matches no file",
    "No file of the repository, as it is now, matches. Perhaps the name is misspelt, or a folder is \
     meant: `src/**`.",
);
pub(crate) const BAD_HASH: Code = error(
    "DRV0156",
    "`hash()` is not complete or not understood",
    "The form is `${{ hash('Cargo.lock') }}`, or several globs: `${{ hash('a/**', 'b.lock') }}`. It \
     changes when one of the files changes.",
);
pub(crate) const IMAGE_STEP: Code = error(
    "DRV0157",
    "a step that builds an image cannot do this",
    "A step whose `image` is a map builds that image and nothing else, by the engine: it has no script, \
     no environment and no container of its own. What uses the image is another step.",
);
pub(crate) const FILES_UNKNOWN: Code = error(
    "DRV0158",
    "the files of the repository are not known",
    "The job file refers to files of the repository, and they could not be listed. The message says why.",
);
pub(crate) const TOO_MANY_GLOBS: Code = error(
    "DRV0159",
    "too many globs",
    "One list may have 100 globs of 256 bytes, and all jobs together 10,000, counted once for each cell.",
);
pub(crate) const SECRET_USE: Code = error(
    "DRV0160",
    "a secret is used in a way that contradicts itself",
    "A step gets a secret as an environment variable or as a file. Each variable and each file can have \
     one secret.",
);
