//! What tests said: the reports of attempts, which tests are new failures, fixed or flaky, and how long they take.
//!
//! # Layout
//! [`keep`] a part of a report from an agent · [`of_build`] the tests of a build · `of_test` one test, or the
//! worst of a repository · `batch` many rows in one statement.

mod batch;
mod keep;
mod of_build;
mod of_test;

pub use keep::{keep, prune};
pub use of_build::{Filter, Found, Grid, Run, fixed, grid, of_attempt, of_build, results};
pub use of_test::{flaky, history, slowest, timings};

use protocol::ids::RepositoryId;
use sha2::{Digest, Sha256};

/// A test that passed and failed at one commit counts as flaky for this long: 14 days, in microseconds.
pub const FLAKY_FOR_US: i64 = 14 * 24 * 3_600 * 1_000_000;

/// The id of a test: 63 bits of the hash of its names. Two of a million tests share one once in ten million repositories.
fn test_id(repository: &RepositoryId, suite: &str, name: &str) -> i64 {
    let mut hash = Sha256::new();
    for part in [repository.as_str(), suite, name] {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    i64::from_be_bytes(first) & i64::MAX
}
