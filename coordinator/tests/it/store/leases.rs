//! Leases: kept by calling, lost by silence, and never held by two.

use coordinator::store::StoreError;
use coordinator::store::queue::{self, AgentLease};
use coordinator::store::{attempts, builds, jobs};
use protocol::attempt::{EventKind, ReasonCode, Verdict};

use super::world::{World, event, held, hold, job, result};

fn is_stale<T>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::StaleLease))
}

pub async fn a_silent_agent_loses_its_job(world: World) {
    let (lost, other) = (world.agent("lost").await, world.agent("other").await);
    let build = world.build(vec![job("test")]).await;
    let first = world.claim_one(&lost).await;
    let old = hold(&lost, &first);
    world.start(&old).await.unwrap();
    let expired = world.let_leases_lapse().await;
    assert_eq!(expired[0].attempt, first.attempt);
    assert_eq!(world.state(build).await, "running: test=queued");
    let second = world.claim_one(&other).await;
    assert_ne!(second.attempt, first.attempt);
    assert_eq!((second.job.clone(), second.number), (first.job.clone(), 2));
    assert!(second.epoch > first.epoch);
    // The first agent comes back: nothing that it says counts.
    assert!(is_stale(world.start(&old).await));
    assert!(is_stale(attempts::check(&world.store, &old).await));
    assert!(is_stale(queue::resume(&world.store, &old).await));
    assert!(is_stale(world.finish(&old, Verdict::Failed).await));
    let renewed = queue::renew(&world.store, &lost, &[held(&first)]).await.unwrap();
    assert_eq!(renewed.lost, std::slice::from_ref(&first.attempt));
    // Nor does it count under another's name, or with a wrong epoch.
    let new = hold(&other, &second);
    assert!(is_stale(
        world
            .finish(
                &AgentLease {
                    agent: lost.clone(),
                    ..new.clone()
                },
                Verdict::Passed
            )
            .await
    ));
    assert!(is_stale(
        world
            .finish(
                &AgentLease {
                    epoch: first.epoch,
                    ..new.clone()
                },
                Verdict::Passed
            )
            .await
    ));
    world.finish(&new, Verdict::Passed).await.unwrap();
    assert_eq!(world.state(build).await, "passed: test=passed");
    let tried = attempts::list(&world.store, &first.job).await.unwrap();
    let tried: Vec<String> = tried
        .iter()
        .map(|one| format!("{} {:?} by {}", one.number, one.state, one.agent_name))
        .collect();
    assert_eq!(tried, ["1 Lost by lost", "2 Finished by other"]);
}

pub async fn a_lost_job_is_tried_three_times(world: World) {
    let agent = world.agent("a").await;
    let build = world.build(vec![job("test")]).await;
    for number in 1..=3 {
        assert_eq!(world.claim_one(&agent).await.number, number);
        assert_eq!(world.let_leases_lapse().await.len(), 1);
    }
    let detail = world.show(build).await;
    assert_eq!(detail.build.status.name(), "errored");
    let reason = detail.jobs[0].reason.clone().unwrap();
    assert_eq!(reason.code, ReasonCode::AgentLost);
    assert_eq!(
        reason.sentence,
        "agent `a` stopped calling, and this was attempt 3, the last"
    );
    let once = builds::NewJob {
        retries: 0,
        ..builds::NewJob::new(job("deploy"))
    };
    let build = world.build_of(vec![once]).await;
    world.claim_one(&agent).await;
    world.let_leases_lapse().await;
    assert_eq!(world.state(build).await, "errored: deploy=errored");
}

pub async fn nobody_is_lost_after_a_start(world: World) {
    let agent = world.agent("a").await;
    world.build(vec![job("test")]).await;
    let claimed = world.claim_one(&agent).await;
    // The coordinator was away for ten minutes: the lease is long over, but nobody could renew it.
    let back = world.store.now() + 600_000_000;
    for seconds in 0..30 {
        assert!(
            queue::expire(&world.store, back + seconds * 1_000_000)
                .await
                .unwrap()
                .is_empty()
        );
    }
    let renewed = queue::renew(&world.store, &agent, &[held(&claimed)]).await.unwrap();
    assert!(renewed.lost.is_empty(), "an agent that calls in time keeps its job");
    assert_eq!(
        queue::expire(&world.store, back + 30_000_000).await.unwrap().len(),
        1,
        "by this clock it did not"
    );
}

pub async fn an_agent_that_calls_keeps_its_job(world: World) {
    let agent = world.agent("a").await;
    world.build(vec![job("test")]).await;
    let claimed = world.claim_one(&agent).await;
    let start = world.store.now();
    for seconds in 0..29 {
        assert!(
            queue::expire(&world.store, start + seconds * 1_000_000)
                .await
                .unwrap()
                .is_empty()
        );
    }
    assert_eq!(
        queue::renew(&world.store, &agent, &[held(&claimed)]).await.unwrap(),
        queue::Renewed::default()
    );
    assert!(
        queue::expire(&world.store, start + 29_500_000)
            .await
            .unwrap()
            .is_empty()
    );
    attempts::check(&world.store, &hold(&agent, &claimed)).await.unwrap();
}

pub async fn a_restarted_agent_goes_on(world: World) {
    let agent = world.agent("a").await;
    world.build(vec![job("test")]).await;
    let claimed = world.claim_one(&agent).await;
    let resumed = queue::resume(&world.store, &hold(&agent, &claimed)).await.unwrap();
    assert_eq!(resumed, claimed);
    world.finish(&hold(&agent, &claimed), Verdict::Passed).await.unwrap();
    assert!(is_stale(queue::resume(&world.store, &hold(&agent, &claimed)).await));
}

pub async fn events_are_kept_once(world: World) {
    let agent = world.agent("a").await;
    world.build(vec![job("test")]).await;
    let claimed = world.claim_one(&agent).await;
    let hold = hold(&agent, &claimed);
    let all: Vec<_> = [
        EventKind::Started,
        EventKind::StepStarted { step: 0 },
        EventKind::StepStarted { step: 1 },
    ]
    .into_iter()
    .zip(0..)
    .map(|(kind, seq)| event(seq, kind))
    .collect();
    attempts::events(&world.store, &hold, &all[..2]).await.unwrap();
    attempts::events(&world.store, &hold, &all[..2]).await.unwrap();
    let gap = attempts::events(&world.store, &hold, &[event(5, EventKind::Started)]).await;
    assert!(matches!(gap, Err(StoreError::Refused(why)) if why.starts_with("event 2 is missing before event 5")));
    attempts::events(&world.store, &hold, &all[1..]).await.unwrap();
    assert_eq!(
        attempts::list_events(&world.store, &claimed.attempt, 0).await.unwrap(),
        all
    );
    assert_eq!(
        attempts::list_events(&world.store, &claimed.attempt, 2).await.unwrap(),
        all[2..]
    );
}

pub async fn finish_is_reported_twice(world: World) {
    let agent = world.agent("a").await;
    let build = world.build(vec![job("test")]).await;
    let claimed = world.claim_one(&agent).await;
    let (hold, events) = (hold(&agent, &claimed), [event(0, EventKind::Started)]);
    queue::finish(&world.store, &hold, &events, result(Verdict::Passed))
        .await
        .unwrap();
    queue::finish(&world.store, &hold, &events, result(Verdict::Passed))
        .await
        .unwrap();
    queue::finish(&world.store, &hold, &events, result(Verdict::Failed))
        .await
        .unwrap();
    attempts::events(&world.store, &hold, &events).await.unwrap();
    assert!(is_stale(
        attempts::events(&world.store, &hold, &[event(1, EventKind::Started)]).await
    ));
    assert_eq!(world.state(build).await, "passed: test=passed");
    let detail = jobs::show(&world.store, &claimed.job).await.unwrap();
    assert_eq!(
        detail.history.len(),
        3,
        "assigned, started by the events that came with its end, passed"
    );
    assert_eq!(detail.attempts[0].verdict, Some(Verdict::Passed));
}

pub async fn what_we_broke_is_tried_again(world: World) {
    let agent = world.agent("a").await;
    let build = world.build(vec![job("broken"), job("wrong"), job("slow")]).await;
    let verdict = |name: &str| match name {
        "broken" => Verdict::Errored,
        "wrong" => Verdict::Failed,
        _ => Verdict::TimedOut,
    };
    let order = world.work_off(&agent, |claimed| verdict(&claimed.spec.name)).await;
    assert_eq!(order, ["broken", "broken", "broken", "wrong", "slow"]);
    assert_eq!(
        world.state(build).await,
        "failed: broken=errored wrong=failed slow=timed_out"
    );
    let reason = world.show(build).await.jobs[0].reason.clone().unwrap();
    assert_eq!(reason.sentence, "the engine went away");
}
