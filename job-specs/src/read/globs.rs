//! Globs and paths: of branches, tags, the repository and the workspace.

use crate::codes;
use crate::globs::{Globs, MAX_GLOBS};
use crate::reader::{Reader, Slot};
use crate::yaml::Value;

/// Globs over all cells of all jobs.
const MAX_ALL_GLOBS: usize = 10_000;
/// Folders in which the engine keeps its own things.
const NOT_OURS: [&str; 4] = ["/proc", "/sys", "/dev", "/.drover"];

/// What globs are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GlobKind {
    /// Branches or tags.
    Reference,
    /// Paths of the repository.
    Path,
    /// Paths of the workspace, while a job runs.
    Workspace,
}

/// Where a path may lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Within {
    /// Into the workspace only; the path is relative to it.
    Workspace,
    /// Anywhere in the container.
    Container,
}

impl Reader<'_> {
    /// One glob or several, written out.
    pub(crate) fn written_globs(&mut self, slot: Slot<'_>, kind: GlobKind) -> Option<Globs> {
        let mut known = true;
        for item in self.one_or_many(slot) {
            if let Value::Scalar(scalar) = &item.node.value {
                known &= self.no_template(item, &scalar.text).is_some();
            }
        }
        if known { self.globs(slot, kind) } else { None }
    }

    /// One glob or several. `None` when one is wrong or not known yet.
    pub(crate) fn globs(&mut self, slot: Slot<'_>, kind: GlobKind) -> Option<Globs> {
        let texts = self.glob_texts(slot, kind)?;
        Globs::new(texts.iter().map(String::as_str)).ok()
    }

    /// The same as texts, each of them a glob.
    pub(crate) fn glob_texts(&mut self, slot: Slot<'_>, kind: GlobKind) -> Option<Vec<String>> {
        let items = self.one_or_many(slot);
        if items.is_empty() {
            let message = format!("{} is empty, so nothing would match", slot.name());
            let problem = codes::NEVER_TRUE.at(slot.location(), message);
            return self.reject(problem.help("remove it, or name something"));
        }
        self.count_globs(slot, items.len())?;
        let texts: Vec<Option<String>> = items.into_iter().map(|item| self.glob(item, kind)).collect();
        texts.into_iter().collect()
    }

    fn count_globs(&mut self, slot: Slot<'_>, more: usize) -> Option<()> {
        let before = self.spent.globs;
        self.spent.globs += more;
        let message = if more > MAX_GLOBS {
            format!("{} has {more} globs; at most {MAX_GLOBS} are allowed", slot.name())
        } else if self.spent.globs > MAX_ALL_GLOBS {
            if before > MAX_ALL_GLOBS {
                return None;
            }
            format!("all jobs together have more than {MAX_ALL_GLOBS} globs")
        } else {
            return Some(());
        };
        self.reject(codes::TOO_MANY_GLOBS.at(slot.location(), message))
    }

    fn glob(&mut self, item: Slot<'_>, kind: GlobKind) -> Option<String> {
        let text = self.text(item)?;
        if let Err(fault) = Globs::new([text.as_str()]) {
            let problem = self.bad_value(item, &codes::BAD_GLOB, format!("`{text}` is not a glob"));
            return self.reject(problem.label(fault));
        }
        let inner = text.strip_prefix('!').unwrap_or(&text);
        let prefixes: &[&str] = match kind {
            GlobKind::Reference => &["refs/heads/", "refs/tags/", "origin/"],
            GlobKind::Path => &["./", "/workspace/", "/"],
            GlobKind::Workspace => &["./", "/workspace/"],
        };
        if let Some(better) = prefixes.iter().find_map(|prefix| inner.strip_prefix(prefix)) {
            let problem = self.bad_value(item, &codes::BAD_GLOB, format!("`{text}` would never match"));
            return self.reject(problem.help(format!("write `{better}`")));
        }
        if kind != GlobKind::Reference && leaves(inner) {
            return self.outside(item, &text);
        }
        if kind == GlobKind::Workspace && inner.starts_with('/') {
            return self.not_inside(item, &text);
        }
        Some(text)
    }

    /// A path. One into the workspace is relative to it afterwards; `.` is all of it.
    pub(crate) fn path(&mut self, slot: Slot<'_>, reach: Within) -> Option<String> {
        let text = self.text(slot)?;
        let bad = |reader: &mut Self, message: String| reader.bad_value(slot, &codes::BAD_PATH, message);
        let inside = match text.strip_prefix("/workspace") {
            Some("") => ".",
            Some(rest) if rest.starts_with('/') => rest.trim_start_matches('/'),
            _ => text.strip_prefix("./").unwrap_or(&text),
        };
        let path = match inside.trim_end_matches('/') {
            "" if text.starts_with('/') => "/",
            path => path,
        };
        let problem = if text.trim().is_empty() || text.contains(['\0', '\n']) {
            bad(self, format!("{} is not a path", slot.name()))
        } else if text.starts_with('~') || text.starts_with('$') {
            bad(self, format!("`{text}` is not expanded")).help("write the path out: `/root/.cache`")
        } else if leaves(path) {
            return self.outside(slot, &text);
        } else if path.starts_with('/') && reach == Within::Workspace {
            return self.not_inside(slot, &text);
        } else if path == "/" || is_not_ours(path) {
            bad(self, format!("`{text}` belongs to the container itself")).help("name a folder that the job makes")
        } else {
            return Some(path.to_owned());
        };
        self.reject(problem)
    }

    fn not_inside(&mut self, slot: Slot<'_>, text: &str) -> Option<String> {
        let problem = self.bad_value(slot, &codes::BAD_PATH, format!("`{text}` is not in the workspace"));
        self.reject(problem.help("let a step put it into the workspace, and write it relative to /workspace"))
    }

    fn outside(&mut self, slot: Slot<'_>, text: &str) -> Option<String> {
        let problem = self.bad_value(slot, &codes::BAD_PATH, format!("`{text}` leads out of its folder"));
        self.reject(problem.help("write the path without `..`"))
    }
}

fn leaves(path: &str) -> bool {
    path.split('/').any(|part| part == "..")
}

fn is_not_ours(path: &str) -> bool {
    NOT_OURS.iter().any(|folder| {
        let rest = path.strip_prefix(folder);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}
