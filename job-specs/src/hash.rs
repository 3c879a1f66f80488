//! `${{ hash('glob', …) }}`: one text that changes when a file changes. It is made from the Git blobs of the files
//! that match, so nothing has to be read for it.

use std::collections::{HashMap, HashSet};

use sha2::{Digest, Sha256};

use crate::codes;
use crate::env::Facts;
use crate::globs::Globs;
use crate::problems::{Problem, Problems};
use crate::repository::Repository;
use crate::source::Location;
use crate::substitute::{Piece, pieces};
use crate::yaml::{Node, Value};

/// Different calls of all files.
const MAX_CALLS: usize = 100;
/// Hex digits of a hash.
const DIGITS: usize = 32;

/// One call, and the value that it stands in.
#[derive(Debug, Clone)]
pub(crate) struct HashCall {
    /// What stands between the parentheses.
    pub(crate) arguments: String,
    pub(crate) location: Location,
}

/// One text for all files that match: 32 hex digits of a SHA-256 over paths and blobs, in order of the paths. `None`:
/// no file matches, or a glob is malformed. The globs are those of one list: `!` leaves out again.
pub fn hash_files(globs: &[&str], files: &[(String, String)]) -> Option<String> {
    let matcher = Globs::new(globs.iter().copied()).ok()?.matcher();
    let mut matching: Vec<&(String, String)> = files.iter().filter(|(path, _)| matcher.matches(path)).collect();
    if matching.is_empty() {
        return None;
    }
    matching.sort_unstable();
    let mut hash = Sha256::new();
    for (path, blob) in matching {
        hash.update(path.as_bytes());
        hash.update([0]);
        hash.update(blob.as_bytes());
        hash.update(b"\n");
    }
    let digest = hash.finalize();
    let hex: String = digest
        .iter()
        .take(DIGITS / 2)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Some(hex)
}

/// Puts the value of every call into the facts; one that matches no file is empty. What there is to say about them: a
/// warning for each that matches nothing, an error when the files cannot be listed.
pub(crate) fn fill(calls: &[HashCall], repository: &dyn Repository, facts: &mut Facts) -> Problems {
    let mut problems = Problems::default();
    let Some(first) = calls.first() else {
        return problems;
    };
    match repository.list() {
        Ok(files) => {
            for call in calls {
                if !facts.hashes.contains_key(&call.arguments) {
                    let hash = value(&call.arguments, &files);
                    facts.hashes.insert(call.arguments.clone(), hash.unwrap_or_default());
                }
                if facts.hashes.get(&call.arguments).is_some_and(String::is_empty) {
                    problems.add(no_file(call));
                }
            }
        }
        Err(why) => {
            let message = format!("the files of the repository cannot be listed: {why}");
            problems.add(codes::FILES_UNKNOWN.at(first.location, message));
        }
    }
    problems
}

/// Warns of calls that match none of these files.
pub(crate) fn check(calls: &[HashCall], files: &[(String, String)], problems: &mut Problems) {
    let mut known = HashMap::new();
    for call in calls {
        let arguments = call.arguments.as_str();
        if !*known
            .entry(arguments)
            .or_insert_with(|| value(arguments, files).is_some())
        {
            problems.add(no_file(call));
        }
    }
}

/// Every different call looks at every file, so there is an end to them.
pub(crate) fn check_count(calls: &[HashCall], problems: &mut Problems) {
    let mut seen = HashSet::new();
    let one_too_many = calls.iter().find(|call| {
        seen.insert(call.arguments.as_str());
        seen.len() > MAX_CALLS
    });
    if let Some(call) = one_too_many {
        let message = format!("there are more than {MAX_CALLS} different `hash()`");
        problems.add(codes::TOO_MANY_GLOBS.at(call.location, message).label("reached here"));
    }
}

fn no_file(call: &HashCall) -> Problem {
    let message = format!("`hash({})` matches no file", call.arguments);
    let problem = codes::NO_FILE_MATCHES.at(call.location, message);
    problem.note("its value is empty until one does")
}

fn value(arguments: &str, files: &[(String, String)]) -> Option<String> {
    let globs = globs_of(arguments).ok()?;
    hash_files(&globs, files)
}

/// The globs of a call: quoted, with commas between them.
///
/// # Errors
/// What is wrong, in a few words.
pub(crate) fn globs_of(arguments: &str) -> Result<Vec<&str>, &'static str> {
    let mut globs = Vec::new();
    let mut rest = arguments.trim();
    loop {
        let quote = rest.chars().next().filter(|quote| matches!(quote, '\'' | '"'));
        let quote = quote.ok_or("a quoted glob is expected")?;
        let (glob, after) = rest[1..].split_once(quote).ok_or("a quote is not closed")?;
        globs.push(glob);
        rest = after.trim_start();
        match rest.strip_prefix(',') {
            Some(next) => rest = next.trim_start(),
            None if rest.is_empty() => return Ok(globs),
            None => return Err("a comma is expected between two globs"),
        }
    }
}

/// Every call in the texts of a tree, in order.
pub(crate) fn calls_in(node: &Node, calls: &mut Vec<HashCall>) {
    match &node.value {
        Value::Scalar(scalar) => calls.extend(pieces(&scalar.text).into_iter().filter_map(|piece| match piece {
            Piece::Hash { arguments, .. } => Some(HashCall {
                arguments: arguments.to_owned(),
                location: node.location,
            }),
            Piece::Text(_) | Piece::Name(_) | Piece::Broken(_) => None,
        })),
        Value::List(items) => items.iter().for_each(|item| calls_in(item, calls)),
        Value::Map(entries) => entries.iter().for_each(|entry| calls_in(&entry.node, calls)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(paths: &[&str]) -> Vec<(String, String)> {
        paths
            .iter()
            .map(|path| ((*path).to_owned(), format!("blob of {path}")))
            .collect()
    }

    #[test]
    fn a_hash_changes_with_what_matches_and_with_nothing_else() {
        let one = hash_files(&["*.lock"], &files(&["a.lock", "b.rs"])).unwrap();
        assert_eq!(one.len(), DIGITS);
        assert_eq!(hash_files(&["*.lock"], &files(&["c.rs", "a.lock"])).unwrap(), one);
        let mut changed = files(&["a.lock"]);
        changed[0].1 = "another".to_owned();
        assert_ne!(hash_files(&["*.lock"], &changed).unwrap(), one);
        assert_ne!(hash_files(&["*.lock"], &files(&["a.lock", "b.lock"])).unwrap(), one);
        assert_eq!(hash_files(&["*.toml"], &files(&["a.lock"])), None);
        assert_eq!(hash_files(&["["], &files(&["["])), None);
    }

    #[test]
    fn globs_are_quoted_and_have_commas_between_them() {
        assert_eq!(globs_of("'a', \"b c\""), Ok(vec!["a", "b c"]));
        for text in ["", "a", "'a", "'a' 'b'", "'a',", "'a', b"] {
            assert!(globs_of(text).is_err(), "{text}");
        }
    }
}
