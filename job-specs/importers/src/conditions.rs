//! Conditions of other systems as `when` clauses, and triggers as `on`.

use std::sync::Arc;

use job_specs::yaml::Node;

use crate::out::{Map, Out};

/// One clause of `when` on its way.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Clause {
    pub(crate) events: Vec<String>,
    pub(crate) branches: Vec<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) paths: Vec<String>,
    pub(crate) matrix: Vec<(String, String)>,
    pub(crate) status: Vec<String>,
}

impl Clause {
    /// It runs only by hand: what a condition becomes that cannot be carried over.
    pub(crate) fn by_hand() -> Clause {
        Clause {
            events: vec!["manual".to_owned()],
            ..Clause::default()
        }
    }

    /// One clause for branches and one for tags: no build has both.
    pub(crate) fn divided(self) -> Vec<Clause> {
        if self.branches.is_empty() || self.tags.is_empty() {
            return vec![self];
        }
        let mut of_branches = self.clone();
        of_branches.tags.clear();
        of_branches.events.retain(|event| event != "tag");
        let of_tags = Clause {
            events: vec!["tag".to_owned()],
            branches: Vec::new(),
            ..self
        };
        vec![of_branches, of_tags]
    }

    /// The value of `when`; `None` when it says nothing.
    pub(crate) fn out(&self) -> Option<Out> {
        let mut map = Map::default();
        map.put_one_or_many("event", &self.events);
        map.put_one_or_many("branch", &self.branches);
        map.put_one_or_many("tag", &self.tags);
        map.put_one_or_many("paths", &self.paths);
        map.put_flow("matrix", Map::of(&self.matrix));
        map.put_one_or_many("status", &self.status);
        (!map.is_empty()).then_some(Out::Flow(map))
    }
}

/// Several clauses, one of which is enough.
pub(crate) fn any_of(clauses: &[Clause]) -> Option<Out> {
    let outs: Option<Vec<Out>> = clauses.iter().map(Clause::out).collect();
    let mut outs = outs?;
    match outs.len() {
        0 => None,
        1 => outs.pop(),
        _ => Some(Out::List(outs)),
    }
}

/// Globs of a filter that is a text, a list, or a map of `include` and `exclude`.
pub(crate) fn globs(node: &Arc<Node>) -> Vec<String> {
    if node.entries().is_none() {
        return node.texts();
    }
    with_excluded(node.texts_of("include"), node.texts_of("exclude"))
}

/// Globs with those that must not match.
pub(crate) fn with_excluded(mut globs: Vec<String>, excluded: Vec<String>) -> Vec<String> {
    if globs.is_empty() && !excluded.is_empty() {
        globs.push("**".to_owned());
    }
    globs.extend(excluded.into_iter().map(|glob| format!("!{glob}")));
    globs
}

/// The value of `on`, from filters of each event: `(event, its filters)`.
pub(crate) fn on(events: Vec<(&str, Map)>) -> Option<Out> {
    if events.is_empty() {
        return None;
    }
    if events.iter().all(|(_, filters)| filters.is_empty()) {
        return Some(Out::texts(events.into_iter().map(|(event, _)| event)));
    }
    let mut map = Map::default();
    for (event, filters) in events {
        map.put(event, Out::Flow(filters));
    }
    Some(Out::Map(map))
}
