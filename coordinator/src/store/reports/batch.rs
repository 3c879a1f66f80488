//! Many rows in one statement: a hundred thousand statements of one row each would take PostgreSQL ten times as long.

use std::sync::LazyLock;

use crate::db::{DbError, Tx, Value};

/// Rows of one statement.
const ROWS: usize = 100;

/// An `insert` of many rows, whose text is made once.
pub struct Batch {
    columns: usize,
    one: &'static str,
    many: &'static str,
}

/// `insert into tests … on conflict …`
pub static TESTS: LazyLock<Batch> = LazyLock::new(|| {
    Batch::new(
        "insert into tests (id, repository, suite, name, file, mean_us, seen_at) values ",
        7,
        " on conflict (id) do update set seen_at = excluded.seen_at, file = coalesce(excluded.file, tests.file),
         mean_us = case when excluded.mean_us < 0 then tests.mean_us when tests.mean_us < 0 then excluded.mean_us
                   else (tests.mean_us * 3 + excluded.mean_us) / 4 end",
    )
});

/// `insert into test_results …`
pub static RESULTS: LazyLock<Batch> = LazyLock::new(|| {
    Batch::new(
        "insert into test_results (run, place, test, status, duration_us, message) values ",
        6,
        "",
    )
});

impl Batch {
    fn new(head: &str, columns: usize, tail: &str) -> Batch {
        let text = |rows: usize| -> &'static str {
            let row = |row: usize| {
                let marks: Vec<String> = (1..=columns)
                    .map(|column| format!("${}", row * columns + column))
                    .collect();
                format!("({})", marks.join(", "))
            };
            let rows: Vec<String> = (0..rows).map(row).collect();
            // Two texts for the life of the process: the drivers keep statements by text.
            Box::leak(format!("{head}{}{tail}", rows.join(", ")).into_boxed_str())
        };
        Batch {
            columns,
            one: text(1),
            many: text(ROWS),
        }
    }

    /// Inserts all rows; `values` are theirs one after the other.
    pub async fn insert(&self, tx: &mut Tx, values: &[Value]) -> Result<(), DbError> {
        let mut chunks = values.chunks_exact(self.columns * ROWS);
        for rows in &mut chunks {
            tx.run(self.many, rows).await?;
        }
        for row in chunks.remainder().chunks_exact(self.columns) {
            tx.run(self.one, row).await?;
        }
        Ok(())
    }
}
