//! Migrations: one text for both databases, forward only, all in one transaction. A database that a newer drover
//! wrote is refused, never guessed at.

use std::collections::BTreeSet;

use super::{DbError, Tx, args};

/// A change of the schema.
struct Migration {
    /// The number in its file's name. `schema_version` has a row with it once it is done.
    number: i64,
    script: &'static str,
}

macro_rules! migrations {
    ($($number:literal => $file:literal),+ $(,)?) => {
        &[$(Migration { number: $number, script: include_str!(concat!("../../migrations/", $file)) }),+]
    };
}

/// Every migration, oldest first. Never renumber one.
const MIGRATIONS: &[Migration] = migrations![
    1 => "0001_start.sql",
    2 => "0002_blobs.sql",
    3 => "0003_flow.sql",
    5 => "0005_reports.sql",
    6 => "0006_order.sql",
    7 => "0007_reasons.sql",
    8 => "0008_blocked.sql",
    9 => "0009_stacks.sql",
    10 => "0010_resources.sql",
    11 => "0011_build_status.sql",
    12 => "0012_audit.sql",
    13 => "0013_webhooks.sql",
    14 => "0014_outbox.sql",
    15 => "0015_polling.sql",
    16 => "0016_approvals.sql",
    19 => "0019_commands.sql",
    20 => "0020_signing_keys.sql",
];
/// The newest schema that this program knows.
pub const SCHEMA: i64 = MIGRATIONS[MIGRATIONS.len() - 1].number;

/// There is no migration of this number. Older programs recorded migrations by their place in the list, so in their
/// databases it means 5, and 5 means 6.
const BY_PLACE: i64 = 4;

/// Makes the tables, or brings them up to [`SCHEMA`].
pub(super) async fn migrate(tx: &mut Tx) -> Result<(), DbError> {
    tx.lock_schema().await?;
    tx.script("create table if not exists schema_version (version bigint not null)")
        .await?;
    let mut done = done(tx).await?;
    if done.contains(&BY_PLACE) {
        let renumber = "update schema_version set version = version + 1 where version >= $1";
        tx.run(renumber, args![BY_PLACE]).await?;
        done = done
            .into_iter()
            .map(|found| found + i64::from(found >= BY_PLACE))
            .collect();
    }
    let is_known = |found: &&i64| MIGRATIONS.iter().any(|migration| migration.number == **found);
    if let Some(found) = done.iter().rfind(|found| !is_known(found)) {
        let (found, known) = (*found, SCHEMA);
        return Err(DbError::NewerSchema { found, known });
    }
    for Migration { number, script } in MIGRATIONS {
        if !done.contains(number) {
            tx.script(script).await?;
            tx.run("insert into schema_version (version) values ($1)", args![*number])
                .await?;
        }
    }
    Ok(())
}

/// The numbers of the migrations that this database has had.
async fn done(tx: &mut Tx) -> Result<BTreeSet<i64>, DbError> {
    let rows = tx.all("select version from schema_version", args![]).await?;
    rows.iter().map(|row| row.get("version")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_a_migration_under_its_own_number() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        assert_eq!(files.len(), MIGRATIONS.len());
        for (file, migration) in files.iter().zip(MIGRATIONS) {
            assert!(file.starts_with(&format!("{:04}_", migration.number)), "{file}");
            let text = std::fs::read_to_string(format!("{folder}/{file}")).unwrap();
            assert_eq!(text, migration.script, "{file}");
            assert_ne!(
                migration.number, BY_PLACE,
                "{file}: this number means another migration in old databases"
            );
        }
    }
}
