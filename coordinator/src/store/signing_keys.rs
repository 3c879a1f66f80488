//! The keys that sign ID tokens: sealed in the database, so that all coordinators that share it sign with the same one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use serde_json::Value;

use super::{Store, StoreError, to_json};
use crate::db::args;

/// A key that signs.
pub struct SigningKey {
    /// Its `kid`.
    pub id: String,
    /// PKCS #8, DER.
    pub private: Vec<u8>,
}

/// What a sealed key is bound to.
fn place(id: &str) -> String {
    format!("signing key|{id}")
}

/// The key that signs. `None`: there is none yet.
///
/// # Errors
/// `Key` when it was sealed with another key.
pub async fn current(store: &Store) -> Result<Option<SigningKey>, StoreError> {
    let sql = "select id, private from signing_keys order by created_at, id limit 1";
    let Some(row) = store.db.first(sql, args![]).await? else {
        return Ok(None);
    };
    let id: String = row.get("id")?;
    let opened = store.key.open(&place(&id), &row.get::<String>("private")?)?;
    let private = BASE64
        .decode(opened)
        .map_err(|_| StoreError::Key("a key that signs ID tokens cannot be read".into()))?;
    Ok(Some(SigningKey { id, private }))
}

/// Keeps a new key. Of two that are made at once the older one signs.
///
/// # Errors
/// The database.
pub async fn add(store: &Store, key: &SigningKey, public: &Value) -> Result<(), StoreError> {
    let sealed = store.key.seal(&place(&key.id), &BASE64.encode(&key.private));
    let (id, public, now) = (key.id.clone(), to_json(public), store.now());
    let sql = "insert into signing_keys (id, private, public, created_at) values ($1, $2, $3, $4)";
    store
        .write(move |tx| Box::pin(async move { Ok(tx.run(sql, args![id, sealed, public, now]).await.map(drop)?) }))
        .await
}

/// Every key that may have signed, as JSON Web Keys.
///
/// # Errors
/// The database.
pub async fn public(store: &Store) -> Result<Vec<Value>, StoreError> {
    let rows = store
        .db
        .all("select public from signing_keys order by created_at, id", args![])
        .await?;
    Ok(rows.iter().map(|row| row.json("public")).collect::<Result<_, _>>()?)
}
