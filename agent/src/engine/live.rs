//! What is in use: a sweep never touches what belongs to a live owner. An owner is kept *before* the first thing is
//! made for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::connect::Engine;

/// Whom a thing in the engine belongs to, by its labels.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Owner {
    /// `drover.attempt`
    Attempt(String),
    /// `drover.stack`
    Stack(String),
    /// `drover.sandbox`: its network and its anchor.
    Sandbox(String),
}

/// An owner is live while this exists.
#[derive(Debug)]
#[must_use = "the owner is live only while this exists"]
pub struct Kept {
    owner: Owner,
    live: Live,
}

/// The live owners of an engine.
#[derive(Debug, Clone, Default)]
pub(crate) struct Live(Arc<Mutex<HashMap<Owner, usize>>>);

impl Live {
    pub(crate) fn keep(&self, owner: Owner) -> Kept {
        *self
            .0
            .lock()
            .expect("no panic while held")
            .entry(owner.clone())
            .or_default() += 1;
        Kept {
            owner,
            live: self.clone(),
        }
    }

    pub(crate) fn is_live(&self, owner: &Owner) -> bool {
        self.0.lock().expect("no panic while held").contains_key(owner)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let mut owners = self.live.0.lock().expect("no panic while held");
        if let Some(count) = owners.get_mut(&self.owner) {
            *count -= 1;
            if *count == 0 {
                owners.remove(&self.owner);
            }
        }
    }
}

impl Engine {
    /// Declares an owner live until the answer is dropped; keeping one twice counts twice.
    pub fn keep(&self, owner: Owner) -> Kept {
        self.inner.live.keep(owner)
    }

    /// Somebody keeps it.
    pub fn is_kept(&self, owner: &Owner) -> bool {
        self.inner.live.is_live(owner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_live_until_the_last_who_keeps_it_lets_go() {
        let live = Live::default();
        let owner = Owner::Attempt("a".into());
        let first = live.keep(owner.clone());
        let second = live.keep(owner.clone());
        drop(first);
        assert!(live.is_live(&owner));
        assert!(
            !live.is_live(&Owner::Stack("a".into())),
            "a stack of the same name is another owner"
        );
        drop(second);
        assert!(!live.is_live(&owner));
    }
}
