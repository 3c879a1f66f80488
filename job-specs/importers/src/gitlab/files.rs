//! Caches, artifacts, reports and limits of a GitLab job.

use std::sync::Arc;

use job_specs::yaml::Node;

use super::job::Importer;
use crate::draft::Job;
use crate::notes::about;
use crate::out::{Map, Out};

impl Importer<'_> {
    pub(super) fn files(&mut self, job: &mut Job, node: &Node) {
        let caches = self.file.get(node, "cache");
        for cache in caches.map(|caches| caches.items()).unwrap_or_default() {
            self.cache(job, &cache);
        }
        if let Some(artifacts) = self.file.get(node, "artifacts") {
            self.artifacts(job, &artifacts);
        }
    }

    fn cache(&mut self, job: &mut Job, node: &Arc<Node>) {
        let known = ["key", "paths", "policy", "fallback_keys", "when"];
        self.notes.rest(node, &known, &[]);
        let paths = node.texts_of("paths");
        if paths.is_empty() {
            return;
        }
        let key = match node.get("key") {
            None => "default".to_owned(),
            Some(key) if key.entries().is_some() => {
                let prefix = key.text_of("prefix").map(|prefix| self.field(prefix, key));
                let files = key.texts_of("files").into_iter();
                let hashes = files.map(|file| format!("${{{{ hash('{file}') }}}}"));
                prefix.into_iter().chain(hashes).collect::<Vec<_>>().join("-")
            }
            Some(key) => self.field(key.text().unwrap_or("default"), key),
        };
        let fallback = node.texts_of("fallback_keys");
        let mut map = Map::default().with("key", Out::text(key));
        map.put_texts("fallback", fallback.iter().map(|key| self.field(key, node)));
        let paths: Vec<String> = paths.iter().map(|path| self.path(path, node)).collect();
        job.cache.push(Out::Map(map.with("paths", Out::texts(paths))));
    }

    /// A path in the workspace.
    fn path(&mut self, path: &str, node: &Node) -> String {
        let path = path.replace("${CI_PROJECT_DIR}", "").replace("$CI_PROJECT_DIR", "");
        let path = self.field(path.trim_start_matches('/').trim_end_matches('/'), node);
        if path.is_empty() { ".".to_owned() } else { path }
    }

    fn artifacts(&mut self, job: &mut Job, node: &Arc<Node>) {
        let known = &[
            "paths",
            "name",
            "expire_in",
            "reports",
            "when",
            "expose_as",
            "public",
            "access",
        ];
        let exclude = "of artifacts has no counterpart: name the paths more narrowly";
        self.notes.rest(node, known, &[about("exclude").say(exclude)]);
        if let Some(reports) = node.get("reports") {
            let answers = &[
                about("coverage_report").say("is not read: keep the file as an artifact"),
                about("dotenv").say("has no counterpart: write `KEY=value` lines to `$DROVER_OUTPUT`"),
            ];
            self.notes.rest(reports, &["junit"], answers);
            job.junit = reports.texts_of("junit");
        }
        let paths = node.texts_of("paths");
        if paths.is_empty() {
            return;
        }
        let name = node.text_of("name").filter(|name| !name.contains('$'));
        let mut map = Map::default().with("name", Out::text(name.unwrap_or(&job.name)));
        map.put_texts("paths", paths.iter().map(|path| self.path(path, node)));
        if let Some(expire) = node.get("expire_in") {
            match duration(expire.text().unwrap_or_default()) {
                Some(time) => map.put("expires", Out::text(time)),
                None if expire.text() == Some("never") => {}
                None => {
                    let text = "this time is not understood: write `expires: 7d`";
                    self.notes.add(expire.location, text);
                }
            }
        }
        match node.text_of("when") {
            Some("always") => map.put("when", Out::text("always")),
            Some("on_failure") => map.put("when", Out::text("failure")),
            _ => {}
        }
        job.artifacts.push(Out::Map(map));
    }

    pub(super) fn limits(&mut self, job: &mut Job, node: &Node) {
        if let Some(timeout) = self.file.get(node, "timeout") {
            job.timeout = duration(timeout.text().unwrap_or_default());
            if job.timeout.is_none() {
                let text = "this time is not understood: write `timeout: 1h30m`";
                self.notes.add(timeout.location, text);
            }
        }
        if let Some(retry) = self.file.get(node, "retry") {
            job.retry = self.retry(&retry);
        }
        if let Some(allow) = self.file.get(node, "allow_failure") {
            if allow.entries().is_some() {
                let text = "`allow_failure` takes no exit codes: every failure is allowed now";
                self.notes.add(allow.location, text);
            }
            let allowed = allow.entries().is_some() || allow.is_true();
            job.allow_failure = allowed.then(|| "true".to_owned());
        }
    }

    fn retry(&mut self, node: &Arc<Node>) -> Option<Out> {
        let max = node.text().or_else(|| node.text_of("max"))?.to_owned();
        let mut on: Vec<String> = Vec::new();
        for reason in node.texts_of("when") {
            let ours = match reason.as_str() {
                "always" | "script_failure" | "unknown_failure" => "any",
                "job_execution_timeout" => "timeout",
                _ => "infrastructure",
            };
            if !on.iter().any(|known| known == ours) {
                on.push(ours.to_owned());
            }
        }
        on.extend(node.texts_of("exit_codes").iter().map(|code| format!("exit:{code}")));
        if on.is_empty() {
            on.push("any".to_owned());
        }
        let map = Map::default().with("max", Out::Bare(max));
        Some(Out::Flow(map.with("on", Out::texts(on))))
    }
}

/// `3 hours 30 minutes`, `1h 30m`, `1 week` or a number of seconds as one of our durations.
pub(super) fn duration(text: &str) -> Option<String> {
    let mut seconds: u64 = 0;
    let mut rest = text.trim();
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, after) = rest.split_at(end);
        let number: u64 = number.parse().ok()?;
        let after = after.trim_start();
        let end = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
        let unit = match &after[..end] {
            "s" | "sec" | "secs" | "second" | "seconds" | "" => 1,
            "m" | "min" | "mins" | "minute" | "minutes" => 60,
            "h" | "hr" | "hrs" | "hour" | "hours" => 3600,
            "d" | "day" | "days" => 86_400,
            "w" | "week" | "weeks" => 7 * 86_400,
            "mo" | "mos" | "month" | "months" => 30 * 86_400,
            "y" | "yr" | "year" | "years" => 365 * 86_400,
            _ => return None,
        };
        seconds = seconds.checked_add(number.checked_mul(unit)?)?;
        rest = after[end..].trim_start_matches([' ', ',']).trim_start_matches("and ");
    }
    let units = [(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")];
    let mut out = String::new();
    for (unit, letter) in units {
        if seconds / unit > 0 {
            out.push_str(&format!("{}{letter}", seconds / unit));
        }
        seconds %= unit;
    }
    (!out.is_empty()).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn times_are_said_in_our_units() {
        let cases = [
            ("1 week", "7d"),
            ("3 hours 30 minutes", "3h30m"),
            ("1h 30m", "1h30m"),
            ("90", "1m30s"),
            ("2 days", "2d"),
        ];
        for (theirs, ours) in cases {
            assert_eq!(duration(theirs).as_deref(), Some(ours), "{theirs}");
        }
        assert_eq!(duration("never"), None);
        assert_eq!(duration(""), None);
    }
}
