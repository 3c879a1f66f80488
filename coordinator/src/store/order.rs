//! Which push came first, pure: from what the pushes say, from what the repository says, and in doubt not at all. Apart
//! from the store so that the rule can be read, and tried, in one place.
//!
//! Of two pushes to one reference, the later one is, by the first of these that tells:
//! 1. the one with the later time of the forge (pull requests have one);
//! 2. the one that the reference points at now, and the one that is reached from the other by commits before and after
//!    (`A → B`, `B → C`), in one direction only, if these two do not contradict each other;
//! 3. the one whose commit has the other's among its ancestors.
//!
//! Otherwise it stays open, and then neither stops the other.

use std::collections::HashSet;

use super::Micros;

/// The commit before a reference was made, or after it was removed.
pub const NOTHING: &str = "0";

/// A reference moves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Push {
    /// What moves: a reference, or a pull request.
    pub stream: String,
    /// The commit before, or [`NOTHING`]; `None`: the sender does not say.
    pub before: Option<String>,
    /// The commit from now on, or [`NOTHING`].
    pub after: String,
    /// Tells it apart from another push of the same commits; mostly empty.
    pub mark: String,
    /// When it happened, by the forge's clock.
    pub forge_at: Option<Micros>,
}

/// What the repository says while a push is processed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// The pushes that were known before anybody asked the repository: the `seq` of the newest.
    pub seen: i64,
    /// What the reference points at; `None`: there is none.
    pub tip: Option<String>,
    /// Commits that descend from the push's.
    pub descendants: Vec<String>,
    /// Commits that the push's descends from.
    pub ancestors: Vec<String>,
}

/// A push that was processed before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub(super) seq: i64,
    pub(super) push: Push,
    pub(super) was_tip: bool,
    pub(super) build: Option<i64>,
}

/// How another push or build stands to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    Earlier,
    Later,
    /// Nothing tells.
    Open,
}

/// What a push is among those that are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Judged {
    /// It was delivered before, and that made this build.
    Same(i64),
    /// It is one of its own.
    Own(Placed),
}

/// Where a push stands among the builds of its stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Placed {
    /// Its reference points at it.
    pub(super) is_tip: bool,
    /// The builds of the others, and how they stand to it.
    pub(super) builds: Vec<(i64, Relation)>,
}

/// Decides what a push is among those that are known, oldest processed first.
pub(super) fn judge(known: &[Known], push: &Push, observed: &Observed) -> Judged {
    let is_tip = observed.tip.as_deref().unwrap_or(NOTHING) == push.after;
    let scene = Scene {
        known,
        push,
        observed,
        is_tip,
        current: known.iter().rev().find(|known| known.was_tip),
    };
    let came_back = is_tip && !scene.is_current();
    let same = known.iter().rev().find(|known| is_same(&known.push, push));
    match same.and_then(|known| known.build).filter(|_| !came_back) {
        Some(build) => Judged::Same(build),
        None => Judged::Own(Placed {
            is_tip,
            builds: known
                .iter()
                .filter_map(|known| Some((known.build?, scene.relation(known))))
                .collect(),
        }),
    }
}

/// Equal as far as both say it.
fn is_same(one: &Push, other: &Push) -> bool {
    let fits = match (&one.before, &other.before) {
        (Some(one), Some(other)) => one == other,
        _ => true,
    };
    fits && one.after == other.after && one.mark == other.mark
}

struct Scene<'a> {
    known: &'a [Known],
    push: &'a Push,
    observed: &'a Observed,
    is_tip: bool,
    /// What the reference pointed at last, as far as is known.
    current: Option<&'a Known>,
}

impl Scene<'_> {
    /// The reference was seen at the push's commit before, and nobody saw it leave.
    fn is_current(&self) -> bool {
        self.current.is_some_and(|known| known.push.after == self.push.after)
    }

    fn relation(&self, other: &Known) -> Relation {
        if let Some(relation) = self.by_forge(other) {
            return relation;
        }
        match (self.by_tip(other), self.by_chain(other)) {
            (Some(tip), Some(chain)) if tip != chain => Relation::Open,
            (Some(relation), _) | (None, Some(relation)) => relation,
            (None, None) => self.by_history(other).unwrap_or(Relation::Open),
        }
    }

    fn by_forge(&self, other: &Known) -> Option<Relation> {
        let (ours, theirs) = (self.push.forge_at?, other.push.forge_at?);
        match theirs.cmp(&ours) {
            std::cmp::Ordering::Less => Some(Relation::Earlier),
            std::cmp::Ordering::Equal => None,
            std::cmp::Ordering::Greater => Some(Relation::Later),
        }
    }

    fn by_tip(&self, other: &Known) -> Option<Relation> {
        let is_at_tip = self.observed.tip.as_deref().unwrap_or(NOTHING) == other.push.after;
        match (self.is_tip, is_at_tip) {
            (false, true) => Some(Relation::Later),
            // The reference came to this commit now, or came back to it.
            (true, _) if !self.is_current() || !self.push.mark.is_empty() => Some(Relation::Earlier),
            // Another push has brought it here before: this one may be older than that or newer.
            (true, _) | (false, false) => None,
        }
    }

    fn by_chain(&self, other: &Known) -> Option<Relation> {
        let leads = |from: &Push, to: &Push| self.leads(&from.after, to.before.as_deref()?).then_some(());
        match (leads(self.push, &other.push), leads(&other.push, self.push)) {
            (Some(()), None) => Some(Relation::Later),
            (None, Some(())) => Some(Relation::Earlier),
            (Some(()), Some(())) | (None, None) => None,
        }
    }

    /// Whether known pushes lead from one commit to the other.
    fn leads(&self, from: &str, to: &str) -> bool {
        let (mut seen, mut next) = (HashSet::from([from]), vec![from]);
        while let Some(at) = next.pop().filter(|at| *at != NOTHING) {
            if at == to {
                return true;
            }
            let pushes = self.known.iter().map(|known| &known.push);
            let onward = pushes.filter(|push| push.before.as_deref() == Some(at));
            next.extend(
                onward
                    .map(|push| push.after.as_str())
                    .filter(|after| seen.insert(after)),
            );
        }
        false
    }

    fn by_history(&self, other: &Known) -> Option<Relation> {
        let after = &other.push.after;
        if self.observed.descendants.contains(after) {
            return Some(Relation::Later);
        }
        self.observed.ancestors.contains(after).then_some(Relation::Earlier)
    }
}
