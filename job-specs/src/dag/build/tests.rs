//! In which order jobs run, and which never do.

use super::*;
use crate::model::{AxisValue, Retry, RetryOn, WhenStatus};
use crate::result::Verdict;

fn job(name: &str, needs: &[&str]) -> JobSpec {
    JobSpec {
        name: name.into(),
        needs: needs.iter().map(|&need| need.into()).collect(),
        ..JobSpec::default()
    }
}

fn cells(name: &str, count: usize) -> Vec<JobSpec> {
    let cell = |value: usize| JobSpec {
        matrix: vec![AxisValue {
            axis: "n".into(),
            value: value.to_string(),
        }],
        ..job(name, &[])
    };
    (0..count).map(cell).collect()
}

fn build(jobs: Vec<JobSpec>) -> Build {
    Build::new(jobs.into_iter().map(|spec| {
        let needs = spec.needs.clone();
        (spec, needs)
    }))
}

fn failed() -> AttemptResult {
    AttemptResult::because(Verdict::Failed, ReasonCode::StepFailed, "no")
}

impl Build {
    /// Begins all that can run now; their titles.
    fn run_all(&mut self) -> Vec<String> {
        let mut begun = Vec::new();
        while let Some(job) = self.ready() {
            self.assign(job);
            self.start(job);
            begun.push(self.jobs()[job].spec.title());
        }
        begun
    }

    fn passes(&mut self, job: usize) {
        self.finish(job, AttemptResult::passed(), JobOutputs::new());
    }

    fn fails(&mut self, job: usize) {
        self.finish(job, failed(), JobOutputs::new());
    }

    /// `skipped: it needs …`
    fn end_of(&self, job: usize) -> String {
        let Job { status, reason, .. } = &self.jobs()[job];
        let why = reason.as_ref().map_or("", |reason| &reason.sentence);
        format!("{status}: {why}")
    }
}

#[test]
fn a_job_runs_when_all_cells_it_needs_have_passed() {
    let mut jobs = cells("build", 2);
    jobs.push(job("test", &["build"]));
    jobs.push(job("deploy", &["test", "elsewhere"]));
    let mut build = build(jobs);
    assert_eq!(build.run_all(), ["build (n=0)", "build (n=1)"]);
    build.passes(0);
    assert!(build.run_all().is_empty());
    build.passes(1);
    assert_eq!(build.run_all(), ["test"]);
    build.fails(2);
    assert_eq!(build.end_of(3), "skipped: skipped because `test` did not pass");
    assert!(build.is_over());
}

#[test]
fn max_parallel_holds_cells_back() {
    let mut jobs = cells("a", 3);
    jobs.iter_mut().for_each(|job| job.max_parallel = Some(1));
    jobs.push(job("b", &[]));
    let mut build = build(jobs);
    assert_eq!(build.run_all(), ["a (n=0)", "b"]);
    build.passes(0);
    assert_eq!(build.run_all(), ["a (n=1)"]);
}

#[test]
fn fail_fast_ends_the_other_cells() {
    let mut jobs = cells("a", 3);
    jobs.iter_mut()
        .for_each(|job| (job.fail_fast, job.max_parallel) = (true, Some(2)));
    let mut strict = build(jobs);
    assert_eq!(strict.run_all().len(), 2);
    strict.fails(0);
    let news: Vec<News> = std::iter::from_fn(|| strict.news()).collect();
    assert_eq!(news, [News::Ended(0), News::Stop(1), News::Ended(2)]);
    let why = "cancelled: stopped because `a (n=0)` did not pass (fail_fast)";
    assert_eq!(strict.end_of(2), why);
    let mut reported = AttemptResult::because(Verdict::Cancelled, ReasonCode::Cancelled, "cancelled in step `x`");
    reported.reason.as_mut().unwrap().during = Some("in step `x`".into());
    strict.finish(1, reported, JobOutputs::new());
    assert_eq!(strict.end_of(1), format!("{why}, in step `x`"));
    // A cell that may fail ends nothing.
    let mut lenient = cells("b", 2);
    lenient
        .iter_mut()
        .for_each(|job| (job.fail_fast, job.allow_failure) = (true, true));
    let mut lenient = build(lenient);
    lenient.run_all();
    lenient.fails(0);
    assert_eq!(lenient.jobs()[1].cancelling, None);
}

#[test]
fn a_job_follows_on_what_it_says() {
    let after = |name: &str, success: bool, failure: bool| JobSpec {
        when: WhenStatus { success, failure },
        ..job(name, &["test"])
    };
    let jobs = || {
        vec![
            job("test", &[]),
            after("deploy", true, false),
            after("alarm", false, true),
            after("report", true, true),
            JobSpec {
                needs: Vec::new(),
                ..after("alone", false, true)
            },
        ]
    };
    let mut red = build(jobs());
    assert_eq!(red.run_all(), ["test"]);
    red.fails(0);
    assert_eq!(red.end_of(1), "skipped: skipped because `test` did not pass");
    assert_eq!(red.run_all(), ["alarm", "report"]);
    assert_eq!(red.end_of(4), "skipped: skipped because nothing that it needs failed");
    let mut green = build(jobs());
    green.run_all();
    green.passes(0);
    assert_eq!(green.run_all(), ["deploy", "report"]);
    assert_eq!(green.end_of(2), "skipped: skipped because nothing that it needs failed");
}

#[test]
fn nobody_misses_a_job_that_was_not_wanted() {
    let mut jobs = vec![job("docs", &[]), job("deploy", &["docs"])];
    jobs[0].skip = Some("not for this branch".into());
    let mut build = build(jobs);
    assert_eq!(build.end_of(0), "skipped: not for this branch");
    assert_eq!(build.run_all(), ["deploy"]);
}

#[test]
fn a_job_is_tried_again_as_its_file_says_and_a_stopped_one_is_not() {
    let twice = JobSpec {
        retry: Retry {
            max: 1,
            on: vec![RetryOn::Any],
        },
        ..job("test", &[])
    };
    let mut build = build(vec![twice.clone(), twice]);
    assert_eq!(build.run_all().len(), 2);
    build.fails(0);
    assert_eq!(build.news(), Some(News::Retried(0)));
    assert_eq!(build.run_all(), ["test"]);
    build.fails(0);
    assert_eq!(build.end_of(0), "failed: no");
    build.cancel(1, "cancelled by ann");
    build.fails(1);
    assert_eq!(build.end_of(1), "failed: no", "it had ended before it heard of it");
}

#[test]
fn a_deferred_job_gets_its_cells_when_its_needs_have_ended() {
    let deferred = JobSpec {
        deferred: true,
        ..job("test", &["plan"])
    };
    let jobs = || vec![job("plan", &[]), deferred.clone(), job("deploy", &["test"])];
    let begun = || {
        let mut build = build(jobs());
        build.run_all();
        let reported = JobOutputs::from([("cells".to_owned(), "[1, 2]".to_owned())]);
        build.finish(0, AttemptResult::passed(), reported);
        assert_eq!(build.due(), Some(1));
        build
    };
    let mut known = begun();
    assert_eq!(known.seen_by(1).outputs["plan"]["cells"], "[1, 2]");
    known.expand(1, Expanded::Cells(cells("test", 2)));
    assert_eq!(known.run_all(), ["test (n=0)", "test (n=1)"]);
    known.passes(1);
    assert!(known.run_all().is_empty());
    known.passes(3);
    assert_eq!(known.run_all(), ["deploy"]);
    // One that cannot be expanded has failed; one without cells is not missed.
    let mut broken = begun();
    broken.expand(1, Expanded::refused("no JSON"));
    assert_eq!(broken.end_of(1), "failed: no JSON");
    assert_eq!(broken.end_of(2), "skipped: skipped because `test` did not pass");
    let mut empty = begun();
    empty.expand(1, Expanded::Cells(Vec::new()));
    assert_eq!(empty.run_all(), ["deploy"]);
}
