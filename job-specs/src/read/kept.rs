//! What a job keeps: `cache`, `artifacts`, `reports`.

use std::collections::HashMap;

use crate::codes;
use crate::keys::{ARTIFACT, CACHE, REPORTS};
use crate::model::{ArtifactSpec, CacheSpec, ReportFormat, ReportSpec, WhenStatus};
use crate::problems::Problem;
use crate::read::globs::{GlobKind, Within};
use crate::reader::{Reader, Slot};
use crate::source::Place;

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

impl Reader<'_> {
    /// `cache` of a job.
    pub(crate) fn caches(&mut self, slot: Slot<'_>, owner: &str) -> Vec<CacheSpec> {
        let mut seen = HashMap::new();
        let mut caches = Vec::new();
        for item in self.at_most(slot, MAX_KEPT) {
            let Some(cache) = self.cache(item, owner) else { continue };
            self.once(&mut seen, &cache.key, item.place(), "two caches have the key");
            caches.push(cache);
        }
        caches
    }

    fn cache(&mut self, slot: Slot<'_>, owner: &str) -> Option<CacheSpec> {
        let owner = format!("`cache` of {owner}");
        let fields = self.fields(slot, &CACHE, &owner)?;
        let key = self.require(&fields, "key", &owner, slot.place());
        let key = key.and_then(|slot| self.line(slot, MAX_KEY_BYTES));
        let mut cache = CacheSpec::default();
        if let Some(fallback) = fields.get("fallback") {
            for item in self.at_most(fallback, MAX_ITEMS) {
                cache.fallback.extend(self.line(item, MAX_KEY_BYTES));
            }
        }
        if let Some(paths) = self.require(&fields, "paths", &owner, slot.place()) {
            self.some(paths);
            for item in self.at_most(paths, MAX_ITEMS) {
                let path = self.path(item, Within::Container);
                cache.paths.extend(path.filter(|path| !cache.paths.contains(path)));
            }
        }
        cache.key = key?;
        Some(cache)
    }

    /// `artifacts` of a job.
    pub(crate) fn artifacts(&mut self, slot: Slot<'_>, owner: &str) -> Vec<ArtifactSpec> {
        let mut seen = HashMap::new();
        let mut artifacts = Vec::new();
        for item in self.at_most(slot, MAX_KEPT) {
            let Some(artifact) = self.artifact(item, owner) else {
                continue;
            };
            self.once(&mut seen, &artifact.name, item.place(), "two artifacts have the name");
            artifacts.push(artifact);
        }
        artifacts
    }

    fn artifact(&mut self, slot: Slot<'_>, owner: &str) -> Option<ArtifactSpec> {
        let owner = format!("`artifacts` of {owner}");
        let fields = self.fields(slot, &ARTIFACT, &owner)?;
        let name = self.require(&fields, "name", &owner, slot.place());
        let name = name.and_then(|slot| self.artifact_name(slot));
        let paths = self.require(&fields, "paths", &owner, slot.place());
        let paths = paths.and_then(|slot| self.glob_texts(slot, GlobKind::Workspace));
        let expires = fields.get("expires");
        let expires_secs = expires.and_then(|slot| self.bounded_secs(slot, (HOUR, "1h"), (YEAR, "366d")));
        let when = fields.get("when").map(|slot| self.kept_when(slot));
        Some(ArtifactSpec {
            name: name?,
            paths: paths?,
            expires_secs,
            when: when.unwrap_or_default(),
        })
    }

    /// A name that can be a file's, because that is what it becomes when it is fetched.
    fn artifact_name(&mut self, slot: Slot<'_>) -> Option<String> {
        let name = self.line(slot, MAX_NAME_BYTES)?;
        let fine = |c: char| c.is_alphanumeric() || " ._-+@()=,".contains(c);
        if name.chars().all(fine) && !name.starts_with(['.', '-', ' ']) {
            return Some(name);
        }
        let problem = self.bad_value(
            slot,
            &codes::BAD_NAME,
            format!("`{name}` is not a name for an artifact"),
        );
        self.add(problem.label("letters, digits, spaces and `._-+@()=,` only, a letter or a digit first"));
        None
    }

    fn kept_when(&mut self, slot: Slot<'_>) -> WhenStatus {
        let word = self.choice(slot, &["success", "failure", "always"]);
        WhenStatus {
            success: word != Some("failure"),
            failure: matches!(word, Some("failure" | "always")),
        }
    }

    /// `reports` of a job, in the order of the formats.
    pub(crate) fn reports(&mut self, slot: Slot<'_>, owner: &str) -> Vec<ReportSpec> {
        let Some(fields) = self.fields(slot, &REPORTS, &format!("`reports` of {owner}")) else {
            return Vec::new();
        };
        let formats = [
            ("junit", ReportFormat::Junit),
            ("tap", ReportFormat::Tap),
            ("cargo_json", ReportFormat::CargoJson),
            ("go_json", ReportFormat::GoJson),
        ];
        let mut reports = Vec::new();
        for (key, format) in formats {
            let paths = fields
                .get(key)
                .and_then(|slot| self.glob_texts(slot, GlobKind::Workspace));
            reports.extend(paths.map(|paths| ReportSpec { format, paths }));
        }
        reports
    }

    /// One, or the items of a list that does not grow without end.
    pub(crate) fn at_most<'n>(&mut self, slot: Slot<'n>, max: usize) -> Vec<Slot<'n>> {
        let mut items = self.one_or_many(slot);
        if items.len() > max {
            let message = format!("{} has {} items; at most {max} are allowed", slot.name(), items.len());
            self.add(Problem::at(&codes::BAD_VALUE, slot.place(), message));
            items.truncate(max);
        }
        items
    }

    /// The items of a list that is not empty.
    pub(crate) fn some<'n>(&mut self, slot: Slot<'n>) -> Vec<Slot<'n>> {
        let items = self.one_or_many(slot);
        if items.is_empty() {
            self.add(Problem::at(
                &codes::BAD_VALUE,
                slot.place(),
                format!("{} is empty", slot.name()),
            ));
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
        let problem = self.bad_value(slot, &codes::BAD_VALUE, message);
        self.add(problem);
        None
    }

    fn once(&mut self, seen: &mut HashMap<String, Place>, name: &str, place: Place, what: &str) {
        if let Some(first) = seen.get(name) {
            let problem = Problem::at(&codes::DUPLICATE, place, format!("{what} `{name}`"));
            self.add(problem.label("again").related(*first, "first here"));
        } else {
            seen.insert(name.to_owned(), place);
        }
    }
}
