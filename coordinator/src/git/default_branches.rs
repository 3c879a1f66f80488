//! What repositories call their default branches: asked of the repository, believed for a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long the name of a default branch is believed.
const BELIEVED: Duration = Duration::from_secs(600);
/// What the repositories call their default branches, as far as was asked lately.
#[derive(Clone, Default)]
pub(crate) struct DefaultBranches(Arc<Mutex<HashMap<String, Asked>>>);

/// What a repository said, and when; `None`: it did not say.
struct Asked {
    reference: Option<String>,
    at: Instant,
}

impl DefaultBranches {
    /// What was said lately.
    pub(crate) fn known(&self, repository: &str) -> Option<Option<String>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = known.get(repository)?;
        (asked.at.elapsed() < BELIEVED).then(|| asked.reference.clone())
    }

    /// It said that just now.
    pub(crate) fn learn(&self, repository: &str, reference: Option<String>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = Instant::now();
        known.insert(repository.to_owned(), Asked { reference, at });
    }
}
