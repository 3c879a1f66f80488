//! Warns of `paths` and `hash('…')` that match no file of the repository, when its files are known.

use crate::codes;
use crate::file::{Part, hash_calls};
use crate::globs::{Globs, has_wildcard};
use crate::hash;
use crate::problems::{Problem, Problems};
use crate::repository::Repository;
use crate::source::Location;
use crate::substitute::has_template;
use crate::yaml::{Node, Value};

/// Globs that are looked at; each is compared with every file.
const MAX_CHECKED: usize = 200;

/// Looks for globs that match nothing. A repository without any file says nothing about them.
pub(crate) fn paths(parts: &[Part], repository: &dyn Repository, problems: &mut Problems) {
    let calls = hash_calls(parts);
    hash::check_count(&calls, problems);
    let globs = written_paths(parts);
    if calls.is_empty() && globs.is_empty() {
        return;
    }
    // Files that cannot be listed are no fault of the job file; who needs them says so.
    let Some(files) = repository.list().ok().filter(|files| !files.is_empty()) else {
        return;
    };
    hash::check(&calls, &files, problems);
    for (glob, location) in globs.into_iter().take(MAX_CHECKED) {
        let Ok(globs) = Globs::new([glob]) else { continue };
        let matcher = globs.matcher();
        if !files.iter().any(|(path, _)| matcher.matches(path)) {
            problems.add(matches_nothing(glob, location, &files));
        }
    }
}

fn matches_nothing(glob: &str, location: Location, files: &[(String, String)]) -> Problem {
    let message = format!("`{glob}` matches no file of the repository");
    let problem = codes::NO_FILE_MATCHES.at(location, message);
    let folder = glob.trim_end_matches('/');
    let is_folder = |(path, _): &(String, String)| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    let anywhere = format!("/{glob}");
    if !has_wildcard(folder) && files.iter().any(is_folder) {
        problem.help(format!("it is a folder: write `{folder}/**`"))
    } else if !glob.contains('/') && files.iter().any(|(path, _)| path.ends_with(&anywhere)) {
        problem.help(format!("it is in a folder: write `**/{glob}`"))
    } else {
        problem
    }
}

/// The globs of every `paths` that are written out and do not leave out.
fn written_paths(parts: &[Part]) -> Vec<(&str, Location)> {
    let mut found = Vec::new();
    for part in parts {
        for event in ["push", "pull_request"] {
            let filter = part.on_node.as_ref().and_then(|on| on.get(event));
            collect(filter.and_then(|filter| filter.get("paths")), &mut found);
        }
        for job in &part.jobs {
            of_when(&job.node, &mut found);
            for step in job.node.list_of("steps") {
                of_when(step, &mut found);
            }
        }
    }
    found
}

fn of_when<'n>(owner: &'n Node, found: &mut Vec<(&'n str, Location)>) {
    let Some(when) = owner.get("when") else { return };
    match &when.value {
        Value::List(clauses) => clauses.iter().for_each(|clause| collect(clause.get("paths"), found)),
        Value::Map(_) | Value::Scalar(_) => collect(when.get("paths"), found),
    }
}

fn collect<'n>(paths: Option<&'n std::sync::Arc<Node>>, found: &mut Vec<(&'n str, Location)>) {
    let Some(paths) = paths else { return };
    let mut add = |node: &'n Node| {
        if let Value::Scalar(scalar) = &node.value
            && !scalar.text.starts_with('!')
            && !has_template(&scalar.text)
        {
            found.push((scalar.text.as_str(), node.location));
        }
    };
    match &paths.value {
        Value::List(items) => items.iter().for_each(|item| add(item)),
        Value::Scalar(_) | Value::Map(_) => add(paths),
    }
}
