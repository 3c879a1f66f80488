//! In which order jobs begin, and which never do.

use job_specs::model::{AxisValue, WhenStatus};

use super::*;

fn job(name: &str, needs: &[&str]) -> JobSpec {
    JobSpec {
        name: name.into(),
        needs: needs.iter().map(|&need| need.into()).collect(),
        image: "busybox".into(),
        env: Default::default(),
        services: Vec::new(),
        steps: Vec::new(),
        timeout_secs: 60,
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

fn went_well() -> LocalOutcome {
    LocalOutcome::Ran(AttemptResult::passed())
}

fn failed() -> LocalOutcome {
    LocalOutcome::Ran(AttemptResult::because(Verdict::Failed, ReasonCode::StepFailed, "no"))
}

#[test]
fn a_job_begins_when_all_cells_it_needs_have_passed() {
    let mut jobs = cells("build", 2);
    jobs.push(job("test", &["build"]));
    jobs.push(job("deploy", &["test", "elsewhere"]));
    let mut plan = Plan::new(jobs, 4);
    assert_eq!(
        [plan.next(), plan.next(), plan.next()],
        [Next::Begin(0), Next::Begin(1), Next::Wait]
    );
    plan.end(0, went_well());
    assert_eq!(plan.next(), Next::Wait);
    plan.end(1, went_well());
    assert_eq!([plan.next(), plan.next()], [Next::Begin(2), Next::Wait]);
    plan.end(2, failed());
    assert_eq!(plan.next(), Next::Skip(3, "it needs test, which did not pass".into()));
    assert_eq!(plan.next(), Next::Done);
    assert_eq!(plan.over().outcomes[2], failed());
}

#[test]
fn slots_and_max_parallel_hold_cells_back() {
    let mut jobs = cells("a", 3);
    jobs.iter_mut().for_each(|job| job.max_parallel = Some(1));
    jobs.push(job("b", &[]));
    let mut plan = Plan::new(jobs, 2);
    assert_eq!(
        [plan.next(), plan.next(), plan.next()],
        [Next::Begin(0), Next::Begin(3), Next::Wait]
    );
    plan.end(0, went_well());
    assert_eq!([plan.next(), plan.next()], [Next::Begin(1), Next::Wait]);
}

#[test]
fn fail_fast_ends_the_other_cells() {
    let mut jobs = cells("a", 3);
    jobs.iter_mut().for_each(|job| job.fail_fast = true);
    let mut plan = Plan::new(jobs, 2);
    assert_eq!([plan.next(), plan.next()], [Next::Begin(0), Next::Begin(1)]);
    assert_eq!(plan.end(0, failed()), [1]);
    assert_eq!(
        plan.next(),
        Next::Skip(2, "a (n=0) failed, and the job says `fail_fast`".into())
    );
    assert_eq!(plan.next(), Next::Wait);
    // A cell that may fail ends nothing.
    let mut lenient = cells("b", 2);
    lenient
        .iter_mut()
        .for_each(|job| (job.fail_fast, job.allow_failure) = (true, true));
    let mut plan = Plan::new(lenient, 1);
    assert_eq!(plan.next(), Next::Begin(0));
    assert_eq!(plan.end(0, failed()), [0; 0]);
    assert_eq!(plan.next(), Next::Begin(1));
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
        ]
    };
    let mut plan = Plan::new(jobs(), 4);
    assert_eq!(plan.next(), Next::Begin(0));
    plan.end(0, failed());
    assert_eq!(plan.next(), Next::Skip(1, "it needs test, which did not pass".into()));
    assert_eq!([plan.next(), plan.next()], [Next::Begin(2), Next::Begin(3)]);
    let mut plan = Plan::new(jobs(), 4);
    assert_eq!(plan.next(), Next::Begin(0));
    plan.end(0, went_well());
    assert_eq!(plan.next(), Next::Begin(1));
    assert_eq!(plan.next(), Next::Skip(2, "nothing that it needs failed".into()));
    assert_eq!(plan.next(), Next::Begin(3));
}

#[test]
fn nobody_misses_a_job_that_was_not_wanted() {
    let mut jobs = vec![job("docs", &[]), job("deploy", &["docs"])];
    jobs[0].skip = Some("not for this branch".into());
    let mut plan = Plan::new(jobs, 1);
    assert_eq!(plan.next(), Next::Skip(0, "not for this branch".into()));
    assert_eq!(plan.next(), Next::Begin(1));
}

#[test]
fn a_deferred_job_gets_its_cells_when_its_needs_have_ended() {
    let deferred = JobSpec {
        deferred: true,
        ..job("test", &["plan"])
    };
    let jobs = vec![job("plan", &[]), deferred, job("deploy", &["test"])];
    let mut plan = Plan::new(jobs.clone(), 1);
    assert_eq!([plan.next(), plan.next()], [Next::Begin(0), Next::Wait]);
    plan.end(0, went_well());
    assert_eq!(plan.next(), Next::Expand(1));
    let changed = plan.expand(1, Ok(cells("test", 2)));
    assert_eq!(changed.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [1, 3]);
    assert_eq!([plan.next(), plan.next()], [Next::Begin(1), Next::Wait]);
    plan.end(1, went_well());
    assert_eq!(plan.next(), Next::Begin(3));
    plan.end(3, went_well());
    assert_eq!(plan.next(), Next::Begin(2));
    // One that cannot be expanded has failed; one without cells is not missed.
    let mut broken = Plan::new(jobs.clone(), 1);
    assert_eq!(broken.next(), Next::Begin(0));
    broken.end(0, went_well());
    assert_eq!(broken.next(), Next::Expand(1));
    assert!(broken.expand(1, Err("no JSON".into())).is_empty());
    assert_eq!(broken.next(), Next::Skip(2, "it needs test, which did not pass".into()));
    let mut empty = Plan::new(jobs, 1);
    assert_eq!(empty.next(), Next::Begin(0));
    empty.end(0, went_well());
    assert_eq!(empty.next(), Next::Expand(1));
    assert!(empty.expand(1, Ok(Vec::new())).is_empty());
    assert_eq!(empty.next(), Next::Begin(2));
}
