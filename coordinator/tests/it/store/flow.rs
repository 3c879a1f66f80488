//! How jobs of a build follow each other: needs on cells, conditions, outputs, attempts, and what runs again.

use std::collections::BTreeMap;

use coordinator::store::builds::{self, NewBuild, NewJob, Rerun};
use coordinator::store::deferred;
use coordinator::store::facts::Trust;
use coordinator::store::origins::BuildFiles;
use coordinator::store::queue::{self, Ending};
use coordinator::store::{outputs, testing};
use job_specs::dag::Expanded;
use job_specs::model::{AxisValue, JobSpec, Need, Retry, RetryOn, SecretUse, WhenStatus};
use protocol::attempt::{AttemptResult, ReasonCode, Verdict};

use super::world::{CONSOLE, World, ann, cells, hold, job, needing};

fn on_cell(job: &str, value: &str) -> Need {
    let cell = vec![AxisValue {
        axis: "n".into(),
        value: value.into(),
    }];
    Need {
        cell,
        ..Need::from(job)
    }
}

const FAILURE: WhenStatus = WhenStatus {
    success: false,
    failure: true,
};
const ALWAYS: WhenStatus = WhenStatus {
    success: true,
    failure: true,
};

fn when(spec: JobSpec, when: WhenStatus) -> JobSpec {
    JobSpec { when, ..spec }
}

fn outputs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect()
}

pub async fn a_need_on_one_cell_is_met_by_it(world: World) {
    let agent = world.agent("a").await;
    let mut specs = cells("test", 2);
    specs.push(JobSpec {
        needs: vec![on_cell("test", "0")],
        ..job("deploy")
    });
    let build = world.build(specs).await;
    let first = world.claim_one(&agent).await;
    world.finish(&hold(&agent, &first), Verdict::Passed).await.unwrap();
    assert_eq!(
        world.state(build).await,
        "running: test (n=0)=passed test (n=1)=queued deploy=queued"
    );
}

pub async fn conditions_skip_and_what_follows_runs(world: World) {
    let agent = world.agent("a").await;
    let skipped = JobSpec {
        skip: Some("skipped: the event is push, not tag".into()),
        ..job("publish")
    };
    let specs = vec![
        skipped,
        needing("after", &["publish"]),
        job("test"),
        when(needing("report", &["test"]), ALWAYS),
        when(needing("alarm", &["test"]), FAILURE),
        needing("deploy", &["test"]),
        needing("calm", &["alarm"]),
    ];
    let build = world.build(specs.clone()).await;
    assert_eq!(
        world.state(build).await,
        "running: publish=skipped after=queued test=queued report=waiting alarm=waiting deploy=waiting calm=waiting"
    );
    world.work_off(&agent, |_| Verdict::Passed).await;
    assert_eq!(
        world.state(build).await,
        "passed: publish=skipped after=passed test=passed report=passed alarm=skipped deploy=passed calm=passed"
    );
    let build = world.build(specs).await;
    let verdict = |name: &str| {
        if name == "test" {
            Verdict::Failed
        } else {
            Verdict::Passed
        }
    };
    world.work_off(&agent, |claimed| verdict(&claimed.spec.name)).await;
    assert_eq!(
        world.state(build).await,
        "failed: publish=skipped after=passed test=failed report=passed alarm=passed deploy=skipped calm=passed"
    );
    let reasons: Vec<String> = world
        .show(build)
        .await
        .jobs
        .into_iter()
        .filter_map(|job| Some(format!("{}: {}", job.title, job.reason?.sentence)))
        .collect();
    assert_eq!(
        reasons,
        [
            "publish: skipped: the event is push, not tag",
            "test: step `true` exited with 1",
            "deploy: skipped because `test` did not pass"
        ]
    );
}

pub async fn forks_get_no_secrets(world: World) {
    let agent = world.agent("a").await;
    let mut secret = job("deploy");
    secret.steps[0].secrets = vec![SecretUse::env("TOKEN")];
    let mut careful = secret.clone();
    careful.name = "careful".into();
    careful.steps[0].skip = Some("not for pull requests".into());
    let jobs = [secret, careful, needing("after", &["deploy"])].map(NewJob::new);
    let mut new = testing::build(&world.repository, jobs.into());
    new.trust = Trust::Fork;
    let build = builds::create(&world.store, new).await.unwrap();
    assert_eq!(world.claim_one(&agent).await.spec.name, "careful");
    assert_eq!(
        world.state(build).await,
        "running: deploy=failed careful=assigned after=skipped"
    );
    let reason = world.show(build).await.jobs.remove(0).reason.unwrap();
    assert_eq!(reason.code, ReasonCode::SecretMissing);
    assert_eq!(
        reason.sentence,
        "secrets are not given to code that is not trusted; step `true` names some"
    );
}

/// `plan`, then a deferred `test` and a `deploy` after it.
async fn planned(world: &World) -> i64 {
    let test = JobSpec {
        deferred: true,
        ..needing("test", &["plan"])
    };
    let jobs = [job("plan"), test, needing("deploy", &["test"]), job("lint")].map(NewJob::new);
    let new = NewBuild {
        files: Some(BuildFiles::default()),
        ..testing::build(&world.repository, jobs.into())
    };
    builds::create(&world.store, new).await.unwrap()
}

fn test_cells(count: usize) -> Vec<JobSpec> {
    let expanded = cells("test", count).into_iter();
    expanded
        .map(|cell| JobSpec {
            needs: vec!["plan".into()],
            max_parallel: Some(2),
            ..cell
        })
        .collect()
}

pub async fn deferred_jobs_become_their_cells(world: World) {
    let agent = world.agent("a").await;
    let build = planned(&world).await;
    assert!(deferred::due(&world.store).await.unwrap().is_empty());
    let plan = world.claim_one(&agent).await;
    let ending = Ending {
        events: vec![],
        result: AttemptResult::passed(),
        outputs: outputs(&[("cells", "[1,2,3]")]),
        retain: None,
    };
    queue::finish_with(&world.store, &hold(&agent, &plan), ending)
        .await
        .unwrap();
    // A coordinator that died here left all of it in the store.
    let due = deferred::due(&world.store).await.unwrap().pop().unwrap();
    assert_eq!((due.name.as_str(), due.build), ("test", build));
    assert_eq!(due.seen.outputs["plan"], outputs(&[("cells", "[1,2,3]")]));
    assert!(due.origin.is_some());
    for _twice in 0..2 {
        let expanded = Expanded::Cells(test_cells(3));
        deferred::expand(&world.store, &due.job, expanded).await.unwrap();
    }
    assert!(deferred::due(&world.store).await.unwrap().is_empty());
    assert_eq!(
        world.state(build).await,
        "running: plan=passed test (n=0)=queued test (n=1)=queued test (n=2)=queued deploy=waiting lint=queued"
    );
    let done = world.work_off(&agent, |_| Verdict::Passed).await;
    assert_eq!(done.join(" "), "test (n=0) test (n=1) test (n=2) deploy lint");
    assert_eq!(
        outputs::of_job(&world.store, &plan.job).await.unwrap(),
        outputs(&[("cells", "[1,2,3]")])
    );
    // All of it again: the matrix is asked for again. One cell: it is not.
    let again = builds::rerun(&world.store, CONSOLE, build, (Rerun::All, true))
        .await
        .unwrap();
    assert_eq!(
        world.state(again).await,
        "queued: plan=queued test=waiting deploy=waiting lint=queued"
    );
    let cell = world.show(build).await.jobs[2].id.clone();
    let again = builds::rerun(&world.store, CONSOLE, build, (Rerun::Jobs(vec![cell]), true))
        .await
        .unwrap();
    assert_eq!(world.state(again).await, "queued: test (n=1)=queued");
}

pub async fn a_matrix_may_be_empty_or_wrong(world: World) {
    let agent = world.agent("a").await;
    let build = planned(&world).await;
    let wrong = planned(&world).await;
    for _ in 0..3 {
        let claimed = world.claim_one(&agent).await;
        world.finish(&hold(&agent, &claimed), Verdict::Passed).await.unwrap();
    }
    let due = deferred::due(&world.store).await.unwrap();
    let empty = Expanded::Cells(Vec::new());
    deferred::expand(&world.store, &due[0].job, empty).await.unwrap();
    let refused = Expanded::Refused {
        sentence: "`cells` is no JSON".into(),
        diagnostics: Vec::new(),
    };
    deferred::expand(&world.store, &due[1].job, refused).await.unwrap();
    assert_eq!(
        world.state(build).await,
        "running: plan=passed test=skipped deploy=queued lint=passed"
    );
    assert_eq!(
        world.state(wrong).await,
        "running: plan=passed test=failed deploy=skipped lint=queued"
    );
}

pub async fn a_cancelled_placeholder_stays_cancelled(world: World) {
    let agent = world.agent("a").await;
    let build = planned(&world).await;
    let plan = world.claim_one(&agent).await;
    world.finish(&hold(&agent, &plan), Verdict::Passed).await.unwrap();
    let due = deferred::due(&world.store).await.unwrap().pop().unwrap();
    builds::cancel(&world.store, &ann(), build).await.unwrap();
    let expanded = Expanded::Cells(test_cells(3));
    deferred::expand(&world.store, &due.job, expanded).await.unwrap();
    assert_eq!(
        world.state(build).await,
        "cancelled: plan=passed test=cancelled deploy=cancelled lint=cancelled"
    );
}

pub async fn outputs_that_cannot_be_kept_fail_the_job(world: World) {
    let agent = world.agent("a").await;
    let build = world.build(vec![job("plan")]).await;
    let plan = world.claim_one(&agent).await;
    let ending = Ending {
        events: vec![],
        result: AttemptResult::passed(),
        outputs: outputs(&[("a-b", "1")]),
        retain: None,
    };
    queue::finish_with(&world.store, &hold(&agent, &plan), ending)
        .await
        .unwrap();
    assert_eq!(world.state(build).await, "failed: plan=failed");
}

fn exited(code: i32) -> AttemptResult {
    let mut result = AttemptResult::because(Verdict::Failed, ReasonCode::StepFailed, "no");
    if let Some(reason) = &mut result.reason {
        reason.exit_code = Some(code);
    }
    result
}

pub async fn retry_names_what_is_tried_again(world: World) {
    let agent = world.agent("a").await;
    let flaky = JobSpec {
        retry: Retry {
            max: 1,
            on: vec![RetryOn::Exit(75)],
        },
        ..job("flaky")
    };
    let once = JobSpec {
        idempotent: false,
        ..JobSpec {
            name: "once".into(),
            ..flaky.clone()
        }
    };
    let build = world.build(vec![flaky, once]).await;
    let mut said = Vec::new();
    while let Some(claimed) = world.claim(&agent, 1).await.pop() {
        said.push(format!("{} {}", claimed.spec.name, claimed.number));
        let hold = hold(&agent, &claimed);
        queue::finish(&world.store, &hold, &[], exited(75)).await.unwrap();
    }
    assert_eq!(said.join(", "), "flaky 1, flaky 2, once 1");
    assert_eq!(world.state(build).await, "failed: flaky=failed once=failed");
    // What we broke does not count for what the job did.
    let both = JobSpec {
        retry: Retry {
            max: 1,
            on: vec![RetryOn::Any],
        },
        ..job("both")
    };
    let build = world.build(vec![both]).await;
    for verdict in [Verdict::Failed, Verdict::Errored, Verdict::Errored, Verdict::Passed] {
        let claimed = world.claim_one(&agent).await;
        world.finish(&hold(&agent, &claimed), verdict).await.unwrap();
    }
    assert_eq!(world.state(build).await, "passed: both=passed");
}

pub async fn one_job_runs_again_with_what_it_held_up(world: World) {
    let agent = world.agent("a").await;
    let mut specs = cells("test", 3);
    specs.extend([
        needing("deploy", &["test"]),
        job("broken"),
        needing("after", &["broken", "test"]),
    ]);
    let build = world.build(specs).await;
    let fails = |title: &str| title == "test (n=1)" || title == "broken";
    let verdict = |failed: bool| if failed { Verdict::Failed } else { Verdict::Passed };
    world
        .work_off(&agent, |claimed| verdict(fails(&claimed.spec.title())))
        .await;
    let cell = world.show(build).await.jobs[1].id.clone();
    let again = builds::rerun(&world.store, CONSOLE, build, (Rerun::Jobs(vec![cell]), true))
        .await
        .unwrap();
    assert_eq!(world.state(again).await, "queued: test (n=1)=queued deploy=waiting");
    let unknown = builds::rerun(&world.store, CONSOLE, build, (Rerun::Jobs(vec![]), true))
        .await
        .unwrap_err();
    assert_eq!(unknown.to_string(), "build 1 has no such jobs");
}
