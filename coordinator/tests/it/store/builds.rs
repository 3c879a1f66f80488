//! Builds as people see them, and the database under them.

use coordinator::db::{Db, DbError, SCHEMA, Value};
use coordinator::store::builds::{self, Filter, NewBuild, Rerun};
use coordinator::store::{Store, StoreError, counters, retention, testing};
use job_specs::Facts;
use job_specs::diagnostics::{Diagnostic, Severity};
use job_specs::status::JobStatus;
use protocol::attempt::Verdict;

use super::world::{CONSOLE, World, cells, job, needing};

pub async fn a_build_is_listed_and_shown(world: World) {
    let agent = world.agent("a").await;
    let build = world.build(cells("test", 3)).await;
    world.claim_one(&agent).await;
    let listed = builds::list(&world.store, &Filter::default()).await.unwrap();
    let shown = world.show(build).await;
    assert_eq!(listed, std::slice::from_ref(&shown.build));
    assert_eq!(
        (shown.build.repository.as_str(), shown.build.facts.branch.as_deref()),
        ("hello", Some("main"))
    );
    assert_eq!(shown.build.counts, [("assigned", 1), ("queued", 2)].into());
    assert!(matches!(
        builds::show(&world.store, build + 1).await,
        Err(StoreError::NotFound("build"))
    ));
    let number = builds::reserve_number(&world.store).await.unwrap();
    let later = world.build(vec![job("later")]).await;
    let mut reserved = testing::build(&world.repository, vec![]);
    reserved.facts.build = Some(number);
    assert_eq!(builds::create(&world.store, reserved).await.unwrap(), number);
    assert!(build < number && number < later);
}

pub async fn lists_are_filtered_and_paged(world: World) {
    let agent = world.agent("a").await;
    let other = testing::repository(&world.store, "other").await.unwrap();
    let mut numbers = Vec::new();
    for index in 0..6 {
        let repository = if index % 2 == 0 { &world.repository } else { &other };
        let mut new = testing::build(repository, vec![builds::NewJob::new(job("test"))]);
        new.facts.branch = Some(if index < 3 { "main" } else { "topic" }.into());
        numbers.push(builds::create(&world.store, new).await.unwrap());
    }
    let done = world.claim_one(&agent).await;
    world
        .finish(&super::world::hold(&agent, &done), Verdict::Passed)
        .await
        .unwrap();
    let list = async |filter: Filter| {
        let builds = builds::list(&world.store, &filter).await.unwrap();
        builds.into_iter().map(|build| build.number).collect::<Vec<_>>()
    };
    let newest_first: Vec<i64> = numbers.iter().rev().copied().collect();
    assert_eq!(list(Filter::default()).await, newest_first);
    assert_eq!(
        list(Filter {
            limit: 2,
            ..Filter::default()
        })
        .await,
        newest_first[..2]
    );
    let next = Filter {
        limit: 2,
        before: Some(newest_first[1]),
        ..Filter::default()
    };
    assert_eq!(list(next).await, newest_first[2..4]);
    let of_other = Filter {
        repository: Some(other),
        branch: Some("topic".into()),
        ..Filter::default()
    };
    assert_eq!(list(of_other).await, [numbers[5], numbers[3]]);
    let passed = Filter {
        status: Some(JobStatus::Passed),
        limit: 1,
        ..Filter::default()
    };
    assert_eq!(list(passed).await, [done.build]);
    let queued = Filter {
        status: Some(JobStatus::Queued),
        limit: 3,
        ..Filter::default()
    };
    assert_eq!(list(queued).await, newest_first[..3]);
    assert_eq!(
        list(Filter {
            public_only: true,
            ..Filter::default()
        })
        .await,
        [0; 0]
    );
}

pub async fn a_build_without_jobs_has_failed(world: World) {
    let diagnostic = Diagnostic {
        code: "DRV0001".into(),
        severity: Severity::Error,
        message: "unknown key".into(),
        file: ".drover.yml".into(),
        span: None,
        label: None,
        related: vec![],
        notes: vec![],
        help: None,
        fixes: Vec::new(),
    };
    let new = NewBuild {
        diagnostics: vec![diagnostic.clone()],
        message: Some("the job file is invalid".into()),
        ..testing::build(&world.repository, vec![])
    };
    let number = builds::create(&world.store, new).await.unwrap();
    let shown = world.show(number).await;
    assert_eq!(
        (shown.build.status, shown.diagnostics),
        (JobStatus::Failed, vec![diagnostic])
    );
    assert!(shown.build.finished_at.is_some());
    let rerun = builds::rerun(&world.store, CONSOLE, number, (Rerun::All, true)).await;
    assert!(matches!(rerun, Err(StoreError::Refused(_))));
    let unknown = testing::build(&world.repository, vec![builds::NewJob::new(needing("a", &["b"]))]);
    assert!(matches!(
        builds::create(&world.store, unknown).await,
        Err(StoreError::Refused(_))
    ));
    assert_eq!(
        builds::list(&world.store, &Filter::default()).await.unwrap().len(),
        1,
        "nothing of it was kept"
    );
}

pub async fn failed_jobs_run_again(world: World) {
    let agent = world.agent("a").await;
    let mut specs = cells("test", 2);
    specs.push(job("lint"));
    specs.push(needing("deploy", &["test", "lint"]));
    let first = world.build(specs).await;
    assert!(matches!(
        builds::rerun(&world.store, CONSOLE, first, (Rerun::All, true)).await,
        Err(StoreError::Refused(_))
    ));
    let fails = |title: &str| {
        if title == "test (n=1)" {
            Verdict::Failed
        } else {
            Verdict::Passed
        }
    };
    world.work_off(&agent, |claimed| fails(&claimed.spec.title())).await;
    let second = builds::rerun(&world.store, CONSOLE, first, (Rerun::Failed, true))
        .await
        .unwrap();
    assert_eq!(world.state(second).await, "queued: test (n=1)=queued deploy=waiting");
    assert_eq!(
        world.work_off(&agent, |_| Verdict::Passed).await,
        ["test (n=1)", "deploy"]
    );
    let shown = world.show(second).await.build;
    let facts = Facts {
        build: Some(first),
        ..shown.facts.clone()
    };
    assert_eq!(
        (shown.rerun_of, facts),
        (Some(first), world.show(first).await.build.facts)
    );
    assert!(matches!(
        builds::rerun(&world.store, CONSOLE, second, (Rerun::Failed, true)).await,
        Err(StoreError::Refused(_))
    ));
    let third = builds::rerun(&world.store, CONSOLE, first, (Rerun::All, true))
        .await
        .unwrap();
    assert_eq!(world.show(third).await.jobs.len(), 4);
}

pub async fn a_newer_schema_is_refused(world: World) {
    let db = Db::open(&world.config.url).await.unwrap();
    let newer = SCHEMA + 1;
    let insert = "insert into schema_version (version) values ($1)";
    db.write(move |tx| Box::pin(async move { tx.run(insert, &[Value::from(newer)]).await }))
        .await
        .unwrap();
    db.close().await;
    let refused = Store::open(world.config.clone())
        .await
        .err()
        .expect("it is newer")
        .to_string();
    assert_eq!(
        refused,
        format!(
            "the database has schema {}, newer than this program's {SCHEMA}: use a newer drover",
            SCHEMA + 1
        )
    );
}

pub async fn a_failed_write_harms_no_neighbour(world: World) {
    let store = &world.store;
    let mut writes = tokio::task::JoinSet::new();
    for index in 0..60 {
        let (store, repository) = (store.clone(), world.repository.clone());
        writes.spawn(async move {
            match index % 3 {
                // It fails after it has written.
                0 => {
                    let jobs = vec![builds::NewJob::new(job("a")), builds::NewJob::new(needing("b", &["c"]))];
                    assert!(builds::create(&store, testing::build(&repository, jobs)).await.is_err());
                }
                // Nobody waits for its end.
                1 => {
                    let bump = tokio::spawn(async move { counters::bump(&store, "abandoned").await });
                    tokio::task::yield_now().await;
                    bump.abort();
                }
                _ => counters::bump(&store, "kept").await.unwrap(),
            }
        });
    }
    while let Some(written) = writes.join_next().await {
        written.unwrap();
    }
    assert_eq!(counters::read(store, "kept").await.unwrap(), 20);
    assert!(builds::list(store, &Filter::default()).await.unwrap().is_empty());
    let db = Db::open(&world.config.url).await.unwrap();
    let panics = tokio::spawn(async move {
        let write = db.write(|_| Box::pin(async { panic!("a write that panics") }));
        let answer: Result<(), DbError> = write.await;
        let after = db
            .write(|tx| Box::pin(async { tx.all("select 1 as one", &[]).await.map(|rows| rows.len()) }))
            .await;
        (answer.is_err(), after.unwrap())
    });
    if world.config.url.starts_with("sqlite:") {
        assert_eq!(panics.await.unwrap(), (true, 1), "the writer goes on");
    }
}

pub async fn counters_count(world: World) {
    assert_eq!(counters::read(&world.store, "hooks_refused").await.unwrap(), 0);
    counters::bump(&world.store, "hooks_refused").await.unwrap();
    counters::bump(&world.store, "hooks_refused").await.unwrap();
    assert_eq!(counters::read(&world.store, "hooks_refused").await.unwrap(), 2);
    world.store.ping().await.unwrap();
}

pub async fn old_builds_go_and_what_is_needed_stays(world: World) {
    let store = &world.store;
    let agent = world.agent("a").await;
    let year = 365 * 24 * 3_600 * 1_000_000;
    testing::pass_time(store, -2 * year);
    let mut old = Vec::new();
    for _ in 0..30 {
        old.push(world.build(vec![job("lint"), needing("test", &["lint"])]).await);
    }
    world.work_off(&agent, |_| Verdict::Passed).await;
    let open = world.build(vec![job("lint")]).await;
    let mut other_branch = testing::build(&world.repository, Vec::new());
    other_branch.facts.branch = Some("release/1".into());
    let newest_of_branch = builds::create(store, other_branch).await.unwrap();
    testing::pass_time(store, 2 * year);
    let young = world.build(Vec::new()).await;
    let rule = |before, most| retention::Old { before, most };
    assert_eq!(
        retention::remove_builds(store, rule(store.now() - year, 1_000))
            .await
            .unwrap(),
        30
    );
    for number in old {
        assert!(matches!(
            builds::show(store, number).await,
            Err(StoreError::NotFound(_))
        ));
    }
    for number in [open, newest_of_branch, young] {
        builds::show(store, number).await.unwrap();
    }
    world.work_off(&agent, |_| Verdict::Passed).await;
    assert_eq!(
        retention::remove_builds(store, rule(store.now() - year, 1_000))
            .await
            .unwrap(),
        1
    );
    // By number: all but the newest three.
    for _ in 0..5 {
        world.build(Vec::new()).await;
    }
    assert_eq!(retention::remove_builds(store, rule(0, 3)).await.unwrap(), 3);
    builds::show(store, newest_of_branch).await.unwrap();
}
