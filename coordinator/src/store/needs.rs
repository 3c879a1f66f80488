//! What a job that waits makes of how its `needs` stand: it runs, it is skipped, or it goes on waiting. [`decide`] is
//! pure; [`settle`] asks it for every job that needed one that has just ended.
//!
//! A need whose own conditions did not hold (skipped by its `when`, or a matrix without cells) counts as met: it was
//! not wanted, so nothing is missing. One that failed, was cancelled, or was skipped because of what *it* needs, is
//! not.

use std::collections::HashMap;

use job_specs::model::{AxisValue, Need, WhenStatus};
use job_specs::status::{JobEvent, JobStatus};
use protocol::attempt::{Reason, ReasonCode};
use protocol::ids::JobId;

use super::jobs::{self, Locked};
use super::{Change, Micros, StoreError, from_word, to_word};
use crate::db::{DbError, Row, Tx, args};

/// One job as those who need it see it.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    title: String,
    matrix: Vec<AxisValue>,
    /// It stands for cells that are not known yet: it counts for whoever needs one of them.
    is_placeholder: bool,
    standing: Standing,
}

/// How a job stands for those who need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Open,
    Well,
    LetDown,
}

impl Cell {
    fn from_row(row: &Row) -> Result<Cell, DbError> {
        let code: Option<String> = row.get("reason_code")?;
        let unwanted = code.is_some_and(|code| code == to_word(&ReasonCode::ConditionNotMet));
        let standing = match jobs::status(row)? {
            JobStatus::Waiting | JobStatus::Queued | JobStatus::Assigned | JobStatus::Running => Standing::Open,
            JobStatus::Passed => Standing::Well,
            JobStatus::Skipped if unwanted => Standing::Well,
            JobStatus::Failed | JobStatus::Errored | JobStatus::TimedOut if row.flag("allow_failure")? => {
                Standing::Well
            }
            JobStatus::Failed
            | JobStatus::Errored
            | JobStatus::TimedOut
            | JobStatus::Cancelled
            | JobStatus::Skipped => Standing::LetDown,
        };
        Ok(Cell {
            title: row.get("title")?,
            matrix: row.json("matrix")?,
            is_placeholder: row.flag("deferred")?,
            standing,
        })
    }

    fn counts_for(&self, need: &Need) -> bool {
        self.is_placeholder || need.counts(&self.matrix)
    }
}

/// How a job's needs must have ended for it to run; a word in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RunsAfter {
    Success,
    Failure,
    Always,
    Never,
}

impl From<WhenStatus> for RunsAfter {
    fn from(when: WhenStatus) -> RunsAfter {
        match (when.success, when.failure) {
            (true, false) => RunsAfter::Success,
            (false, true) => RunsAfter::Failure,
            (true, true) => RunsAfter::Always,
            (false, false) => RunsAfter::Never,
        }
    }
}

/// What becomes of a job that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    /// Its needs have ended as it wants them to.
    Run,
    /// It will not run: a job that it needs did not pass.
    LetDown(String),
    /// It will not run: what it is for did not happen.
    Unneeded,
}

impl Decision {
    /// What happens to the job then, and why. A deferred job that is to run is not queued: it is expanded first.
    pub(super) fn event(&self) -> (JobEvent, Option<Reason>) {
        let because = |code, sentence: String| {
            Some(Reason {
                code,
                sentence,
                exit_code: None,
            })
        };
        match self {
            Decision::Run => (JobEvent::NeedsMet, None),
            Decision::LetDown(why) => (JobEvent::NeedsFailed, because(ReasonCode::NeedsFailed, why.clone())),
            Decision::Unneeded => {
                let why = "skipped because nothing that it needs failed".to_owned();
                (JobEvent::Skip, because(ReasonCode::ConditionNotMet, why))
            }
        }
    }
}

/// Decides about a job with these needs. `None`: it goes on waiting. `cells` are the jobs of the build by name; a name
/// that is missing there has passed in the build that this one repeats.
pub(super) fn decide(needs: &[Need], after: RunsAfter, cells: &HashMap<String, Vec<Cell>>) -> Option<Decision> {
    let (mut is_open, mut let_down) = (false, None);
    for need in needs {
        let Some(all) = cells.get(&need.job) else {
            continue;
        };
        let counting: Vec<&Cell> = all.iter().filter(|cell| cell.counts_for(need)).collect();
        if counting.is_empty() {
            let_down.get_or_insert_with(|| format!("skipped because {} is not in this build", words(need)));
        }
        is_open |= counting.iter().any(|cell| cell.standing == Standing::Open);
        if let Some(cell) = counting.iter().find(|cell| cell.standing == Standing::LetDown) {
            let_down.get_or_insert_with(|| format!("skipped because `{}` did not pass", cell.title));
        }
    }
    match (after, let_down) {
        (RunsAfter::Success, Some(why)) => Some(Decision::LetDown(why)),
        _ if is_open => None,
        (RunsAfter::Success | RunsAfter::Always, _) | (RunsAfter::Failure, Some(_)) => Some(Decision::Run),
        (RunsAfter::Failure | RunsAfter::Never, _) => Some(Decision::Unneeded),
    }
}

fn words(need: &Need) -> String {
    let cell: Vec<String> = need.cell.iter().map(|v| format!("{}={}", v.axis, v.value)).collect();
    format!("`{} ({})`", need.job, cell.join(", "))
}

/// The jobs of a build, by name.
pub(super) async fn cells(tx: &mut Tx, build: i64) -> Result<HashMap<String, Vec<Cell>>, StoreError> {
    let sql = "select name, title, matrix, status, reason_code, allow_failure, deferred from jobs where build = $1
               order by position";
    let mut cells: HashMap<String, Vec<Cell>> = HashMap::new();
    for row in tx.all(sql, args![build]).await? {
        cells.entry(row.get("name")?).or_default().push(Cell::from_row(&row)?);
    }
    Ok(cells)
}

/// Decides about the jobs that needed one that has just ended; gives those that ended by that.
pub(super) async fn settle(tx: &mut Tx, ended: &Locked, at: Micros) -> Result<Vec<Locked>, StoreError> {
    let sql = "select n.job, j.needs, j.runs_after from job_needs n join jobs j on j.id = n.job
               where n.build = $1 and n.needs = $2 and j.status = 'waiting' and j.deferred < 2 order by j.position";
    let waiting = tx.all(sql, args![ended.build, &ended.name]).await?;
    if waiting.is_empty() {
        return Ok(Vec::new());
    }
    let (cells, mut over) = (cells(tx, ended.build).await?, Vec::new());
    for row in waiting {
        let after = from_word("runs_after", &row.get::<String>("runs_after")?)?;
        let Some(decision) = decide(&row.json::<Vec<Need>>("needs")?, after, &cells) else {
            continue;
        };
        let mut job = jobs::lock(tx, &JobId(row.get("job")?)).await?;
        if job.status == JobStatus::Waiting {
            apply(tx, &mut job, &decision, at).await?;
            over.extend(job.status.is_final().then_some(job));
        }
    }
    Ok(over)
}

/// Does what was decided about a job that waits.
async fn apply(tx: &mut Tx, job: &mut Locked, decision: &Decision, at: Micros) -> Result<(), StoreError> {
    if job.deferred && *decision == Decision::Run {
        tx.run("update jobs set deferred = 2 where id = $1", args![&job.id])
            .await?;
        tx.tell(Change::Queue);
        return Ok(());
    }
    let (event, reason) = decision.event();
    jobs::record(tx, job, event, reason, at).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(name: &str, value: &str, standing: Standing) -> (String, Cell) {
        let matrix = vec![AxisValue {
            axis: "os".into(),
            value: value.into(),
        }];
        let cell = Cell {
            title: format!("{name} (os={value})"),
            matrix,
            is_placeholder: false,
            standing,
        };
        (name.to_owned(), cell)
    }

    fn build(cells: Vec<(String, Cell)>) -> HashMap<String, Vec<Cell>> {
        let mut build: HashMap<String, Vec<Cell>> = HashMap::new();
        for (name, cell) in cells {
            build.entry(name).or_default().push(cell);
        }
        build
    }

    #[test]
    fn a_need_on_one_cell_does_not_wait_for_the_others() {
        let mut linux = Need::from("test");
        linux.cell = vec![AxisValue {
            axis: "os".into(),
            value: "linux".into(),
        }];
        let cells = build(vec![
            cell("test", "linux", Standing::Well),
            cell("test", "mac", Standing::Open),
        ]);
        let decided = |need: &Need| decide(std::slice::from_ref(need), RunsAfter::Success, &cells);
        assert_eq!(decided(&linux), Some(Decision::Run));
        assert_eq!(decided(&Need::from("test")), None);
        linux.cell[0].value = "bsd".into();
        let why = "skipped because `test (os=bsd)` is not in this build";
        assert_eq!(decided(&linux), Some(Decision::LetDown(why.into())));
    }

    #[test]
    fn who_runs_after_what() {
        let needs = [Need::from("a"), Need::from("b")];
        let said = |a, b| {
            let cells = build(vec![cell("a", "x", a), cell("b", "x", b)]);
            let after = [
                RunsAfter::Success,
                RunsAfter::Failure,
                RunsAfter::Always,
                RunsAfter::Never,
            ];
            after.map(|after| match decide(&needs, after, &cells) {
                None => "waits",
                Some(Decision::Run) => "runs",
                Some(Decision::LetDown(_)) => "let down",
                Some(Decision::Unneeded) => "unneeded",
            })
        };
        use Standing::{LetDown, Open, Well};
        assert_eq!(said(Well, Well), ["runs", "unneeded", "runs", "unneeded"]);
        assert_eq!(said(Well, Open), ["waits"; 4]);
        assert_eq!(said(LetDown, Open), ["let down", "waits", "waits", "waits"]);
        assert_eq!(said(LetDown, Well), ["let down", "runs", "runs", "unneeded"]);
    }
}
