//! Who gets which job, and what one job's end means for the others.

use coordinator::store::agents::{self, Draining, Seen};
use coordinator::store::builds::{self, NewJob};
use coordinator::store::queue::{self, Claim};
use coordinator::store::{Change, jobs, testing};
use job_specs::model::{Env, JobSpec};
use protocol::attempt::Verdict;
use protocol::ids::AgentId;

use super::world::{CONSOLE, World, ann, cells, held, hold, job, needing};

pub async fn a_job_runs_and_passes(world: World) {
    let agent = world.agent("a").await;
    let build = world.build(vec![job("test")]).await;
    assert_eq!(world.state(build).await, "queued: test=queued");
    let claimed = world.claim_one(&agent).await;
    assert_eq!(
        (
            claimed.build,
            claimed.number,
            claimed.epoch,
            claimed.facts.repository.as_str(),
            claimed.git.as_str()
        ),
        (build, 1, 1, "hello", "/srv/git/hello")
    );
    assert_eq!(
        (claimed.spec.clone(), claimed.facts.title.as_deref().unwrap_or_default()),
        (job("test"), "say hello")
    );
    assert_eq!(world.state(build).await, "running: test=assigned");
    assert!(world.claim(&agent, 5).await.is_empty(), "it is claimed once");
    let hold = hold(&agent, &claimed);
    world.start(&hold).await.unwrap();
    assert_eq!(world.state(build).await, "running: test=running");
    world.finish(&hold, Verdict::Passed).await.unwrap();
    assert_eq!(world.state(build).await, "passed: test=passed");
    let detail = jobs::show(&world.store, &claimed.job).await.unwrap();
    let history: Vec<String> = detail
        .history
        .iter()
        .map(|entry| format!("{:?}", entry.event))
        .collect();
    assert_eq!(history, ["Assign", "Start", "Pass"]);
    assert_eq!(detail.attempts.len(), 1);
    assert_eq!((detail.job.agent.as_deref(), detail.job.reason), (Some("a"), None));
    assert!(world.show(build).await.build.finished_at >= detail.job.started_at);
}

pub async fn priority_then_fairness_then_age(world: World) {
    let agent = world.agent("a").await;
    let many = world.build(cells("many", 4)).await;
    let other = testing::repository(&world.store, "other").await.unwrap();
    let few = cells("few", 2).into_iter().map(NewJob::new).collect();
    builds::create(&world.store, testing::build(&other, few)).await.unwrap();
    let urgent = NewJob {
        priority: 1,
        ..NewJob::new(job("urgent"))
    };
    world.build_of(vec![urgent]).await;
    let claimed = world.claim(&agent, 10).await;
    let order: Vec<String> = claimed.iter().map(|claimed| claimed.spec.title()).collect();
    // `hello` has one running after `urgent`, so `other` goes next; then they take turns, the older one first.
    assert_eq!(
        order,
        [
            "urgent",
            "few (n=0)",
            "many (n=0)",
            "few (n=1)",
            "many (n=1)",
            "many (n=2)",
            "many (n=3)"
        ]
    );
    assert_eq!(claimed[2].build, many);
}

pub async fn labels_choose_the_agent(world: World) {
    let agent = world.agent("a").await;
    let labels =
        |pairs: &[(&str, &str)]| -> Env { pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect() };
    let gpu = NewJob {
        labels: labels(&[("gpu", "true")]),
        ..NewJob::new(job("train"))
    };
    world.build_of(vec![gpu, NewJob::new(job("lint"))]).await;
    let claim = async |labels: Env| {
        let claim = Claim {
            agent: agent.clone(),
            free_slots: 5,
            labels,
            memory: None,
        };
        let claimed = queue::claim(&world.store, &claim).await.unwrap();
        claimed.into_iter().map(|claimed| claimed.spec.name).collect::<Vec<_>>()
    };
    assert_eq!(claim(labels(&[("gpu", "false")])).await, ["lint"]);
    assert_eq!(claim(labels(&[("arch", "arm64")])).await, [""; 0]);
    assert_eq!(claim(labels(&[("arch", "arm64"), ("gpu", "true")])).await, ["train"]);
}

pub async fn needs_open_the_way(world: World) {
    let agent = world.agent("a").await;
    let mut specs = vec![needing("deploy", &["test", "lint"])];
    specs.extend(cells("test", 2));
    specs.push(needing("lint", &["fmt"]));
    specs.push(job("fmt"));
    let build = world.build(specs).await;
    assert_eq!(
        world.state(build).await,
        "queued: deploy=waiting test (n=0)=queued test (n=1)=queued lint=waiting fmt=queued"
    );
    let order = world.work_off(&agent, |_| Verdict::Passed).await;
    assert_eq!(order, ["test (n=0)", "test (n=1)", "fmt", "lint", "deploy"]);
    assert_eq!(world.show(build).await.build.status.name(), "passed");
}

pub async fn a_failed_need_skips_what_follows(world: World) {
    let agent = world.agent("a").await;
    let mut specs = cells("test", 2);
    specs.push(JobSpec {
        allow_failure: true,
        ..job("flaky")
    });
    specs.push(needing("after-flaky", &["flaky"]));
    specs.push(needing("deploy", &["test", "flaky"]));
    specs.push(needing("announce", &["deploy"]));
    let build = world.build(specs).await;
    let fails = |title: &str| ["test (n=0)", "flaky"].contains(&title);
    let order = world
        .work_off(&agent, |claimed| {
            if fails(&claimed.spec.title()) {
                Verdict::Failed
            } else {
                Verdict::Passed
            }
        })
        .await;
    assert_eq!(order, ["test (n=0)", "test (n=1)", "flaky", "after-flaky"]);
    let detail = world.show(build).await;
    assert_eq!(detail.build.status.name(), "failed");
    let skipped: Vec<String> = detail
        .jobs
        .iter()
        .filter_map(|job| job.reason.clone())
        .map(|r| r.sentence)
        .collect();
    assert_eq!(
        skipped,
        [
            "step `true` exited with 1",
            "step `true` exited with 1",
            "skipped because `test (n=0)` did not pass",
            "skipped because `deploy` did not pass"
        ]
    );
    assert!(detail.build.finished_at.is_some());
}

pub async fn max_parallel_holds_cells(world: World) {
    let agent = world.agent("a").await;
    let limited = |spec: JobSpec| JobSpec {
        max_parallel: Some(2),
        ..spec
    };
    let build = world.build(cells("test", 5).into_iter().map(limited).collect()).await;
    let first = world.claim(&agent, 9).await;
    assert_eq!(first.len(), 2);
    let held_back = world.show(build).await.jobs[2].id.clone();
    assert_eq!(
        jobs::why(&world.store, &held_back).await.unwrap(),
        "blocked by max_parallel: at most 2 of `test` at once"
    );
    world.finish(&hold(&agent, &first[0]), Verdict::Errored).await.unwrap();
    let again = world.claim(&agent, 9).await;
    assert_eq!(again.len(), 1, "another attempt has the same place");
    assert_eq!(again[0].job, first[0].job);
    world.finish(&hold(&agent, &again[0]), Verdict::Failed).await.unwrap();
    assert_eq!(world.claim(&agent, 9).await.len(), 1);
    queue::cancel(&world.store, &ann(), &world.show(build).await.jobs[3].id)
        .await
        .unwrap();
    world.finish(&hold(&agent, &first[1]), Verdict::Passed).await.unwrap();
    assert_eq!(world.claim(&agent, 9).await.len(), 1, "a cancelled cell takes no place");
    assert_eq!(
        world.state(build).await,
        "running: test (n=0)=failed test (n=1)=passed test (n=2)=assigned test (n=3)=cancelled test (n=4)=assigned"
    );
}

pub async fn fail_fast_stops_the_other_cells(world: World) {
    let agent = world.agent("a").await;
    let mut specs: Vec<JobSpec> = cells("test", 4)
        .into_iter()
        .map(|spec| JobSpec {
            fail_fast: true,
            ..spec
        })
        .collect();
    specs[0].allow_failure = true;
    specs.push(job("lint"));
    let build = world.build(specs).await;
    let running = world.claim(&agent, 3).await;
    world.finish(&hold(&agent, &running[0]), Verdict::Failed).await.unwrap();
    assert!(
        world.state(build).await.contains("test (n=3)=queued"),
        "that failure was allowed"
    );
    world.finish(&hold(&agent, &running[1]), Verdict::Failed).await.unwrap();
    assert_eq!(
        world.state(build).await,
        "running: test (n=0)=failed test (n=1)=failed test (n=2)=assigned test (n=3)=cancelled lint=queued"
    );
    let renewed = queue::renew(&world.store, &agent, &[held(&running[2])]).await.unwrap();
    assert_eq!(renewed.cancel, [running[2].attempt.clone()]);
    world
        .finish(&hold(&agent, &running[2]), Verdict::Cancelled)
        .await
        .unwrap();
    let stopped = world.show(build).await.jobs[2].reason.clone().unwrap();
    assert_eq!(
        stopped.sentence,
        "stopped because `test (n=1)` did not pass (fail_fast)"
    );
}

pub async fn a_cancel_is_immediate_or_delivered(world: World) {
    let agent = world.agent("a").await;
    let build = world
        .build(vec![job("one"), job("two"), job("three"), needing("four", &["three"])])
        .await;
    let (one, two) = (world.claim_one(&agent).await, world.claim_one(&agent).await);
    world.start(&hold(&agent, &one)).await.unwrap();
    builds::cancel(&world.store, &ann(), build).await.unwrap();
    assert_eq!(
        world.state(build).await,
        "running: one=running two=assigned three=cancelled four=cancelled"
    );
    let why = jobs::why(&world.store, &one.job).await.unwrap();
    assert_eq!(why, "agent `a` stops it");
    let renewed = queue::renew(&world.store, &agent, &[held(&one), held(&two)])
        .await
        .unwrap();
    assert_eq!(renewed.cancel, [one.attempt.clone(), two.attempt.clone()]);
    world.finish(&hold(&agent, &one), Verdict::Errored).await.unwrap();
    assert!(
        world.state(build).await.contains("one=cancelled"),
        "what was to stop is not tried again"
    );
    assert_eq!(world.let_leases_lapse().await.len(), 1, "the agent is gone");
    assert_eq!(
        world.state(build).await,
        "cancelled: one=cancelled two=cancelled three=cancelled four=cancelled"
    );
    builds::cancel(&world.store, &ann(), build).await.unwrap();
    assert!(matches!(
        builds::cancel(&world.store, &ann(), 99).await,
        Err(coordinator::store::StoreError::NotFound("build"))
    ));
}

pub async fn a_waiting_job_says_why(world: World) {
    let gpu: Env = [("gpu".to_owned(), "true".to_owned())].into();
    let trains = NewJob {
        labels: gpu.clone(),
        ..NewJob::new(job("train"))
    };
    let jobs = vec![
        NewJob::new(job("one")),
        NewJob::new(job("two")),
        trains,
        NewJob::new(needing("four", &["one"])),
    ];
    let build = world.build_of(jobs).await;
    let mut said = Vec::new();
    let ids: Vec<_> = world.show(build).await.jobs.into_iter().map(|job| job.id).collect();
    let why = async |job: usize| jobs::why(&world.store, &ids[job]).await.unwrap();
    said.push(why(0).await);
    let agent = testing::agent(&world.store, "a", 1).await.unwrap();
    said.push(why(0).await);
    said.push(why(2).await);
    said.push(why(3).await);
    let claimed = world.claim_one(&agent).await;
    said.push(why(0).await);
    said.push(why(1).await);
    world.start(&hold(&agent, &claimed)).await.unwrap();
    said.push(why(0).await);
    agents::set_labels(&world.store, CONSOLE, &agent, &gpu).await.unwrap();
    said.push(why(2).await);
    agents::drain(&world.store, CONSOLE, &agent, Draining::Yes)
        .await
        .unwrap();
    said.push(why(1).await);
    insta::allow_duplicates! { insta::assert_snapshot!(said.join("\n"), @"
        no agent is connected
        about to start: next in the queue
        no agent has label gpu=true
        waiting for job `one`
        agent `a` prepares it
        agent `a` is busy; next in the queue
        it runs on agent `a`
        agent `a` is busy; 2nd in the queue
        agent `a` is draining
        ") };
    let queued = queue::waiting(&world.store, 10).await.unwrap();
    let queued: Vec<String> = queued.iter().map(|one| format!("{}: {}", one.title, one.why)).collect();
    insta::allow_duplicates! { insta::assert_snapshot!(queued.join("\n"), @"
        two: agent `a` is draining
        train: agent `a` is draining
        four: waiting for job `one`
        ") };
}

pub async fn a_draining_agent_takes_nothing(world: World) {
    let agent = world.agent("a").await;
    world.build(vec![job("test")]).await;
    agents::drain(&world.store, CONSOLE, &agent, Draining::Yes)
        .await
        .unwrap();
    assert!(world.claim(&agent, 1).await.is_empty());
    assert!(world.claim(&AgentId("stranger".into()), 1).await.is_empty());
    let seen = agents::seen(&world.store, &agent, &Seen::default()).await.unwrap();
    assert_eq!(seen.draining, Draining::Yes);
    agents::drain(&world.store, CONSOLE, &agent, Draining::No)
        .await
        .unwrap();
    assert_eq!(world.claim(&agent, 1).await.len(), 1);
}

pub async fn writes_wake_others(world: World) {
    let agent = world.agent("a").await;
    let mut changes = world.store.changes();
    let build = world.build(vec![job("test")]).await;
    let claimed = world.claim_one(&agent).await;
    world.start(&hold(&agent, &claimed)).await.unwrap();
    queue::cancel(&world.store, &ann(), &claimed.job).await.unwrap();
    let expected = [
        vec![Change::Queue, Change::Build(build)],
        vec![Change::Build(build)],
        vec![Change::Build(build), Change::Attempt(claimed.attempt)],
        vec![Change::Queue, Change::Build(build)],
    ];
    for change in expected.into_iter().flatten() {
        // What PostgreSQL's listener says about itself is no write.
        let mut heard = changes.recv().await.unwrap();
        while heard == Change::All || (heard == Change::Queue && change != Change::Queue) {
            heard = changes.recv().await.unwrap();
        }
        assert_eq!(heard, change);
    }
}

pub async fn memory_counts_beside_slots(world: World) {
    let agent = world.agent("a").await;
    let asking = |name: &str, bytes: u64| {
        let mut spec = job(name);
        spec.resources.memory_bytes = Some(bytes);
        spec
    };
    let build = world
        .build(vec![
            asking("large", 6),
            asking("huge", 20),
            asking("small", 2),
            job("any"),
        ])
        .await;
    let claim = async |free_slots: u32, free: u64| {
        let claim = Claim {
            agent: agent.clone(),
            free_slots,
            labels: Default::default(),
            memory: Some(queue::Memory { total: 8, free }),
        };
        let claimed = queue::claim(&world.store, &claim).await.unwrap();
        let names: Vec<String> = claimed.iter().map(|one| one.spec.name.clone()).collect();
        (names.join(" "), claimed)
    };
    let (names, first) = claim(3, 8).await;
    assert_eq!(
        names, "large any",
        "`huge` gets all there is, alone, and `small` does not overtake it"
    );
    assert_eq!(claim(3, 2).await.0, "");
    world.finish(&hold(&agent, &first[0]), Verdict::Passed).await.unwrap();
    let (names, second) = claim(3, 8).await;
    assert_eq!(names, "huge");
    world.finish(&hold(&agent, &second[0]), Verdict::Passed).await.unwrap();
    assert_eq!(claim(3, 8).await.0, "small");
    assert_eq!(
        world.state(build).await,
        "running: large=passed huge=passed small=assigned any=assigned"
    );
}
