//! Which events make a build (`on` with its filters), and the sentences that say why something is left out: the same
//! ones for `on` and for `when`.

use crate::env::Facts;
use crate::globs::Globs;

/// One event that a file wants, with its filters; all of them must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Trigger {
    pub(crate) event: &'static str,
    /// Of a push: the branch. Of a pull request: the one that it wants to go into.
    pub(crate) branches: Option<Globs>,
    pub(crate) branches_ignore: Option<Globs>,
    pub(crate) tags: Option<Globs>,
    pub(crate) paths: Option<Globs>,
    pub(crate) paths_ignore: Option<Globs>,
}

impl Trigger {
    /// The event without any filter.
    pub(crate) fn any(event: &'static str) -> Trigger {
        Trigger {
            event,
            ..Trigger::default()
        }
    }

    /// Whether changed paths have to be known.
    pub(crate) fn needs_paths(&self) -> bool {
        self.paths.is_some() || self.paths_ignore.is_some()
    }

    /// Why a build of this event is not wanted, in one sentence without a full stop; `None`: it is.
    pub(crate) fn fault(&self, facts: &Facts) -> Option<String> {
        let (kind, branch) = match self.event {
            "pull_request" => ("base branch", facts.base.as_deref()),
            _ => ("branch", facts.branch.as_deref()),
        };
        let wanted = || {
            let globs = self.branches.as_ref()?;
            not_among(kind, branch, globs)
        };
        let ignored = || {
            let globs = self.branches_ignore.as_ref()?;
            let branch = branch.filter(|branch| globs.matches(branch))?;
            Some(format!("{kind} `{branch}` is ignored by {}", globs.listed()))
        };
        let tagged = || not_among("tag", facts.tag.as_deref(), self.tags.as_ref()?);
        wanted()
            .or_else(ignored)
            .or_else(tagged)
            .or_else(|| self.path_fault(facts))
    }

    fn path_fault(&self, facts: &Facts) -> Option<String> {
        if !self.needs_paths() || facts.event == "tag" {
            return None;
        }
        let changed = facts.changed.as_deref()?;
        let Some(ignore) = &self.paths_ignore else {
            return unchanged(changed, self.paths.as_ref()?);
        };
        let ignored = ignore.matcher();
        let rest: Vec<String> = changed.iter().filter(|path| !ignored.matches(path)).cloned().collect();
        if rest.is_empty() && !changed.is_empty() {
            return Some(format!("every changed path is ignored by {}", ignore.listed()));
        }
        match &self.paths {
            Some(paths) => unchanged(&rest, paths),
            None => rest.is_empty().then(|| "no path has changed".to_owned()),
        }
    }
}

/// ``branch `x` is none of `main`, `release/**` ``; `None` when it is.
pub(crate) fn not_among(kind: &str, name: Option<&str>, globs: &Globs) -> Option<String> {
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        return Some(format!("there is no {kind} to match {}", globs.listed()));
    };
    if globs.matches(name) {
        return None;
    }
    let relation = if globs.is_single() { "is not" } else { "is none of" };
    Some(format!("{kind} `{name}` {relation} {}", globs.listed()))
}

/// ``no changed path matches `src/**` ``; `None` when one does.
pub(crate) fn unchanged(changed: &[String], globs: &Globs) -> Option<String> {
    let matcher = globs.matcher();
    if changed.iter().any(|path| matcher.matches(path)) {
        return None;
    }
    Some(format!("no changed path matches {}", globs.listed()))
}
