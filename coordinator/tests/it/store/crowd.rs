//! Many agents at once: nothing is lost, nothing runs twice.

use std::collections::{HashMap, HashSet};

use coordinator::store::queue;
use coordinator::store::{attempts, testing};
use job_specs::status::JobStatus;
use protocol::attempt::Verdict;
use tokio::task::JoinSet;

use super::world::{World, cells, hold};

pub async fn ten_thousand_jobs_are_claimed_once_each(world: World) {
    let measured = testing::claim_all(
        &world.store,
        testing::Crowd {
            jobs: 10_000,
            agents: 50,
        },
    )
    .await
    .unwrap();
    assert_eq!(measured.claimed.len(), 10_000, "none is lost");
    let jobs: HashSet<_> = measured.claimed.iter().collect();
    assert_eq!(jobs.len(), 10_000, "none runs twice");
    println!("{:.0} claims per second", measured.claims_per_second());
}

pub async fn agents_die_in_the_middle(world: World) {
    let mut expected = 0;
    let mut numbers = Vec::new();
    for _ in 0..5 {
        numbers.push(world.build(cells("test", 40)).await);
        expected += 40;
    }
    let mut ends: HashMap<_, Vec<_>> = HashMap::new();
    for round in 0..3 {
        let mut crowd = JoinSet::new();
        for index in 0..20 {
            let (store, agent) = (world.store.clone(), world.agent(&format!("{round}-{index}")).await);
            crowd.spawn(async move {
                let mut ended = Vec::new();
                for turn in 0.. {
                    let claim = queue::Claim {
                        agent: agent.clone(),
                        free_slots: 2,
                        labels: Default::default(),
                        memory: None,
                    };
                    let claimed = queue::claim(&store, &claim).await.unwrap();
                    // Every third agent dies with its second load, but in the last round.
                    if claimed.is_empty() || (round < 2 && index % 3 == 0 && turn == 1) {
                        break;
                    }
                    for one in claimed {
                        let result = super::world::result(Verdict::Passed);
                        queue::finish(&store, &hold(&agent, &one), &[], result).await.unwrap();
                        ended.push((one.job, one.attempt));
                    }
                }
                ended
            });
        }
        while let Some(ended) = crowd.join_next().await {
            for (job, attempt) in ended.unwrap() {
                ends.entry(job).or_default().push(attempt);
            }
        }
        world.let_leases_lapse().await;
    }
    assert_eq!(ends.len(), expected, "every job ended");
    assert!(ends.values().all(|attempts| attempts.len() == 1), "each by one attempt");
    for number in numbers {
        let detail = world.show(number).await;
        assert_eq!(detail.build.status, JobStatus::Passed);
        for job in &detail.jobs {
            let tried = attempts::list(&world.store, &job.id).await.unwrap();
            assert_eq!(tried.len() as i64, job.attempts);
        }
    }
    assert!(attempts::active(&world.store).await.unwrap().is_empty());
}
