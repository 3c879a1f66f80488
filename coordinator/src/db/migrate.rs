//! Migrations: one text for both databases, forward only, all in one transaction. A database that a newer drover
//! wrote is refused, never guessed at.

use super::{DbError, Tx, args};

/// Every migration, oldest first; its version is its place, from 1.
const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/0001_start.sql"),
    include_str!("../../migrations/0002_blobs.sql"),
    include_str!("../../migrations/0003_flow.sql"),
    include_str!("../../migrations/0005_reports.sql"),
    include_str!("../../migrations/0006_order.sql"),
];
/// The newest schema that this program knows.
pub const SCHEMA: i64 = MIGRATIONS.len() as i64;

/// Makes the tables, or brings them up to [`SCHEMA`].
pub(super) async fn migrate(tx: &mut Tx) -> Result<(), DbError> {
    tx.lock_schema().await?;
    tx.script("create table if not exists schema_version (version bigint not null)")
        .await?;
    let row = tx
        .first("select max(version) as version from schema_version", args![])
        .await?;
    let found = row
        .map(|row| row.get::<Option<i64>>("version"))
        .transpose()?
        .flatten()
        .unwrap_or(0);
    if found > SCHEMA {
        return Err(DbError::NewerSchema { found, known: SCHEMA });
    }
    for (version, script) in (1..).zip(MIGRATIONS).filter(|(version, _)| *version > found) {
        tx.script(script).await?;
        tx.run("insert into schema_version (version) values ($1)", args![version])
            .await?;
    }
    Ok(())
}
