//! Values in and rows out, the same for both databases. The schema has integers and text only (times are microseconds,
//! JSON and bytes are text), so two kinds are enough and nothing depends on a driver's own types.

use sqlx::postgres::{PgArguments, PgRow, Postgres};
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteRow};
use sqlx::{Arguments, Decode, Row as _, Type};

use super::DbError;

/// One argument of a query. A null has a kind too: PostgreSQL asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A `bigint`.
    Int(Option<i64>),
    /// A `text`.
    Text(Option<String>),
}

/// The arguments of a query: `args![id, 3, None::<i64>]`.
macro_rules! args {
    ($($value:expr),* $(,)?) => {
        &[$($crate::db::Value::from($value)),*]
    };
}
pub(crate) use args;

macro_rules! from {
    ($($kind:ident: $($type:ty => |$value:ident| $into:expr),+;)+) => {$($(
        impl From<$type> for Value {
            fn from($value: $type) -> Value {
                Value::$kind($into)
            }
        }
    )+)+};
}

from! {
    Int: i64 => |value| Some(value), u32 => |value| Some(i64::from(value)), Option<i64> => |value| value;
    Text: &str => |value| Some(value.to_owned()), String => |value| Some(value), &String => |value| Some(value.clone()),
        Option<String> => |value| value, Option<&str> => |value| value.map(str::to_owned),
        &Option<String> => |value| value.clone(),
        &protocol::ids::JobId => |value| Some(value.0.clone()),
        &protocol::ids::AttemptId => |value| Some(value.0.clone()),
        &protocol::ids::AgentId => |value| Some(value.0.clone()),
        &protocol::ids::StackId => |value| Some(value.0.clone()),
        &protocol::ids::DeliveryId => |value| Some(value.0.clone()),
        &protocol::ids::RepositoryId => |value| Some(value.0.clone());
}

/// A row of either database; read by column name.
pub enum Row {
    /// From SQLite.
    Sqlite(SqliteRow),
    /// From PostgreSQL.
    Postgres(PgRow),
}

/// What a column can be read as: `i64`, `String`, or an `Option` of one.
pub trait Column: for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres> {}

impl<T> Column for T where T: for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres> {}

impl Row {
    /// The column of that name.
    ///
    /// # Errors
    /// There is none, or it is null, or of another kind.
    pub fn get<T: Column>(&self, column: &str) -> Result<T, DbError> {
        match self {
            Row::Sqlite(row) => Ok(row.try_get(column)?),
            Row::Postgres(row) => Ok(row.try_get(column)?),
        }
    }

    /// A flag: stored as 0 or 1.
    ///
    /// # Errors
    /// As [`get`](Row::get).
    pub fn flag(&self, column: &str) -> Result<bool, DbError> {
        Ok(self.get::<i64>(column)? != 0)
    }

    /// A value stored as JSON.
    ///
    /// # Errors
    /// As [`get`](Row::get), or it is not what it should be.
    pub fn json<T: serde::de::DeserializeOwned>(&self, column: &str) -> Result<T, DbError> {
        let text: String = self.get(column)?;
        serde_json::from_str(&text).map_err(|error| DbError::Content {
            column: column.to_owned(),
            error: error.to_string(),
        })
    }
}

pub(super) fn sqlite_arguments(values: &[Value]) -> Result<SqliteArguments, DbError> {
    let mut arguments = SqliteArguments::default();
    for value in values {
        match value {
            Value::Int(value) => arguments.add(*value),
            Value::Text(value) => arguments.add(value.clone()),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

pub(super) fn postgres_arguments(values: &[Value]) -> Result<PgArguments, DbError> {
    let mut arguments = PgArguments::default();
    for value in values {
        match value {
            Value::Int(value) => arguments.add(value),
            Value::Text(value) => arguments.add(value),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

/// The text for SQLite, whose one writer needs no row locks.
pub(super) fn without_row_locks(sql: &'static str) -> sqlx::SqlStr {
    use sqlx::SqlSafeStr;
    match sql.split_once(" for update") {
        None => sql.into_sql_str(),
        Some((before, after)) => {
            let after = after.trim_start_matches(" of j").trim_start_matches(" skip locked");
            sqlx::AssertSqlSafe(format!("{before}{after}")).into_sql_str()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_gets_the_same_text_without_row_locks() {
        let texts = [
            "select 1",
            "select a from t where b = $1 for update",
            "select a from t limit 1 for update skip locked",
            "select a from t j limit 1 for update of j skip locked",
        ];
        let rewritten: Vec<_> = texts
            .iter()
            .map(|text| without_row_locks(text).as_str().to_owned())
            .collect();
        assert_eq!(
            rewritten,
            [
                "select 1",
                "select a from t where b = $1",
                "select a from t limit 1",
                "select a from t j limit 1"
            ]
        );
    }
}
