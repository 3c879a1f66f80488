//! Every code that a diagnostic of a job file can have: one table, used by the checks and by the reference pages, so
//! that none lacks an explanation. A code is stable for ever; one that is no longer used is never given again.

use crate::diagnostics::Severity;

mod compose;
mod jobs;

pub(crate) use compose::*;
pub(crate) use jobs::*;

/// One kind of finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// `DRV0101`
    pub id: &'static str,
    /// Whether the file can run in spite of it.
    pub severity: Severity,
    /// A few words, lower case.
    pub title: &'static str,
    /// One paragraph: what it means and what to do.
    pub about: &'static str,
}

/// The code of that id, in any case of letters.
pub fn find(id: &str) -> Option<&'static Code> {
    ALL.iter().copied().find(|code| code.id.eq_ignore_ascii_case(id))
}

const fn error(id: &'static str, title: &'static str, about: &'static str) -> Code {
    Code {
        id,
        severity: Severity::Error,
        title,
        about,
    }
}

const fn warning(id: &'static str, title: &'static str, about: &'static str) -> Code {
    Code {
        id,
        severity: Severity::Warning,
        title,
        about,
    }
}

pub(crate) const FILE_TOO_BIG: Code = error(
    "DRV0001",
    "a job file is too big",
    "A job file may have 256 KiB. Scripts that make it bigger belong into files of the repository, which \
     steps then run.",
);
pub(crate) const TOO_DEEP: Code = error(
    "DRV0002",
    "a job file is nested too deep",
    "Maps and lists may be nested 32 deep, aliases included. Nothing in the language needs more than nine.",
);
pub(crate) const TOO_MUCH_EXPANSION: Code = error(
    "DRV0003",
    "a job file expands to too much",
    "Aliases (`*name`), merge keys (`<<`), `${{ }}` values and matrix cells multiply what stands in the file. \
     The product is bounded, so that a small file cannot fill a coordinator's memory.",
);
pub(crate) const TOO_MANY_JOBS: Code = error(
    "DRV0004",
    "too many jobs",
    "The files of a repository may define 100 jobs, and their matrices may make 1,024 cells together.",
);
pub(crate) const TOO_MANY_STEPS: Code = error(
    "DRV0005",
    "too many steps",
    "A job may have 100 steps. Steps that always run together can be one script.",
);
pub(crate) const TOO_MANY_SERVICES: Code = error("DRV0006", "too many services", "A job may have 30 services.");
pub(crate) const TOO_MANY_CELLS: Code = error(
    "DRV0007",
    "too many matrix cells",
    "A job's matrix may make 256 cells after `exclude` and `include`. The number of cells is the product of \
     the lengths of its axes.",
);
pub(crate) const TOO_MANY_PROBLEMS: Code = error(
    "DRV0008",
    "more problems than are listed",
    "The list of problems of one reading is cut at 200. Mend the first ones; they often cause the others.",
);
pub(crate) const NO_JOB_FILE: Code = error(
    "DRV0009",
    "there is no job file, or it is empty",
    "A repository needs a file `.drover.yml`, or files `.drover/*.yml`, with at least one job under `jobs:`.",
);
pub(crate) const UNKNOWN_KEY: Code = error(
    "DRV0101",
    "unknown key",
    "The key does not exist at this place. Keys are written in snake_case. The message names the nearest key, \
     also when the key is one of another CI system's (`script`, `depends_on`, `variables`, …).",
);
pub(crate) const YAML_SYNTAX: Code = error(
    "DRV0102",
    "the file is not valid YAML",
    "The text cannot be read as YAML 1.2. Most often a value that contains `: ` or ` #`, or that begins with \
     one of `{ [ * & ! | > @ %` or a quote, has to be quoted as a whole, or written as a block (`run: |`).",
);
pub(crate) const TAB_INDENT: Code = error(
    "DRV0103",
    "a tab is used for indentation",
    "YAML forbids tabs in indentation, because their width is not fixed. Use spaces.",
);
pub(crate) const UNKNOWN_NEED: Code = error(
    "DRV0104",
    "`needs` names a job that does not exist",
    "`needs` holds names of jobs, as they stand under `jobs:` of this file or of another file of the same \
     repository.",
);
pub(crate) const CYCLE: Code = error(
    "DRV0105",
    "jobs or services wait for each other",
    "`needs` of jobs and `depends_on` of services must not form a circle: none of its members could ever \
     start.",
);
pub(crate) const DUPLICATE: Code = error(
    "DRV0106",
    "the same name is declared twice",
    "A key stands twice in one map, or two files declare a job of the same name. YAML has no rule for which \
     one wins, so neither does. A service's name is its host name, so it must be unique in its job.",
);
pub(crate) const LOCALHOST: Code = warning(
    "DRV0107",
    "a step looks for a service on localhost",
    "Services run in containers of their own. A step reaches them by their name on the job's network: \
     `db:5432`, not `localhost:5432`.",
);
pub(crate) const NO_VALUE: Code = error(
    "DRV0109",
    "`${{ }}` names something that has no value",
    "Known are `matrix.<axis>` inside a job with that axis, `git.<fact>` (branch, tag, ref, sha, short_sha, \
     event, repository, build, title, author, base, pull_request), `env.<NAME>` for names set by the file's \
     or the job's `env`, `MATRIX_*` and `DROVER_*`, `inputs.<name>`, `needs.<job>.outputs.<name>` inside a \
     job that needs it, and `hash('<glob>')`.",
);
pub(crate) const MATRIX_NUMBER: Code = warning(
    "DRV0110",
    "a matrix value is a number and changes its text",
    "YAML reads `3.10` as the number 3.1. Quote versions: `\"3.10\"`.",
);
pub(crate) const WRONG_TYPE: Code = error(
    "DRV0111",
    "the value has the wrong form",
    "The key takes another form of value: a list instead of a text, a map instead of a list, a whole number \
     instead of a text, and so on. The message says which.",
);
pub(crate) const BAD_VALUE: Code = error(
    "DRV0112",
    "the value is not allowed",
    "The value has the right form but is not one of the allowed ones, or is out of its range. The message \
     says what is allowed.",
);
pub(crate) const MISSING_KEY: Code = error(
    "DRV0113",
    "a required key is missing",
    "Every job needs `steps`, and an `image` unless each step has its own; every service needs `image`; some \
     keys need others beside them. The message says which.",
);
pub(crate) const TEMPLATE_IN_RUN: Code = error(
    "DRV0114",
    "`${{ }}` inside a script",
    "Values are never pasted into scripts, because a branch name could then become code. The same values are \
     environment variables of every step: `$MATRIX_POSTGRES`, `$DROVER_BRANCH`, and the names under `env`.",
);
pub(crate) const TEMPLATE_NOT_HERE: Code = error(
    "DRV0115",
    "`${{ }}` where it cannot be used",
    "Names of jobs, `on`, `needs`, `matrix`, `secrets` and names of services are read before any cell exists, \
     so they must be written out. A matrix as a whole may be one output of another job.",
);
pub(crate) const BAD_TEMPLATE: Code = error(
    "DRV0116",
    "`${{ }}` is not complete or not understood",
    "The form is `${{ matrix.axis }}`, `${{ git.branch }}` or `${{ env.NAME }}`. There is no expression \
     language: conditions are written as `when:`, and computing is for scripts.",
);
pub(crate) const NOT_YET: Code = error(
    "DRV0117",
    "the key is not supported yet",
    "The key belongs to the language, but this version of Drover does not read it yet. It is refused, because \
     ignoring it would run something else than what the file says.",
);
pub(crate) const REFUSED: Code = error(
    "DRV0118",
    "the Compose key is refused",
    "Compose knows the key, and Drover refuses it, because a service could leave its job with it or two jobs \
     could meet. The message has the reason.",
);
pub(crate) const IGNORED: Code = warning(
    "DRV0119",
    "the Compose key is ignored",
    "Compose knows the key; it has no meaning in a job, so it is read over.",
);
pub(crate) const UNKNOWN_SERVICE: Code = error(
    "DRV0120",
    "`depends_on` names a service that does not exist",
    "`depends_on` holds names of services of the same job.",
);
pub(crate) const NOT_RUN_ONCE: Code = error(
    "DRV0121",
    "a dependency waits for the end of a service that does not end",
    "The condition `service_completed_successfully` is for services with `run_once: true`: tasks that end by \
     themselves.",
);
pub(crate) const STEP_ACTION: Code = error(
    "DRV0122",
    "a step must have `run` or `entrypoint`, and only one",
    "`run` is a script for a shell of the image; `entrypoint` is a list of arguments that is run without any \
     shell.",
);
pub(crate) const BAD_NAME: Code = error(
    "DRV0123",
    "the name is not allowed",
    "Names of jobs and axes are letters, digits, `-` and `_`. Names of services are host names: letters, \
     digits, `-`, `_` and `.`. Names of environment variables and secrets are letters, digits and `_`.",
);
pub(crate) const BAD_DURATION: Code = error(
    "DRV0124",
    "the value is not a duration",
    "A duration is a number with a unit, or several: `500ms`, `30s`, `10m`, `1h30m`, `2d`. A number alone is \
     refused, because some systems read it as seconds and some as minutes.",
);
pub(crate) const BAD_SIZE: Code = error(
    "DRV0125",
    "the value is not a size",
    "A size is a number with a unit: `512m`, `1.5g`. Units are b, k, m, g and t, in steps of 1024.",
);
pub(crate) const MATRIX_ENTRY: Code = error(
    "DRV0126",
    "`exclude` or `include` does not fit the matrix",
    "Each entry of `exclude` is a map from axes of the matrix to values; each entry of `include` may also \
     bring new names, which become values of its cell, and `allow_failure`.",
);
pub(crate) const EXCLUDES_NOTHING: Code = warning(
    "DRV0127",
    "an entry of `exclude` matches no cell",
    "The values of the entry do not occur together in the matrix, so it has no effect.",
);
pub(crate) const EMPTY_MATRIX: Code = error(
    "DRV0128",
    "the matrix has no cell",
    "An axis is an empty list, or `exclude` removes every cell and `include` adds none. Such a job would \
     never run. A matrix from an output may be empty: the job is skipped.",
);
pub(crate) const UNKNOWN_EVENT: Code = error(
    "DRV0129",
    "unknown event",
    "Events are push, pull_request, tag, schedule and manual. Without `on` a file wants push, pull_request, \
     tag and manual.",
);
pub(crate) const BAD_IMAGE: Code = error(
    "DRV0130",
    "the value is not an image's name",
    "An image's name is `[registry/]name[:tag][@digest]`, with a name in small letters. Names that begin with \
     `drover/` are those of agents.",
);
pub(crate) const COMPOSE_VARIABLE: Code = warning(
    "DRV0131",
    "a Compose variable stays as it is written",
    "Compose replaces `${NAME}` and reads `$$` as `$`. Job files do neither: a value from outside is written \
     `${{ env.NAME }}`, and one `$` is one `$`.",
);
pub(crate) const TAG_OR_ALIAS: Code = error(
    "DRV0132",
    "a YAML tag or alias that cannot be read",
    "Custom tags (`!name`) mean nothing here. An alias (`*name`) needs an anchor (`&name`) that stands before \
     it and does not contain it.",
);
pub(crate) const SEVERAL_DOCUMENTS: Code = error(
    "DRV0133",
    "the file holds several YAML documents",
    "A line `---` in the middle of a file begins a new document. Several job files go into the folder \
     `.drover/` instead.",
);
pub(crate) const BAD_PATTERN: Code = error(
    "DRV0134",
    "the value is not a regular expression",
    "`ready.log` is a regular expression. The message says what is wrong with it.",
);
pub(crate) const NEED_NOT_RUN: Code = error(
    "DRV0135",
    "a job needs a job that does not run on the same events",
    "The two jobs stand in different files, and the file of the needed one does not want every event that the \
     other's does.",
);

/// Every code, in order.
pub const ALL: &[&Code] = &[
    &FILE_TOO_BIG,
    &TOO_DEEP,
    &TOO_MUCH_EXPANSION,
    &TOO_MANY_JOBS,
    &TOO_MANY_STEPS,
    &TOO_MANY_SERVICES,
    &TOO_MANY_CELLS,
    &TOO_MANY_PROBLEMS,
    &NO_JOB_FILE,
    &UNKNOWN_KEY,
    &YAML_SYNTAX,
    &TAB_INDENT,
    &UNKNOWN_NEED,
    &CYCLE,
    &DUPLICATE,
    &LOCALHOST,
    &NO_VALUE,
    &MATRIX_NUMBER,
    &WRONG_TYPE,
    &BAD_VALUE,
    &MISSING_KEY,
    &TEMPLATE_IN_RUN,
    &TEMPLATE_NOT_HERE,
    &BAD_TEMPLATE,
    &NOT_YET,
    &REFUSED,
    &IGNORED,
    &UNKNOWN_SERVICE,
    &NOT_RUN_ONCE,
    &STEP_ACTION,
    &BAD_NAME,
    &BAD_DURATION,
    &BAD_SIZE,
    &MATRIX_ENTRY,
    &EXCLUDES_NOTHING,
    &EMPTY_MATRIX,
    &UNKNOWN_EVENT,
    &BAD_IMAGE,
    &COMPOSE_VARIABLE,
    &TAG_OR_ALIAS,
    &SEVERAL_DOCUMENTS,
    &BAD_PATTERN,
    &NEED_NOT_RUN,
    &BAD_GLOB,
    &BAD_CRON,
    &NEVER_FIRES,
    &UNKNOWN_ZONE,
    &NO_TIMES,
    &BAD_INPUT,
    &UNKNOWN_INPUT,
    &NEVER_TRUE,
    &NOT_NEEDED,
    &NO_OUTPUT,
    &BAD_CELLS,
    &NEED_CELL,
    &NO_ARTIFACTS,
    &BAD_PATH,
    &OUT_OF_BOUNDS,
    &NO_FILE_MATCHES,
    &BAD_HASH,
    &IMAGE_STEP,
    &FILES_UNKNOWN,
    &TOO_MANY_GLOBS,
    &SECRET_USE,
    &PORT_NOT_PUBLISHED,
    &NO_SUCH_FILE,
    &OUTSIDE,
    &PATH_NOT_KNOWN,
    &HOST_TWICE,
    &BAD_VARIABLE,
    &UNSET_VARIABLE,
    &REQUIRED_VARIABLE,
    &TEMPLATE_IN_COMPOSE,
    &BAD_EXTENDS,
    &INCLUDE_CIRCLE,
    &DEFINED_TWICE,
    &TOO_MUCH_IMPORTED,
    &BAD_ENV_FILE,
    &NO_SUCH_DEFINITION,
    &NOT_CHOSEN,
    &CANNOT_MERGE,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_in_order_and_each_is_there_once() {
        assert!(ALL.windows(2).all(|pair| pair[0].id < pair[1].id));
    }

    #[test]
    fn every_code_is_explained_in_a_paragraph() {
        for code in ALL {
            assert!(code.about.ends_with('.') && code.about.len() > 25, "{}", code.id);
            assert!(!code.title.ends_with('.') && !code.about.contains("  "), "{}", code.id);
        }
    }

    #[test]
    fn a_code_is_found_however_it_is_typed() {
        assert_eq!(find("drv0101"), Some(&UNKNOWN_KEY));
        assert_eq!(find("DRV9999"), None);
    }
}
