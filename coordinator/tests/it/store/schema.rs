//! A database of the schema before migrations had numbers of their own: what its rows mean does not change.

use coordinator::db::{Db, SCHEMA};
use coordinator::store::builds::{self, UNTRUSTED};
use coordinator::store::facts::Trust;
use coordinator::store::{Store, StoreConfig, deferred, jobs};
use job_specs::model::JobSpec;
use protocol::attempt::Verdict;
use protocol::ids::JobId;
use sqlx::{AssertSqlSafe, Connection, Executor};

use super::world::{World, hold, job};

/// The migrations that were recorded by their place in the list.
const BY_PLACE: [&str; 5] = [
    include_str!("../../../migrations/0001_start.sql"),
    include_str!("../../../migrations/0002_blobs.sql"),
    include_str!("../../../migrations/0003_flow.sql"),
    include_str!("../../../migrations/0005_reports.sql"),
    include_str!("../../../migrations/0006_order.sql"),
];

/// Where an empty database is.
async fn empty(world: &World) -> String {
    let url = &world.config.url;
    if url.starts_with("sqlite:") {
        return format!("sqlite:{}?mode=rwc", world.file("old.db").display());
    }
    let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
    connection.execute("create schema old").await.unwrap();
    format!("{url}&options[search_path]=old")
}

async fn run(url: &str, script: &str) {
    let script = || sqlx::raw_sql(AssertSqlSafe(script));
    if url.starts_with("sqlite:") {
        let mut connection = sqlx::SqliteConnection::connect(url).await.unwrap();
        connection.execute(script()).await.unwrap();
        connection.close().await.unwrap();
    } else {
        let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
        connection.execute(script()).await.unwrap();
        connection.close().await.unwrap();
    }
}

/// Makes the schema as it was after so many migrations.
async fn old_schema(url: &str, migrations: usize) {
    run(url, "create table schema_version (version bigint not null)").await;
    for (place, script) in (1..).zip(BY_PLACE).take(migrations) {
        run(url, script).await;
        run(url, &format!("insert into schema_version (version) values ({place})")).await;
    }
}

async fn open(url: &str, world: &World) -> Store {
    let config = StoreConfig {
        url: url.trim_end_matches("?mode=rwc").to_owned(),
        ..world.config.clone()
    };
    Store::open(config).await.unwrap()
}

async fn recorded(url: &str) -> Vec<i64> {
    let db = Db::open(url.trim_end_matches("?mode=rwc")).await.unwrap();
    let rows = db.all("select version from schema_version order by version", &[]).await;
    let versions = rows.unwrap().iter().map(|row| row.get("version").unwrap()).collect();
    db.close().await;
    versions
}

/// A row of `builds`; `more` are its group, mode and `road`.
fn build(number: i64, more: &str) -> String {
    format!(
        "insert into builds (number, repository, event, reference, sha, title, author, trusted, diagnostics, created_at,
         ordered_at, place, concurrency, concurrency_mode, road)
         values ({number}, 'r', 'push', 'refs/heads/main', 'c0ffee', 'old', 'Ada', 1, '[]', {number}, {number}, {number},
         {more});"
    )
}

/// A build that is over; of each job its status and whether it may fail.
fn ended(number: i64, trusted: i64, message: Option<&str>, jobs: &[(&str, i64)]) -> String {
    let message = message.map_or("null".to_owned(), |message| format!("'{message}'"));
    let mut rows = build(number, "null, null, null");
    rows += &format!("update builds set trusted = {trusted}, message = {message} where number = {number};");
    for (position, (status, may_fail)) in (0..).zip(jobs) {
        let id = format!("{number} {position}");
        rows += &row(
            &id,
            (number, position),
            &job("old"),
            &format!("'{status}', 0, 0, null, 0"),
        );
        rows += &format!("update jobs set allow_failure = {may_fail}, attempts = 1 where id = '{id}';");
    }
    rows
}

/// A row of `jobs` with its definition; `state` are its status, `held`, `deferred`, `max_parallel` and `linked`.
fn row(id: &str, (build, position): (i64, i64), spec: &JobSpec, state: &str) -> String {
    let (name, title, spec) = (&spec.name, spec.title(), serde_json::to_string(spec).unwrap());
    format!(
        "insert into jobs (id, build, position, repository, name, title, matrix, needs, labels, lane, priority, retries,
         fail_fast, allow_failure, history, attempts, created_at, queued_at,
         status, held, deferred, max_parallel, linked)
         values ('{id}', {build}, {position}, 'r', '{name}', '{title}', '[]', '[]', '{{}}', 'r {{}}', 0, 2, 0, 0, '', 0,
         {build}, {build}, {state});
         insert into specs (job, spec) values ('{id}', '{spec}');"
    )
}

pub async fn rows_of_the_old_schema_mean_the_same(world: World) {
    let url = empty(&world).await;
    old_schema(&url, BY_PLACE.len()).await;
    let rows = [
        "insert into repositories (id, name, git, forge, public, hook_secret, created_at)
         values ('r', 'old', '/srv/git/old', 'generic', 0, 'sealed', 1);
         insert into counters (name, value) values ('builds', 9);"
            .to_owned(),
        build(1, "'deploy', 'queue', 'running'"),
        build(2, "'deploy', 'queue', 'waiting'"),
        build(3, "null, null, null"),
        build(4, "null, null, null"),
        ended(5, 1, None, &[("passed", 0), ("failed", 1)]),
        ended(6, 1, None, &[("passed", 0), ("cancelled", 0), ("errored", 0)]),
        ended(7, 0, None, &[("skipped", 0)]),
        ended(8, 0, Some(UNTRUSTED), &[("skipped", 0), ("timed_out", 0)]),
        ended(9, 1, None, &[]),
        row("runs", (1, 0), &job("deploy"), "'queued', 0, 0, null, 1"),
        row("grouped", (2, 0), &job("deploy"), "'queued', 2, 0, 1, 1"),
        row("both", (2, 1), &job("deploy"), "'queued', 3, 0, 1, 1"),
        row("first", (3, 0), &job("test"), "'queued', 0, 0, 1, 1"),
        row("second", (3, 1), &job("test"), "'queued', 1, 0, 1, 1"),
        row("complete", (4, 0), &job("plan"), "'queued', 0, 0, null, 1"),
        row("waits", (4, 1), &job("later"), "'waiting', 0, 1, null, 1"),
        row("due", (4, 2), &job("now"), "'waiting', 0, 2, null, 1"),
        "insert into job_needs (build, needs, job) values (4, 'plan', 'waits');
         update jobs set needs = '[{\"job\": \"plan\"}]' where id = 'waits';"
            .to_owned(),
    ];
    run(&url, &rows.concat()).await;
    let mut old = world;
    old.store = open(&url, &old).await;
    let mut over = Vec::new();
    for number in 5..=9 {
        let build = old.show(number).await.build;
        over.push((build.status.name(), build.trust));
    }
    let expected = [
        ("passed", Trust::Trusted),
        ("errored", Trust::Trusted),
        ("skipped", Trust::Fork),
        ("timed_out", Trust::NoBranch),
        ("failed", Trust::Trusted),
    ];
    assert_eq!(over, expected);
    let why = async |id: &str| jobs::why(&old.store, &JobId(id.into())).await.unwrap();
    assert_eq!(
        why("grouped").await,
        "blocked by #1, which is of concurrency group `deploy`, too"
    );
    assert_eq!(
        why("both").await,
        "blocked by #1, which is of concurrency group `deploy`, too"
    );
    assert_eq!(
        why("second").await,
        "blocked by max_parallel: at most 1 of `test` at once"
    );
    assert_eq!(why("waits").await, "waiting for job `plan`");
    let waits = async |number| builds::show(&old.store, number).await.unwrap().build.waits_for_group;
    assert_eq!([waits(1).await, waits(2).await, waits(3).await], [false, true, false]);
    let due = async || -> Vec<String> {
        let due = deferred::due(&old.store).await.unwrap();
        due.into_iter().map(|due| due.job.0).collect()
    };
    assert_eq!(due().await, ["due"]);
    // Every job that may run does, and frees those that it kept from running.
    let (agent, mut ran) = (old.agent("a").await, Vec::new());
    while let Some(claimed) = old.claim(&agent, 1).await.pop() {
        let active = old.claim(&agent, 10).await;
        let mut at_once: Vec<&str> = active.iter().map(|claimed| claimed.job.0.as_str()).collect();
        at_once.insert(0, claimed.job.0.as_str());
        ran.push(at_once.join(" "));
        for claimed in active.iter().chain([&claimed]) {
            old.finish(&hold(&agent, claimed), Verdict::Passed).await.unwrap();
        }
    }
    assert_eq!(ran, ["runs first complete", "grouped second", "both"]);
    assert_eq!(due().await, ["waits", "due"]);
    assert_eq!(old.state(3).await, "passed: test=passed test=passed");
    old.store.close().await;
    assert_eq!(recorded(&url).await, numbers());
}

/// The numbers of today's migrations, by their files.
fn numbers() -> Vec<i64> {
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).unwrap();
    let number = |name: String| name[..4].parse().unwrap();
    let mut numbers: Vec<i64> = files
        .map(|file| number(file.unwrap().file_name().into_string().unwrap()))
        .collect();
    numbers.sort();
    assert_eq!(numbers.last(), Some(&SCHEMA));
    numbers
}

pub async fn a_schema_recorded_by_place_is_taken_over(world: World) {
    assert_eq!(recorded(&world.config.url).await, numbers(), "a new database");
    let url = empty(&world).await;
    // Stopped at an older program, before and after the number that no migration has.
    for migrations in [2, 4] {
        old_schema(&url, migrations).await;
        open(&url, &world).await.close().await;
        assert_eq!(recorded(&url).await, numbers(), "{migrations}");
        start_again(&url, &world).await;
    }
}

async fn start_again(url: &str, world: &World) {
    if url.starts_with("sqlite:") {
        std::fs::remove_file(world.file("old.db")).unwrap();
        let _ = std::fs::remove_file(world.file("old.db-wal"));
        let _ = std::fs::remove_file(world.file("old.db-shm"));
    } else {
        run(url, "drop schema old cascade; create schema old").await;
    }
}
