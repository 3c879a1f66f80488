//! Schedules: kept as the job file says, due once for each of their times.

use coordinator::store::builds::{self, NewBuild, NewJob};
use coordinator::store::schedules::{self, Came, Declared};
use coordinator::store::testing;
use job_specs::triggers::{Missed, Schedule};

use super::world::{World, job};

fn nightly(cron: &str) -> Schedule {
    Schedule {
        cron: cron.into(),
        timezone: "UTC".into(),
        missed: Missed::RunOnce,
        inputs: Default::default(),
    }
}

async fn reported(world: &World, schedules: &[(&str, i64)]) {
    let schedules = schedules.iter().map(|(cron, next)| (nightly(cron), Some(*next)));
    let reported = Declared {
        schedules: schedules.collect(),
        inputs: Vec::new(),
    };
    schedules::refresh(&world.store, &world.repository, reported)
        .await
        .unwrap();
}

async fn said(world: &World) -> String {
    let all = schedules::list(&world.store, &world.repository).await.unwrap();
    let each = all
        .into_iter()
        .map(|found| format!("{} at {:?}", found.schedule.cron, found.next_at));
    each.collect::<Vec<_>>().join(", ")
}

pub async fn a_schedule_keeps_its_time(world: World) {
    reported(&world, &[("0 1 * * *", 10), ("0 2 * * *", 20)]).await;
    // The second goes on where it was, whatever stands before it; the first is gone.
    reported(&world, &[("0 3 * * *", 30), ("0 2 * * *", 99)]).await;
    assert_eq!(said(&world).await, "0 3 * * * at Some(30), 0 2 * * * at Some(20)");
    let due = schedules::due(&world.store, 25).await.unwrap();
    assert_eq!(due.len(), 1);
    schedules::retry_later(&world.store, &due[0], 50, "not now".into())
        .await
        .unwrap();
    assert_eq!(schedules::due(&world.store, 25).await.unwrap().len(), 0);
    assert_eq!(schedules::due(&world.store, 50).await.unwrap().len(), 2);
    reported(&world, &[]).await;
    assert_eq!(said(&world).await, "");
}

pub async fn a_time_makes_one_build(world: World) {
    reported(&world, &[("0 1 * * *", 10)]).await;
    let due = schedules::due(&world.store, 10).await.unwrap().remove(0);
    let new = || NewBuild {
        due: Some("hello 0 1 * * * UTC 10".into()),
        ..testing::build(&world.repository, vec![NewJob::new(job("test"))])
    };
    // A coordinator that dies after the build and before the next line makes no second one.
    let first = builds::create(&world.store, new()).await.unwrap();
    assert_eq!(builds::create(&world.store, new()).await.unwrap(), first);
    let came = |next_at| Came {
        next_at: Some(next_at),
        build: Some(first),
        message: None,
    };
    schedules::done(&world.store, &due, came(70)).await.unwrap();
    schedules::done(&world.store, &due, came(80)).await.unwrap();
    assert_eq!(said(&world).await, "0 1 * * * at Some(70)");
}
