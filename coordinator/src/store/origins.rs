//! What builds were made from: their facts, the texts of their job files, and of the files that those refer to. Kept
//! so that a build that runs, or is repeated, needs neither the repository nor a mirror to be what it was. Equal texts
//! are kept once.

use std::collections::BTreeMap;

use job_specs::{Facts, SourceFile};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::facts::{self, fact_columns};
use super::{Store, StoreError, to_json};
use crate::db::{DbError, Tx, args};

/// What a build was made from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// What was known about its event.
    pub facts: Facts,
    /// The texts.
    pub files: BuildFiles,
}

/// The texts that a build was made from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildFiles {
    /// Name and text of each job file, in order.
    pub job_files: Vec<(String, String)>,
    /// Paths that they refer to, and their texts; `None`: there was no such file.
    pub others: BTreeMap<String, Option<String>>,
}

impl BuildFiles {
    /// The job files, to be parsed.
    pub fn sources(&self) -> Vec<SourceFile> {
        let source = |(name, text): &(String, String)| SourceFile {
            name: name.clone(),
            text: text.clone(),
        };
        self.job_files.iter().map(source).collect()
    }
}

/// The facts that only the job file asks for.
#[derive(Default, Serialize, Deserialize)]
struct FileFacts {
    #[serde(default)]
    changed: Option<Vec<String>>,
    #[serde(default)]
    hashes: BTreeMap<String, String>,
}

/// Keeps the origin of a build.
pub(super) async fn keep(tx: &mut Tx, build: i64, (facts, files): (&Facts, &BuildFiles)) -> Result<(), DbError> {
    let facts = FileFacts {
        changed: facts.changed.clone(),
        hashes: facts.hashes.clone(),
    };
    let content = to_json(files);
    let hash = hex::encode(Sha256::digest(&content));
    let sql = "insert into job_files (hash, content) values ($1, $2) on conflict (hash) do nothing";
    tx.run(sql, args![&hash, content]).await?;
    let sql = "update builds set facts = $2, files = $3 where number = $1";
    tx.run(sql, args![build, to_json(&facts), hash]).await.map(drop)
}

/// Gives a build that repeats another the origin of that one.
pub(super) async fn inherit(tx: &mut Tx, build: i64, from: i64) -> Result<(), DbError> {
    let sql = "update builds set facts = (select f.facts from builds f where f.number = $2),
               files = (select f.files from builds f where f.number = $2) where number = $1";
    tx.run(sql, args![build, from]).await.map(drop)
}

/// The origin of a build. `None`: it is not kept.
///
/// # Errors
/// The database.
pub async fn of(store: &Store, build: i64) -> Result<Option<Origin>, StoreError> {
    let sql = concat!(
        "select b.facts, f.content, ",
        fact_columns!(),
        " from builds b join repositories r on r.id = b.repository join job_files f on f.hash = b.files where b.number = $1"
    );
    let Some(row) = store.db.first(sql, args![build]).await? else {
        return Ok(None);
    };
    let FileFacts { changed, hashes } = row.json("facts")?;
    Ok(Some(Origin {
        facts: Facts {
            changed,
            hashes,
            ..facts::from_row(&row)?
        },
        files: row.json("content")?,
    }))
}
