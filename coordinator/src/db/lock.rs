//! Locks for work that must have one doer among all coordinators. A lock is held by a connection of its own, so a
//! coordinator that dies lets go of it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};
use sqlx::Row as _;
use sqlx::postgres::{PgConnection, PgPool};

use super::DbError;

/// The right to be the one doer; dropping it lets go.
pub struct Lock {
    _holder: Holder,
}

enum Holder {
    /// Of one process: its name stands in a set.
    Here { name: String, held: Held },
    /// Of one connection: it closes when this goes.
    Connection { _connection: PgConnection },
}

/// The locks of one process, for SQLite.
#[derive(Clone, Default)]
pub(super) struct Held(Arc<Mutex<HashSet<String>>>);

impl Held {
    pub(super) fn take(&self, name: &str) -> Option<Lock> {
        let is_new = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.to_owned());
        is_new.then(|| Lock {
            _holder: Holder::Here {
                name: name.to_owned(),
                held: self.clone(),
            },
        })
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        if let Holder::Here { name, held } = self {
            held.0.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        }
    }
}

pub(super) async fn take(pool: &PgPool, name: &str) -> Result<Option<Lock>, DbError> {
    let digest = Sha256::digest(name.as_bytes());
    let key = i64::from_be_bytes(*digest.first_chunk().expect("8 of 32 bytes"));
    let mut connection = pool.acquire().await?.detach();
    let row = sqlx::query("select pg_try_advisory_lock($1)")
        .bind(key)
        .fetch_one(&mut connection)
        .await?;
    let taken: bool = row.try_get(0)?;
    Ok(taken.then(|| Lock {
        _holder: Holder::Connection {
            _connection: connection,
        },
    }))
}
