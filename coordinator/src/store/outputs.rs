//! Outputs of jobs: what their steps wrote to `$DROVER_OUTPUT`, kept for the jobs that need them.

use std::collections::{BTreeMap, BTreeSet};

use job_specs::Outputs;
use job_specs::model::{AxisValue, Need};
use protocol::ids::JobId;

use super::{Store, StoreError, to_json};
use crate::db::{DbError, Tx, args};

/// One value may have so many bytes.
const MAX_VALUE: usize = 64 << 10;
/// All of one job may have so many.
const MAX_ALL: usize = 1 << 20;

/// What is wrong with the outputs of a job, in one sentence.
pub(super) fn fault(outputs: &BTreeMap<String, String>) -> Option<String> {
    let well_named = |name: &str| {
        let mut bytes = name.bytes();
        let begins_well = bytes
            .next()
            .is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        begins_well && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') && name.len() <= 100
    };
    if let Some(name) = outputs.keys().find(|name| !well_named(name)) {
        let name: String = name.chars().filter(|c| !c.is_control()).take(50).collect();
        return Some(format!(
            "output `{name}`: a name has letters, digits and `_`, and does not begin with a digit"
        ));
    }
    if let Some((name, value)) = outputs.iter().find(|(_, value)| value.len() > MAX_VALUE) {
        let kib = value.len().div_ceil(1024);
        return Some(format!(
            "output `{name}` has {kib} KiB; at most 64 KiB are kept: use an artifact"
        ));
    }
    let all: usize = outputs.iter().map(|(name, value)| name.len() + value.len()).sum();
    (all > MAX_ALL).then(|| {
        format!(
            "the outputs have {} KiB; at most 1 MiB is kept: use an artifact",
            all.div_ceil(1024)
        )
    })
}

/// Keeps the outputs of a job that has ended.
pub(super) async fn keep(tx: &mut Tx, job: &JobId, outputs: &BTreeMap<String, String>) -> Result<(), DbError> {
    if outputs.is_empty() {
        return Ok(());
    }
    let sql = "insert into outputs (job, outputs) values ($1, $2) on conflict (job) do update set outputs = $2";
    tx.run(sql, args![job, to_json(outputs)]).await.map(drop)
}

/// The outputs of one job.
///
/// # Errors
/// The database.
pub async fn of_job(store: &Store, job: &JobId) -> Result<BTreeMap<String, String>, StoreError> {
    let sql = "select outputs from outputs where job = $1";
    let row = store.db.first(sql, args![job]).await?;
    Ok(row.map(|row| row.json("outputs")).transpose()?.unwrap_or_default())
}

/// What one job sees of the outputs of those that it needs.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// By job and name, the cells that count merged.
    pub outputs: Outputs,
    /// Values on which cells of one job disagree, a sentence each; they are not among the outputs.
    pub disagreements: Vec<String>,
}

/// The outputs that count for these needs. What a repeated build did not run again is found in the build it repeats.
///
/// # Errors
/// The database.
pub(super) async fn seen_by(store: &Store, build: i64, needs: &[Need]) -> Result<Seen, StoreError> {
    let mut seen = Seen::default();
    for need in needs {
        merge(need, &of_cells(store, build, need).await?, &mut seen);
    }
    Ok(seen)
}

/// The outputs of one cell.
type CellOutputs = (Vec<AxisValue>, BTreeMap<String, String>);

async fn of_cells(store: &Store, build: i64, need: &Need) -> Result<Vec<CellOutputs>, StoreError> {
    // The newest build of the chain of repeats that has a cell is the one that counts for it.
    let sql = "with recursive chain (number, rerun_of) as (
                 select number, rerun_of from builds where number = $1
                 union all select b.number, b.rerun_of from builds b join chain c on b.number = c.rerun_of
               )
               select j.matrix, o.outputs from jobs j join chain c on c.number = j.build
               left join outputs o on o.job = j.id where j.name = $2 order by j.build desc, j.position";
    let mut cells: Vec<CellOutputs> = Vec::new();
    for row in store.db.all(sql, args![build, &need.job]).await? {
        let matrix: Vec<AxisValue> = row.json("matrix")?;
        if need.counts(&matrix) && !cells.iter().any(|(known, _)| *known == matrix) {
            let outputs = row.get::<Option<String>>("outputs")?;
            let outputs = outputs.map(|_| row.json("outputs")).transpose()?.unwrap_or_default();
            cells.push((matrix, outputs));
        }
    }
    Ok(cells)
}

fn merge(need: &Need, cells: &[CellOutputs], seen: &mut Seen) {
    let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (_, outputs) in cells {
        for (name, value) in outputs {
            values.entry(name).or_default().insert(value);
        }
    }
    let merged = seen.outputs.entry(need.job.clone()).or_default();
    for (name, values) in values {
        match values.first() {
            Some(value) if values.len() == 1 => {
                merged.insert(name.to_owned(), (*value).to_owned());
            }
            _ => seen.disagreements.push(format!(
                "the cells of `{0}` give {1} different values for the output `{name}`: need one cell of `{0}`",
                need.job,
                values.len()
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outputs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect()
    }

    #[test]
    fn outputs_have_limits() {
        let big = "x".repeat(MAX_VALUE + 1);
        let many: BTreeMap<String, String> = (0..17).map(|n| (format!("n{n}"), "x".repeat(MAX_VALUE))).collect();
        let said = [
            fault(&outputs(&[("version", "1"), ("_x9", "")])),
            fault(&outputs(&[("9x", "1")])),
            fault(&outputs(&[("a-b", "1")])),
            fault(&outputs(&[("log", &big)])),
            fault(&many),
        ];
        insta::assert_snapshot!(said.map(|fault| fault.unwrap_or("fine".into())).join("\n"), @"
        fine
        output `9x`: a name has letters, digits and `_`, and does not begin with a digit
        output `a-b`: a name has letters, digits and `_`, and does not begin with a digit
        output `log` has 65 KiB; at most 64 KiB are kept: use an artifact
        the outputs have 1089 KiB; at most 1 MiB is kept: use an artifact
        ");
    }

    #[test]
    fn cells_that_agree_are_one() {
        let cell = |value: &str| (vec![], outputs(&[("version", "1.2"), ("os", value)]));
        let mut seen = Seen::default();
        merge(&Need::from("build"), &[cell("linux"), cell("mac")], &mut seen);
        assert_eq!(seen.outputs["build"], outputs(&[("version", "1.2")]));
        insta::assert_snapshot!(seen.disagreements.join("\n"), @"the cells of `build` give 2 different values for the output `os`: need one cell of `build`");
    }
}
