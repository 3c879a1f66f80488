//! What a job that waits makes of how its `needs` stand: it runs, it is skipped, or it goes on waiting.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::model::{AxisValue, JobSpec, Need, WhenStatus, cell_title};
use crate::result::{Reason, ReasonCode};
use crate::status::{JobEvent, JobStatus};

/// One job as those who need it see it.
#[derive(Debug, Clone)]
pub struct NeededJob {
    /// `test (postgres=15)`
    pub title: String,
    /// Its cell.
    pub matrix: Vec<AxisValue>,
    /// It stands for cells that are not known yet: it counts for whoever needs one of them.
    pub is_deferred: bool,
    /// Where it stands.
    pub state: NeedState,
}

/// How a job stands for those who need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NeedState {
    /// It has not ended.
    Open,
    /// It passed, may fail, or was not wanted.
    Met,
    /// It did not pass.
    NotMet,
}

impl NeedState {
    /// Of a job with that status and, when it was skipped, the reason for that.
    pub fn of(status: JobStatus, reason: Option<ReasonCode>, allow_failure: bool) -> NeedState {
        match (status.is_final(), status.meets_needs(reason, allow_failure)) {
            (false, _) => NeedState::Open,
            (true, true) => NeedState::Met,
            (true, false) => NeedState::NotMet,
        }
    }
}

impl NeededJob {
    fn counts_for(&self, need: &Need) -> bool {
        self.is_deferred || need.counts(&self.matrix)
    }
}

/// How a job's needs must have ended for it to run; a word in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunsAfter {
    /// All are met.
    Success,
    /// One is not.
    Failure,
    /// All have ended.
    Always,
    /// Nothing.
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
pub enum Decision {
    /// Its needs have ended as it wants them to.
    Run,
    /// It will not run: a job that it needs did not pass. The sentence names it.
    NeedsFailed(String),
    /// It will not run: what it is for did not happen.
    NotWanted,
}

impl Decision {
    /// What happens to the job then, and why. A deferred job that is to run is not queued: it is expanded first.
    pub fn event(&self) -> (JobEvent, Option<Reason>) {
        match self {
            Decision::Run => (JobEvent::NeedsMet, None),
            Decision::NeedsFailed(why) => {
                let reason = Reason::new(ReasonCode::NeedsFailed, why.clone());
                (JobEvent::NeedsFailed, Some(reason))
            }
            Decision::NotWanted => {
                let why = "skipped because nothing that it needs failed";
                (JobEvent::Skip, Some(Reason::new(ReasonCode::ConditionNotMet, why)))
            }
        }
    }
}

/// Why a job is skipped whatever it needs: its own conditions do not hold.
pub fn skipped(spec: &JobSpec) -> Option<Reason> {
    let why = spec.skip.as_ref()?;
    Some(Reason::new(ReasonCode::ConditionNotMet, why.clone()))
}

/// Decides about a job with these needs. `None`: it goes on waiting. `jobs` are those of the build by name; a need whose
/// name is missing there is met.
pub fn decide(needs: &[Need], after: RunsAfter, jobs: &HashMap<String, Vec<NeededJob>>) -> Option<Decision> {
    let (mut is_open, mut failed) = (false, None);
    for need in needs {
        let Some(all) = jobs.get(&need.job) else {
            continue;
        };
        let counting: Vec<&NeededJob> = all.iter().filter(|job| job.counts_for(need)).collect();
        if counting.is_empty() {
            failed.get_or_insert_with(|| format!("skipped because {} is not in this build", words(need)));
        }
        is_open |= counting.iter().any(|job| job.state == NeedState::Open);
        if let Some(job) = counting.iter().find(|job| job.state == NeedState::NotMet) {
            failed.get_or_insert_with(|| format!("skipped because `{}` did not pass", job.title));
        }
    }
    match (after, failed) {
        (RunsAfter::Success, Some(why)) => Some(Decision::NeedsFailed(why)),
        _ if is_open => None,
        (RunsAfter::Success | RunsAfter::Always, _) | (RunsAfter::Failure, Some(_)) => Some(Decision::Run),
        (RunsAfter::Failure | RunsAfter::Never, _) => Some(Decision::NotWanted),
    }
}

fn words(need: &Need) -> String {
    format!("`{} ({})`", need.job, cell_title(&need.cell))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(name: &str, value: &str, state: NeedState) -> (String, NeededJob) {
        let matrix = vec![AxisValue {
            axis: "os".into(),
            value: value.into(),
        }];
        let cell = NeededJob {
            title: format!("{name} (os={value})"),
            matrix,
            is_deferred: false,
            state,
        };
        (name.to_owned(), cell)
    }

    fn build(cells: Vec<(String, NeededJob)>) -> HashMap<String, Vec<NeededJob>> {
        let mut build: HashMap<String, Vec<NeededJob>> = HashMap::new();
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
            cell("test", "linux", NeedState::Met),
            cell("test", "mac", NeedState::Open),
        ]);
        let decided = |need: &Need| decide(std::slice::from_ref(need), RunsAfter::Success, &cells);
        assert_eq!(decided(&linux), Some(Decision::Run));
        assert_eq!(decided(&Need::from("test")), None);
        linux.cell[0].value = "bsd".into();
        let why = "skipped because `test (os=bsd)` is not in this build";
        assert_eq!(decided(&linux), Some(Decision::NeedsFailed(why.into())));
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
                Some(Decision::NeedsFailed(_)) => "needs failed",
                Some(Decision::NotWanted) => "not wanted",
            })
        };
        use NeedState::{Met, NotMet, Open};
        assert_eq!(said(Met, Met), ["runs", "not wanted", "runs", "not wanted"]);
        assert_eq!(said(Met, Open), ["waits"; 4]);
        assert_eq!(said(NotMet, Open), ["needs failed", "waits", "waits", "waits"]);
        assert_eq!(said(NotMet, Met), ["needs failed", "runs", "runs", "not wanted"]);
    }
}
