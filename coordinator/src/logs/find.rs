//! Searching a log where it is, frame by frame: 100 MB without 100 MB of memory, and the first hits at once.

use regex::bytes::{Regex, RegexBuilder};
use tokio::sync::mpsc;

use super::read::{More, numbered};
use super::stream::Snapshot;
use super::{Case, Find, Hit, LogError, Syntax};

/// A query may be so long, in bytes, and its program so large.
const QUERY_LEN: usize = 1_000;
const PROGRAM_LEN: usize = 1024 * 1024;

/// Makes a query ready; a bad one is told here, before any search.
pub(super) fn compile(find: &Find) -> Result<Regex, LogError> {
    if find.query.is_empty() || find.query.len() > QUERY_LEN {
        return Err(LogError::BadQuery(format!("it has 1 to {QUERY_LEN} bytes")));
    }
    let pattern = match find.syntax {
        Syntax::Text => regex::escape(&find.query),
        Syntax::Regex => find.query.clone(),
    };
    RegexBuilder::new(&pattern)
        .case_insensitive(find.case == Case::Ignored)
        .size_limit(PROGRAM_LEN)
        .dfa_size_limit(PROGRAM_LEN)
        .build()
        .map_err(|error| LogError::BadQuery(error.to_string()))
}

/// Sends every hit from line `from` on, until nobody listens.
pub(super) fn search(snapshot: &Snapshot, query: &Regex, from: u64, to: &mpsc::Sender<Result<Hit, LogError>>) {
    let searched = snapshot.blocks(|first, block| {
        if to.is_closed() {
            return Ok(More::No);
        }
        for numbered in numbered(first, block) {
            let (line, record) = numbered?;
            if line < from {
                continue;
            }
            let shown = record.shown();
            for found in query.find_iter(shown).filter(|found| !found.is_empty()) {
                let hit = Hit {
                    line,
                    column: characters(&shown[..found.start()]),
                    len: characters(found.as_bytes()),
                };
                if to.blocking_send(Ok(hit)).is_err() {
                    return Ok(More::No);
                }
            }
        }
        Ok(More::Yes)
    });
    if let Err(error) = searched {
        // Nobody may be listening any more.
        let _ = to.blocking_send(Err(error));
    }
}

/// Characters, as the line's text has them.
fn characters(bytes: &[u8]) -> usize {
    if bytes.is_ascii() {
        bytes.len()
    } else {
        String::from_utf8_lossy(bytes).chars().count()
    }
}
