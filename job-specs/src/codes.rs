//! Every code that a diagnostic of a job file can have: one table, used by the checks and by the reference pages, so
//! that none lacks an explanation. A code is stable for ever; one that is no longer used is never given again.

use crate::diagnostics::Severity;

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

/// One table of codes: a constant for each, and [`ALL`].
macro_rules! codes {
    ($($severity:ident $name:ident $id:literal: $title:literal $about:literal;)*) => {
        $(pub(crate) const $name: Code = Code {
            id: $id,
            severity: codes!($severity),
            title: $title,
            about: $about,
        };)*

        /// Every code, in order.
        pub const ALL: &[&Code] = &[$(&$name),*];
    };
    (error) => { Severity::Error };
    (warning) => { Severity::Warning };
}

codes! {
    error FILE_TOO_BIG "DRV0001": "a job file is too big"
        "A job file may have 256 KiB. Scripts that make it bigger belong into files of the repository, which \
         steps then run.";
    error TOO_DEEP "DRV0002": "a job file is nested too deep"
        "Maps and lists may be nested 32 deep, aliases included. Nothing in the language needs more than nine.";
    error TOO_MUCH_EXPANSION "DRV0003": "a job file expands to too much"
        "Aliases (`*name`), merge keys (`<<`), `${{ }}` values and matrix cells multiply what stands in the file. \
         The product is bounded, so that a small file cannot fill a coordinator's memory.";
    error TOO_MANY_JOBS "DRV0004": "too many jobs"
        "The files of a repository may define 100 jobs, and their matrices may make 1,024 cells together.";
    error TOO_MANY_STEPS "DRV0005": "too many steps"
        "A job may have 100 steps. Steps that always run together can be one script.";
    error TOO_MANY_SERVICES "DRV0006": "too many services"
        "A job may have 30 services.";
    error TOO_MANY_CELLS "DRV0007": "too many matrix cells"
        "A job's matrix may make 256 cells after `exclude` and `include`. The number of cells is the product of \
         the lengths of its axes.";
    error TOO_MANY_PROBLEMS "DRV0008": "more problems than are listed"
        "The list of problems of one reading is cut at 200. Mend the first ones; they often cause the others.";
    error NO_JOB_FILE "DRV0009": "there is no job file, or it is empty"
        "A repository needs a file `.drover.yml`, or files `.drover/*.yml`, with at least one job under `jobs:`.";
    error UNKNOWN_KEY "DRV0101": "unknown key"
        "The key does not exist at this place. Keys are written in snake_case. The message names the nearest key, \
         also when the key is one of another CI system's (`script`, `depends_on`, `variables`, …).";
    error YAML_SYNTAX "DRV0102": "the file is not valid YAML"
        "The text cannot be read as YAML 1.2. Most often a value that contains `: ` or ` #`, or that begins with \
         one of `{ [ * & ! | > @ %` or a quote, has to be quoted as a whole, or written as a block (`run: |`).";
    error TAB_INDENT "DRV0103": "a tab is used for indentation"
        "YAML forbids tabs in indentation, because their width is not fixed. Use spaces.";
    error UNKNOWN_NEED "DRV0104": "`needs` names a job that does not exist"
        "`needs` holds names of jobs, as they stand under `jobs:` of this file or of another file of the same \
         repository.";
    error CYCLE "DRV0105": "jobs or services wait for each other"
        "`needs` of jobs and `depends_on` of services must not form a circle: none of its members could ever \
         start.";
    error DUPLICATE "DRV0106": "the same name is declared twice"
        "A key stands twice in one map, or two files declare a job of the same name. YAML has no rule for which \
         one wins, so neither does. A service's name is its host name, so it must be unique in its job.";
    warning LOCALHOST "DRV0107": "a step looks for a service on localhost"
        "Services run in containers of their own. A step reaches them by their name on the job's network: \
         `db:5432`, not `localhost:5432`.";
    error NO_VALUE "DRV0109": "`${{ }}` names something that has no value"
        "Known are `matrix.<axis>` inside a job with that axis, `git.<fact>` (branch, tag, ref, sha, short_sha, \
         event, repository, build, title, author, base, pull_request), `env.<NAME>` for names set by the file's \
         or the job's `env`, `MATRIX_*` and `DROVER_*`, `inputs.<name>`, `needs.<job>.outputs.<name>` inside a \
         job that needs it, and `hash('<glob>')`.";
    warning MATRIX_NUMBER "DRV0110": "a matrix value is a number and changes its text"
        "YAML reads `3.10` as the number 3.1. Quote versions: `\"3.10\"`.";
    error WRONG_TYPE "DRV0111": "the value has the wrong form"
        "The key takes another form of value: a list instead of a text, a map instead of a list, a whole number \
         instead of a text, and so on. The message says which.";
    error BAD_VALUE "DRV0112": "the value is not allowed"
        "The value has the right form but is not one of the allowed ones, or is out of its range. The message \
         says what is allowed.";
    error MISSING_KEY "DRV0113": "a required key is missing"
        "Every job needs `steps`, and an `image` unless each step has its own; every service needs `image`; some \
         keys need others beside them. The message says which.";
    error TEMPLATE_IN_RUN "DRV0114": "`${{ }}` inside a script"
        "Values are never pasted into scripts, because a branch name could then become code. The same values are \
         environment variables of every step: `$MATRIX_POSTGRES`, `$DROVER_BRANCH`, and the names under `env`.";
    error TEMPLATE_NOT_HERE "DRV0115": "`${{ }}` where it cannot be used"
        "Names of jobs, `on`, `needs`, `matrix`, `secrets` and names of services are read before any cell exists, \
         so they must be written out. A matrix as a whole may be one output of another job.";
    error BAD_TEMPLATE "DRV0116": "`${{ }}` is not complete or not understood"
        "The form is `${{ matrix.axis }}`, `${{ git.branch }}` or `${{ env.NAME }}`. There is no expression \
         language: conditions are written as `when:`, and computing is for scripts.";
    error NOT_YET "DRV0117": "the key is not supported yet"
        "The key belongs to the language, but this version of Drover does not read it yet. It is refused, because \
         ignoring it would run something else than what the file says.";
    error REFUSED "DRV0118": "the Compose key is refused"
        "Compose knows the key, and Drover refuses it, because a service could leave its job with it or two jobs \
         could meet. The message has the reason.";
    warning IGNORED "DRV0119": "the Compose key is ignored"
        "Compose knows the key; it has no meaning in a job, so it is read over.";
    error UNKNOWN_SERVICE "DRV0120": "`depends_on` names a service that does not exist"
        "`depends_on` holds names of services of the same job.";
    error NOT_RUN_ONCE "DRV0121": "a dependency waits for the end of a service that does not end"
        "The condition `service_completed_successfully` is for services with `run_once: true`: tasks that end by \
         themselves.";
    error STEP_ACTION "DRV0122": "a step must have `run` or `entrypoint`, and only one"
        "`run` is a script for a shell of the image; `entrypoint` is a list of arguments that is run without any \
         shell.";
    error BAD_NAME "DRV0123": "the name is not allowed"
        "Names of jobs and axes are letters, digits, `-` and `_`. Names of services are host names: letters, \
         digits, `-`, `_` and `.`. Names of environment variables and secrets are letters, digits and `_`.";
    error BAD_DURATION "DRV0124": "the value is not a duration"
        "A duration is a number with a unit, or several: `500ms`, `30s`, `10m`, `1h30m`, `2d`. A number alone is \
         refused, because some systems read it as seconds and some as minutes.";
    error BAD_SIZE "DRV0125": "the value is not a size"
        "A size is a number with a unit: `512m`, `1.5g`. Units are b, k, m, g and t, in steps of 1024.";
    error MATRIX_ENTRY "DRV0126": "`exclude` or `include` does not fit the matrix"
        "Each entry of `exclude` is a map from axes of the matrix to values; each entry of `include` may also \
         bring new names, which become values of its cell, and `allow_failure`.";
    warning EXCLUDES_NOTHING "DRV0127": "an entry of `exclude` matches no cell"
        "The values of the entry do not occur together in the matrix, so it has no effect.";
    error EMPTY_MATRIX "DRV0128": "the matrix has no cell"
        "An axis is an empty list, or `exclude` removes every cell and `include` adds none. Such a job would \
         never run. A matrix from an output may be empty: the job is skipped.";
    error UNKNOWN_EVENT "DRV0129": "unknown event"
        "Events are push, pull_request, tag, schedule and manual. Without `on` a file wants push, pull_request, \
         tag and manual.";
    error BAD_IMAGE "DRV0130": "the value is not an image's name"
        "An image's name is `[registry/]name[:tag][@digest]`, with a name in small letters. Names that begin with \
         `drover/` are those of agents.";
    warning COMPOSE_VARIABLE "DRV0131": "a Compose variable stays as it is written"
        "Compose replaces `${NAME}` and reads `$$` as `$`. Job files do neither: a value from outside is written \
         `${{ env.NAME }}`, and one `$` is one `$`.";
    error TAG_OR_ALIAS "DRV0132": "a YAML tag or alias that cannot be read"
        "Custom tags (`!name`) mean nothing here. An alias (`*name`) needs an anchor (`&name`) that stands before \
         it and does not contain it.";
    error SEVERAL_DOCUMENTS "DRV0133": "the file holds several YAML documents"
        "A line `---` in the middle of a file begins a new document. Several job files go into the folder \
         `.drover/` instead.";
    error BAD_PATTERN "DRV0134": "the value is not a regular expression"
        "`ready.log` is a regular expression. The message says what is wrong with it.";
    error NEED_NOT_RUN "DRV0135": "a job needs a job that does not run on the same events"
        "The two jobs stand in different files, and the file of the needed one does not want every event that the \
         other's does.";

    // What a file says about events, conditions, outputs and what a job keeps.
    error BAD_GLOB "DRV0140": "the value is not a glob"
        "`*` stands for anything but `/`, `**` for any number of folders, `?` for one character, `[a-z]` for \
         one of several, `{a,b}` for one of these words; `!` at the beginning leaves out again. Paths begin \
         at the root of the repository, without `/`; branches and tags are written without `refs/…`.";
    error BAD_CRON "DRV0141": "the value is not a cron line"
        "A cron line has five fields: minute, hour, day of the month, month, day of the week. `0 2 * * *` is \
         two o'clock each night, `*/15 9-17 * * MON-FRI` every quarter of an hour at work.";
    error NEVER_FIRES "DRV0142": "the cron line never fires"
        "Its fields are right one by one, but no day has them all: the 30th of February, for instance.";
    error UNKNOWN_ZONE "DRV0143": "unknown time zone"
        "Time zones are written by their IANA names, `Europe/Paris`, and `UTC`. Short ones like `CEST` or \
         `PST` do not know when the clocks change.";
    warning NO_TIMES "DRV0144": "`on` names the schedule, and no file has a time"
        "The event `schedule` comes only at times that a file names: `on: {schedule: [{cron: \"0 2 * * \
         *\"}]}`.";
    error BAD_INPUT "DRV0145": "an input contradicts itself"
        "A choice needs `options`, only a choice has them, and a default must be a value that the input \
         takes.";
    error UNKNOWN_INPUT "DRV0146": "an input that no file declares"
        "Inputs are declared under `on: {manual: {inputs: {…}}}` of one of the job files. `${{ inputs.x }}` \
         and the `inputs` of a schedule name those.";
    error NEVER_TRUE "DRV0147": "a condition that can never hold"
        "Keys of one clause must hold together: a tag is on no branch, and a cell has only the values of its \
         matrix. An empty list holds for nothing. Clauses of a list are alternatives.";
    error NOT_NEEDED "DRV0148": "an output of a job that is not needed"
        "`${{ needs.j.outputs.x }}` is known once `j` has ended, so `j` must be among the `needs` of the job.";
    error NO_OUTPUT "DRV0149": "a job gave no such output"
        "A job that this one needs has ended, and no step of it wrote this name to the file `$DROVER_OUTPUT`.";
    error BAD_CELLS "DRV0150": "the output is no matrix"
        "A matrix from an output is JSON: a list of cells, `[{\"os\": \"a\"}, {\"os\": \"b\"}]`, or a map of \
         axes as it would stand in the file, `{\"os\": [\"a\", \"b\"]}`.";
    error NEED_CELL "DRV0151": "`needs` names a cell that the job does not have"
        "`matrix` of an item of `needs` holds axes of the other job's matrix with values that at least one of \
         its cells has.";
    error NO_ARTIFACTS "DRV0152": "`needs` wants artifacts of a job that keeps none"
        "`artifacts: true` puts the artifacts of the other job into the workspace, so that one needs \
         `artifacts`.";
    error BAD_PATH "DRV0153": "a path that is not allowed"
        "Paths of a job are relative to its workspace, and never leave it by `..`. Caches and files of \
         secrets may also have absolute paths, outside of the engine's own folders. Nothing is expanded: no \
         `~`, no `$HOME`.";
    error OUT_OF_BOUNDS "DRV0154": "a time is too short or too long"
        "Some times have bounds, because what they hold costs something for everybody: a failed job is held \
         for 24h at most, and an artifact is kept for 1h at least.";
    warning NO_FILE_MATCHES "DRV0155": "a glob matches no file"
        "No file of the repository, as it is now, matches. Perhaps the name is misspelt, or a folder is \
         meant: `src/**`.";
    error BAD_HASH "DRV0156": "`hash()` is not complete or not understood"
        "The form is `${{ hash('Cargo.lock') }}`, or several globs: `${{ hash('a/**', 'b.lock') }}`. It \
         changes when one of the files changes.";
    error IMAGE_STEP "DRV0157": "a step that builds an image cannot do this"
        "A step whose `image` is a map builds that image and nothing else, by the engine: it has no script, \
         no environment and no container of its own. What uses the image is another step.";
    error FILES_UNKNOWN "DRV0158": "the files of the repository are not known"
        "The job file refers to files of the repository, and they could not be listed. The message says why.";
    error TOO_MANY_GLOBS "DRV0159": "too many globs"
        "One list may have 100 globs of 256 bytes, and all jobs together 10,000, counted once for each cell.";
    error SECRET_USE "DRV0160": "a secret is used in a way that contradicts itself"
        "A step gets a secret as an environment variable or as a file. Each variable and each file can have \
         one secret.";

    // Services and the Compose files that they come from.
    warning PORT_NOT_PUBLISHED "DRV0320": "ports of services are not published"
        "Compose publishes `ports` on the host. A job's services are on a network of their own, so that two \
         jobs can run at once: steps reach them by name, `db:5432`, on the port of the container.";
    error NO_SUCH_FILE "DRV0321": "a file that is named cannot be read"
        "`compose`, `include`, `extends`, `env_file`, `configs` and `secrets` name files of the repository, \
         as they are in the commit. Files that are not committed do not exist for a job.";
    error OUTSIDE "DRV0322": "a path leads out of the repository"
        "A service can mount folders of the repository (`./data:/data`) and named volumes. Absolute paths, \
         `~` and paths that climb out with `..` would be the agent's own files; two jobs would share them.";
    error PATH_NOT_KNOWN "DRV0323": "a path depends on the build"
        "Paths of files that are read with the job file must be known when it is checked: they may hold \
         `matrix` values and written-out variables, not a branch or another fact of a build.";
    warning HOST_TWICE "DRV0324": "a service answers to the name of another one"
        "Services may share an alias, as in Compose: a connection to it reaches the one or the other. That is \
         seldom meant when the alias or host name of one service is the name of another one.";
    error BAD_VARIABLE "DRV0325": "a variable of a Compose file cannot be read"
        "Compose knows `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME-default}`, `${NAME:?message}`, \
         `${NAME?message}`, `${NAME:+value}` and `${NAME+value}`. Any other `$` is written `$$`.";
    warning UNSET_VARIABLE "DRV0326": "a variable of a Compose file has no value"
        "The variable is neither in the job's `env` nor in the `.env` file beside the Compose file, so it is \
         empty. Matrix values are `MATRIX_<AXIS>`, facts of the build `DROVER_<FACT>`. Nothing is taken from \
         the agent's host.";
    error REQUIRED_VARIABLE "DRV0327": "a variable that a Compose file requires has no value"
        "The Compose file says `${NAME:?message}`. Set the variable in the job's `env`, or in the `.env` file \
         beside the Compose file.";
    error TEMPLATE_IN_COMPOSE "DRV0328": "`${{ }}` in a Compose file"
        "A Compose file keeps Compose's own rules, so that Compose still reads it: a matrix value is \
         `${MATRIX_POSTGRES}`, a fact of the build `${DROVER_SHA}`, a variable of the job's `env` `${NAME}`.";
    error BAD_EXTENDS "DRV0329": "`extends` cannot be followed"
        "`extends` names a service of the same Compose file, or of the one under `file`. Services must not \
         extend each other in a circle, nor more than 16 deep.";
    error INCLUDE_CIRCLE "DRV0330": "Compose files include each other"
        "A Compose file that is read because of itself would never be read to its end. At most 16 files can \
         be inside each other.";
    error DEFINED_TWICE "DRV0331": "an included Compose file defines the same thing"
        "A file and one that it includes must not both define a service, network, volume, config or secret of \
         the same name, unless they are equal. To change a service of another file, use `extends`, or name \
         both files under `compose.file`.";
    error TOO_MUCH_IMPORTED "DRV0332": "Compose files are too big for so many cells"
        "Compose files are read once for each cell of a job's matrix, with its values; what all of that makes \
         is bounded. Take fewer services with `compose.services`, or make the matrix smaller.";
    error BAD_ENV_FILE "DRV0333": "a line of an env file cannot be read"
        "Lines are `NAME=value`. A value with a `#` or with spaces at its ends is quoted; what is opened with \
         a quote must be closed with it.";
    error NO_SUCH_DEFINITION "DRV0334": "a config or secret is not defined"
        "Services name configs and secrets that are defined at the top of the Compose file, or under \
         `configs` and `secrets` of the job. In a job file `secrets: [NAME]` of a service is the repository's \
         secret of that name.";
    error NOT_CHOSEN "DRV0335": "a service that is needed or named is not there"
        "`compose.services` holds names of services of the Compose files; a service that is off because of \
         its `profiles` cannot be waited for.";
    error CANNOT_MERGE "DRV0336": "two forms of a value cannot be merged"
        "When one Compose file overrides another, both must write a value in the same form: a map over a map, \
         a list over a list. `!override` replaces a value instead of merging it, `!reset` removes it.";
}

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
