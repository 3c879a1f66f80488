//! Outputs of jobs: what their steps wrote to `$DROVER_OUTPUT`, kept for the jobs that need them.

use job_specs::dag::outputs::{JobOutputs, Seen};
use job_specs::model::{AxisValue, Need};
use protocol::ids::JobId;

use super::{Store, StoreError, to_json};
use crate::db::{DbError, Tx, args};

/// Keeps the outputs of a job that has ended.
pub(super) async fn keep(tx: &mut Tx, job: &JobId, outputs: &JobOutputs) -> Result<(), DbError> {
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
pub async fn of_job(store: &Store, job: &JobId) -> Result<JobOutputs, StoreError> {
    let sql = "select outputs from outputs where job = $1";
    let row = store.db.first(sql, args![job]).await?;
    Ok(row.map(|row| row.json("outputs")).transpose()?.unwrap_or_default())
}

/// The outputs that count for these needs. What a repeated build did not run again is found in the build it repeats.
///
/// # Errors
/// The database.
pub(super) async fn seen_by(store: &Store, build: i64, needs: &[Need]) -> Result<Seen, StoreError> {
    let mut seen = Seen::default();
    for need in needs {
        let cells = of_cells(store, build, need).await?;
        let outputs: Vec<&JobOutputs> = cells.iter().map(|(_, outputs)| outputs).collect();
        seen.add(need, &outputs);
    }
    Ok(seen)
}

/// The outputs of one cell.
type CellOutputs = (Vec<AxisValue>, JobOutputs);

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
