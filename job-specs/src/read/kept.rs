//! What a job keeps: `cache`, `artifacts`, `reports`.

use std::collections::HashMap;

use crate::codes;
use crate::model::{ArtifactSpec, CacheSpec, ReportFormat, ReportSpec, WhenStatus};
use crate::read::globs::{GlobKind, Within};
use crate::reader::keys::Foreign::{Hint, Means};
use crate::reader::keys::{Kind, Others, Shape, Table, key, kind, required};
use crate::reader::{Reader, Slot};
use crate::source::Location;

/// Items of `cache`, and of `artifacts`.
const MAX_KEPT: usize = 50;
/// Items of a list inside of one.
const MAX_ITEMS: usize = 100;
/// Bytes of a cache's key.
const MAX_KEY_BYTES: usize = 512;
/// Bytes of an artifact's name.
const MAX_NAME_BYTES: usize = 128;
const HOUR: u64 = 3600;
const YEAR: u64 = 366 * 24 * HOUR;

/// `cache` of a job.
pub(crate) const CACHES: Kind<Vec<CacheSpec>> = Kind {
    shape: Shape::OneOrMany(&Shape::Object(&CACHE)),
    read: |reader, slot, _| Some(reader.caches(slot)),
};
/// `artifacts` of a job.
pub(crate) const ARTIFACTS: Kind<Vec<ArtifactSpec>> = Kind {
    shape: Shape::OneOrMany(&Shape::Object(&ARTIFACT)),
    read: |reader, slot, _| Some(reader.artifacts(slot)),
};
/// `reports` of a job, in the order of the formats.
pub(crate) const REPORTS: Kind<Vec<ReportSpec>> = Kind {
    shape: Shape::Object(&REPORT_KEYS),
    read: |reader, slot, _| Some(reader.map(slot, &REPORT_KEYS)?.0),
};

/// An item of `cache`.
static CACHE: Table<CacheSpec> = Table {
    what: "`cache`",
    about: "Files and folders that are put back before the first step and kept after the last one.",
    keys: &[
        required("key")
            .about("What it is found by, exactly: `cargo-${{ hash('Cargo.lock') }}`.")
            .set(&(CACHE_KEY, |cache, key| cache.key = key)),
        key("fallback")
            .about("Beginnings of keys: without an exact match the newest cache with one of them is taken.")
            .set(&(FALLBACK, |cache, keys| cache.fallback = keys)),
        required("paths")
            .about("Files and folders, absolute or from /workspace.")
            .set(&(CACHE_PATHS, |cache, paths| cache.paths = paths)),
    ],
    foreign: &[
        Means("paths").answers(&["path", "folders"]),
        Means("fallback").answers(&["restore_keys", "fallback_keys", "prefix"]),
        Means("key").answers(&["name"]),
        Hint("a cache is written when the job passes and its key is new").answers(&["policy"]),
    ],
    others: Others::Refused,
};

const CACHE_KEY: Kind<String> = kind(Shape::Text, |reader, slot, _| reader.line(slot, MAX_KEY_BYTES));
const FALLBACK: Kind<Vec<String>> = kind(Shape::OneOrMany(&Shape::Text), |reader, slot, _| {
    let items = reader.at_most(slot, MAX_ITEMS).into_iter();
    Some(items.filter_map(|item| reader.line(item, MAX_KEY_BYTES)).collect())
});
const CACHE_PATHS: Kind<Vec<String>> = kind(Shape::OneOrMany(&Shape::Text), |reader, slot, _| {
    let mut paths = Vec::new();
    reader.some(slot);
    for item in reader.at_most(slot, MAX_ITEMS) {
        let path = reader.path(item, Within::Container);
        paths.extend(path.filter(|path| !paths.contains(path)));
    }
    Some(paths)
});

/// An item of `artifacts`.
static ARTIFACT: Table<ArtifactSpec> = Table {
    what: "`artifacts`",
    about: "Files that are kept with the build, for people and for jobs that need this one.",
    keys: &[
        required("name")
            .about("How it is called; unique in the job.")
            .set(&(ARTIFACT_NAME, |artifact, name| artifact.name = name)),
        required("paths")
            .about("Globs of files in the workspace: `target/release/app`.")
            .set(&(FILES, |artifact, paths| artifact.paths = paths)),
        key("expires")
            .about("It is deleted after this time, at least 1h. Default: what the coordinator is set to.")
            .set(&(EXPIRES, |artifact, secs| artifact.expires_secs = Some(secs))),
        key("when")
            .about("When it is kept: success (default), failure or always.")
            .set(&(KEPT_WHEN, |artifact, when| artifact.when = when)),
    ],
    foreign: &[
        Means("paths").answers(&["path", "files"]),
        Means("expires").answers(&["expire_in", "retention_days"]),
        Hint("`reports` is a key of the job, beside `artifacts`").answers(&["reports"]),
    ],
    others: Others::Refused,
};

const ARTIFACT_NAME: Kind<String> = kind(Shape::Text, |reader, slot, _| reader.artifact_name(slot));
/// Globs of files in the workspace.
const FILES: Kind<Vec<String>> = kind(Shape::OneOrMany(&Shape::Text), |reader, slot, _| {
    reader.glob_texts(slot, GlobKind::Workspace)
});
const EXPIRES: Kind<u64> = kind(Shape::Duration, |reader, slot, _| {
    reader.bounded_secs(slot, (HOUR, "1h"), (YEAR, "366d"))
});
const OUTCOMES: &[&str] = &["success", "failure", "always"];
const KEPT_WHEN: Kind<WhenStatus> = kind(Shape::Choice(OUTCOMES), |reader, slot, _| {
    let word = reader.choice(slot, OUTCOMES)?;
    Some(WhenStatus {
        success: word != "failure",
        failure: word != "success",
    })
});

/// The formats of `reports`.
static REPORT_KEYS: Table<Vec<ReportSpec>> = Table {
    what: "`reports`",
    about: "Test reports in the workspace, by format; a glob or several.",
    keys: &[
        key("junit")
            .about("JUnit's XML: `target/**/junit.xml`.")
            .set(&(FILES, |reports, paths| add(reports, ReportFormat::Junit, paths))),
        key("tap")
            .about("The Test Anything Protocol.")
            .set(&(FILES, |reports, paths| add(reports, ReportFormat::Tap, paths))),
        key("cargo_json")
            .about("`cargo test -- --format json`, or nextest with `--message-format libtest-json`.")
            .set(&(FILES, |reports, paths| add(reports, ReportFormat::CargoJson, paths))),
        key("go_json")
            .about("`go test -json`.")
            .set(&(FILES, |reports, paths| add(reports, ReportFormat::GoJson, paths))),
    ],
    foreign: &[
        Means("junit").answers(&["xml", "xunit"]),
        Means("cargo_json").answers(&["cargo", "nextest"]),
        Means("go_json").answers(&["go", "go_test"]),
    ],
    others: Others::Refused,
};

fn add(reports: &mut Vec<ReportSpec>, format: ReportFormat, paths: Vec<String>) {
    reports.push(ReportSpec { format, paths });
}

impl Reader<'_> {
    fn caches(&mut self, slot: Slot<'_>) -> Vec<CacheSpec> {
        let mut seen = HashMap::new();
        let mut caches = Vec::new();
        for item in self.at_most(slot, MAX_KEPT) {
            let Some((cache, _)) = self.map(item, &CACHE) else {
                continue;
            };
            if !cache.key.is_empty() {
                self.once(&mut seen, &cache.key, item.location(), "two caches have the key");
                caches.push(cache);
            }
        }
        caches
    }

    fn artifacts(&mut self, slot: Slot<'_>) -> Vec<ArtifactSpec> {
        let mut seen = HashMap::new();
        let mut artifacts = Vec::new();
        for item in self.at_most(slot, MAX_KEPT) {
            let Some((artifact, _)) = self.map(item, &ARTIFACT) else {
                continue;
            };
            if !artifact.name.is_empty() && !artifact.paths.is_empty() {
                let what = "two artifacts have the name";
                self.once(&mut seen, &artifact.name, item.location(), what);
                artifacts.push(artifact);
            }
        }
        artifacts
    }

    /// A name that can be a file's, because that is what it becomes when it is fetched.
    fn artifact_name(&mut self, slot: Slot<'_>) -> Option<String> {
        let name = self.line(slot, MAX_NAME_BYTES)?;
        let fine = |c: char| c.is_alphanumeric() || " ._-+@()=,".contains(c);
        if name.chars().all(fine) && !name.starts_with(['.', '-', ' ']) {
            return Some(name);
        }
        let message = format!("`{name}` is not a name for an artifact");
        let problem = self.bad_value(slot, &codes::BAD_NAME, message);
        self.reject(problem.label("letters, digits, spaces and `._-+@()=,` only, a letter or a digit first"))
    }

    /// One, or the items of a list that does not grow without end.
    pub(crate) fn at_most<'n>(&mut self, slot: Slot<'n>, max: usize) -> Vec<Slot<'n>> {
        let mut items = self.one_or_many(slot);
        if items.len() > max {
            let message = format!("{} has {} items; at most {max} are allowed", slot.name(), items.len());
            self.add(codes::BAD_VALUE.at(slot.location(), message));
            items.truncate(max);
        }
        items
    }

    /// The items of a list that is not empty.
    pub(crate) fn some<'n>(&mut self, slot: Slot<'n>) -> Vec<Slot<'n>> {
        let items = self.one_or_many(slot);
        if items.is_empty() {
            self.add(codes::BAD_VALUE.at(slot.location(), format!("{} is empty", slot.name())));
        }
        items
    }

    /// One line of text that is not empty.
    pub(crate) fn line(&mut self, slot: Slot<'_>, max_bytes: usize) -> Option<String> {
        let text = self.text(slot)?;
        if !text.trim().is_empty() && text.len() <= max_bytes && !text.contains(['\n', '\r', '\0']) {
            return Some(text);
        }
        let message = format!("{} is one line of 1 to {max_bytes} bytes", slot.name());
        let problem = self.not_allowed(slot, message);
        self.reject(problem)
    }

    fn once(&mut self, seen: &mut HashMap<String, Location>, name: &str, location: Location, what: &str) {
        if let Some(first) = seen.get(name) {
            let problem = codes::DUPLICATE.at(location, format!("{what} `{name}`"));
            self.add(problem.label("again").related(*first, "first here"));
        } else {
            seen.insert(name.to_owned(), location);
        }
    }
}
