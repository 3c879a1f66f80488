//! The pushes that were processed, reference by reference: what tells a delivery that is late, or comes again, from a
//! new one. A decision counts only if nothing came in between since the repository was asked (`Admitted::Moved`).

use protocol::ids::RepositoryId;

use super::order::{self, Judged, Known, NOTHING, Observed, Placed, Push};
use super::{Micros, Store, StoreError};
use crate::db::{DbError, Row, Tx, args};

/// Commits that the repository is asked about: a late delivery is mostly late by a few pushes.
const COMPARED: usize = 20;
/// Pushes of one reference that are remembered.
const REMEMBERED: i64 = 100;
/// A delivery that is later than this is nobody's any more, in microseconds: 90 days.
const FORGET_US: i64 = 90 * 86_400_000_000;

const FIND: &str = "select seq, before, after, mark, forge_at, was_tip, build from pushes
                    where repository = $1 and stream = $2 order by seq";

/// What is known of a stream.
#[derive(Debug, Clone, Default)]
pub struct Stream(Vec<Known>);

impl Stream {
    /// The `seq` of the newest.
    pub fn newest(&self) -> i64 {
        self.0.last().map_or(0, |known| known.seq)
    }

    /// The commits that were pushed last.
    pub fn commits(&self) -> Vec<String> {
        let mut commits: Vec<String> = Vec::new();
        let pushed = self.0.iter().rev().map(|known| &known.push.after);
        for commit in pushed.filter(|commit| *commit != NOTHING) {
            if commits.len() < COMPARED && !commits.contains(commit) {
                commits.push(commit.clone());
            }
        }
        commits
    }

    /// The build that the same push made before.
    pub fn build_of(&self, push: &Push, observed: &Observed) -> Option<i64> {
        match order::judge(&self.0, push, observed) {
            Judged::Same(build) => Some(build),
            Judged::Own(_) => None,
        }
    }
}

fn from_rows(rows: &[Row], stream: &str) -> Result<Stream, DbError> {
    let known = rows.iter().map(|row| {
        Ok(Known {
            seq: row.get("seq")?,
            push: Push {
                stream: stream.to_owned(),
                before: row.get("before")?,
                after: row.get("after")?,
                mark: row.get("mark")?,
                forge_at: row.get("forge_at")?,
            },
            was_tip: row.flag("was_tip")?,
            build: row.get("build")?,
        })
    });
    Ok(Stream(known.collect::<Result<_, DbError>>()?))
}

/// What is known of a stream now.
///
/// # Errors
/// The database.
pub async fn of(store: &Store, repository: &RepositoryId, stream: &str) -> Result<Stream, StoreError> {
    let rows = store.db.all(FIND, args![repository, stream]).await?;
    Ok(from_rows(&rows, stream)?)
}

/// Remembers a push that makes no build.
///
/// # Errors
/// The database.
pub async fn note(store: &Store, repository: &RepositoryId, push: Push, observed: Observed) -> Result<(), StoreError> {
    let (repository, now) = (repository.clone(), store.now());
    store
        .write(move |tx| {
            Box::pin(async move {
                if let Admitted::Own(own) = admit(tx, &repository, &push, &observed).await? {
                    own.keep(tx, &repository, (&push, None), now).await?;
                }
                // Else it is known, or the next delivery knows better.
                Ok(())
            })
        })
        .await
}

/// What a push is, now that nobody else can process one of its repository.
#[derive(Debug)]
pub(super) enum Admitted {
    /// The same was delivered before and made this build.
    Same(i64),
    /// Others came in between: the repository must be asked again.
    Moved,
    /// One of its own.
    Own(Own),
}

/// A push that is new.
#[derive(Debug)]
pub(super) struct Own {
    pub(super) placed: Placed,
    seq: i64,
}

/// Decides about a push, under the lock of its repository.
pub(super) async fn admit(
    tx: &mut Tx,
    repository: &RepositoryId,
    push: &Push,
    observed: &Observed,
) -> Result<Admitted, StoreError> {
    let lock = "select id from repositories where id = $1 for update";
    tx.first(lock, args![repository]).await?;
    let rows = tx.all(FIND, args![repository, &push.stream]).await?;
    let stream = from_rows(&rows, &push.stream)?;
    if stream.newest() != observed.seen {
        return Ok(Admitted::Moved);
    }
    Ok(match order::judge(&stream.0, push, observed) {
        Judged::Same(build) => Admitted::Same(build),
        Judged::Own(placed) => Admitted::Own(Own {
            placed,
            seq: observed.seen + 1,
        }),
    })
}

impl Own {
    /// Remembers it, and forgets what is too old.
    pub(super) async fn keep(
        &self,
        tx: &mut Tx,
        repository: &RepositoryId,
        (push, build): (&Push, Option<i64>),
        now: Micros,
    ) -> Result<(), DbError> {
        let sql = "insert into pushes (repository, stream, seq, before, after, mark, forge_at, was_tip, build, at)
                   values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        let values = args![
            repository,
            &push.stream,
            self.seq,
            &push.before,
            &push.after,
            &push.mark,
            push.forge_at,
            i64::from(self.placed.is_tip),
            build,
            now
        ];
        tx.run(sql, values).await?;
        let many = "delete from pushes where repository = $1 and stream = $2 and seq <= $3";
        tx.run(many, args![repository, &push.stream, self.seq - REMEMBERED])
            .await?;
        // The newest of a reference stays, so that its numbers go on.
        let old = "delete from pushes where repository = $1 and at < $2 and seq < (select max(p.seq) from pushes p
                   where p.repository = pushes.repository and p.stream = pushes.stream)";
        tx.run(old, args![repository, now - FORGET_US]).await.map(drop)
    }
}
