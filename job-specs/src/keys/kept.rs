//! Keys of what a job keeps and how it is tried again: `cache`, `artifacts`, `reports`, `retry`.

use super::Foreign::{Hint, Means};
use super::{Key, Others, Shape, Table, key, required};

const GLOBS: Shape = Shape::OneOrMany(&Shape::Text);

/// An item of `cache`.
pub(crate) static CACHE: Table = Table {
    what: "`cache`",
    about: "Files and folders that are put back before the first step and kept after the last one.",
    keys: &[
        required(
            "key",
            Shape::Text,
            "What it is found by, exactly: `cargo-${{ hash('Cargo.lock') }}`.",
        ),
        key(
            "fallback",
            GLOBS,
            "Beginnings of keys: without an exact match the newest cache with one of them is taken.",
        ),
        required("paths", GLOBS, "Files and folders, absolute or from /workspace."),
    ],
    foreign: &[
        ("path", Means("paths")),
        ("folders", Means("paths")),
        ("restore_keys", Means("fallback")),
        ("fallback_keys", Means("fallback")),
        ("prefix", Means("fallback")),
        ("name", Means("key")),
        (
            "policy",
            Hint("a cache is written when the job passes and its key is new"),
        ),
    ],
    others: Others::Refused,
};

/// An item of `artifacts`.
pub(crate) static ARTIFACT: Table = Table {
    what: "`artifacts`",
    about: "Files that are kept with the build, for people and for jobs that need this one.",
    keys: &[
        required("name", Shape::Text, "How it is called; unique in the job."),
        required("paths", GLOBS, "Globs of files in the workspace: `target/release/app`."),
        key(
            "expires",
            Shape::Duration,
            "It is deleted after this time, at least 1h. Default: what the coordinator is set to.",
        ),
        key(
            "when",
            Shape::Choice(&["success", "failure", "always"]),
            "When it is kept: success (default), failure or always.",
        ),
    ],
    foreign: &[
        ("path", Means("paths")),
        ("files", Means("paths")),
        ("expire_in", Means("expires")),
        ("retention_days", Means("expires")),
        ("reports", Hint("`reports` is a key of the job, beside `artifacts`")),
    ],
    others: Others::Refused,
};

/// The formats of `reports`.
pub(crate) static REPORTS: Table = Table {
    what: "`reports`",
    about: "Test reports in the workspace, by format; a glob or several.",
    keys: &[
        report("junit", "JUnit's XML: `target/**/junit.xml`."),
        report("tap", "The Test Anything Protocol."),
        report(
            "cargo_json",
            "`cargo test -- --format json`, or nextest with `--message-format libtest-json`.",
        ),
        report("go_json", "`go test -json`."),
    ],
    foreign: &[
        ("xml", Means("junit")),
        ("xunit", Means("junit")),
        ("cargo", Means("cargo_json")),
        ("nextest", Means("cargo_json")),
        ("go", Means("go_json")),
        ("go_test", Means("go_json")),
    ],
    others: Others::Refused,
};

const fn report(name: &'static str, about: &'static str) -> Key {
    key(name, GLOBS, about)
}

/// The map form of `retry`.
pub(crate) static RETRY: Table = Table {
    what: "`retry`",
    about: "How often, and after what.",
    keys: &[
        required("max", Shape::Whole(0, 10), "Tries after the first one."),
        key(
            "on",
            Shape::OneOrMany(&Shape::Text),
            "After what: infrastructure (we broke), test (a report names failed tests), timeout, any, `exit:75`.",
        ),
    ],
    foreign: &[
        ("attempts", Means("max")),
        ("limit", Means("max")),
        ("count", Means("max")),
        ("when", Means("on")),
        ("exit_codes", Hint("write `on: [\"exit:75\"]`")),
        ("exit_status", Hint("write `on: [\"exit:75\"]`")),
        (
            "delay",
            Hint("a retry starts at once; a step that must wait can `sleep`"),
        ),
    ],
    others: Others::Refused,
};
