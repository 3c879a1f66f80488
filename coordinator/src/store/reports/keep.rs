//! Reports as they come from agents, part by part, each in one transaction; and their end after their time.

use std::collections::BTreeMap;

use protocol::ids::RepositoryId;
use protocol::reports::{MAX_CASES, MAX_CASES_PER_CALL, MAX_MESSAGE, MAX_NAME, TestCase, TestStatus, TestUpload};

use super::batch::{RESULTS, TESTS};
use super::{FLAKY_FOR_US, test_id};
use crate::db::{Change, DbError, Row, Tx, Value, args};
use crate::store::queue::AgentLease;
use crate::store::{Micros, Store, StoreError, counters, leases, to_json};

/// Runs that one call of [`prune`] removes between two looks at the clock.
const PRUNED_AT_ONCE: i64 = 20;

/// Keeps a part of what an attempt's reports said. A part that is known already changes nothing.
///
/// # Errors
/// `StaleLease`; `Refused` when a part before it is missing or it has too much.
pub async fn keep(store: &Store, hold: &AgentLease, mut part: TestUpload) -> Result<(), StoreError> {
    if part.cases.len() > MAX_CASES_PER_CALL {
        return Err(StoreError::Refused(format!(
            "at most {MAX_CASES_PER_CALL} test cases come in one call"
        )));
    }
    part.cases.iter_mut().for_each(trim);
    part.problems.truncate(protocol::reports::MAX_PROBLEMS + 1);
    part.problems.iter_mut().for_each(|problem| cut(problem, 2 * MAX_NAME));
    let (hold, now) = (hold.clone(), store.now());
    store
        .write(move |tx| Box::pin(async move { keep_part(tx, &hold, &part, now).await }))
        .await
}

/// An agent cuts what is too long; one that does not shall not fill the disk. PostgreSQL takes no zero byte.
fn trim(case: &mut TestCase) {
    cut(&mut case.suite, MAX_NAME);
    cut(&mut case.name, MAX_NAME);
    case.file.iter_mut().for_each(|file| cut(file, MAX_NAME));
    case.message.iter_mut().for_each(|message| cut(message, MAX_MESSAGE));
}

fn cut(text: &mut String, most: usize) {
    text.truncate(text.floor_char_boundary(most));
    if text.contains('\0') {
        *text = text.replace('\0', "");
    }
}

/// The run that a part belongs to.
struct Run {
    run: i64,
    repository: RepositoryId,
    build: i64,
    chunks: i64,
    cases: i64,
}

const SELECT_RUN: &str = "select run, repository, build, chunks, failed + flaky + passed + skipped as cases
                          from test_runs where attempt = $1";

impl Run {
    fn of(row: &Row) -> Result<Run, DbError> {
        Ok(Run {
            run: row.get("run")?,
            repository: RepositoryId(row.get("repository")?),
            build: row.get("build")?,
            chunks: row.get("chunks")?,
            cases: row.get("cases")?,
        })
    }
}

async fn keep_part(tx: &mut Tx, hold: &AgentLease, part: &TestUpload, now: Micros) -> Result<(), StoreError> {
    leases::lock_leased(tx, hold).await?.must_be_active()?;
    let run = match tx.first(SELECT_RUN, args![&hold.attempt]).await? {
        Some(row) => Run::of(&row)?,
        None => begin(tx, hold, now).await?,
    };
    let chunk = i64::from(part.chunk);
    if chunk < run.chunks {
        return Ok(());
    }
    if chunk > run.chunks {
        let why = format!("part {} of the test reports is missing before part {chunk}", run.chunks);
        return Err(StoreError::Refused(why));
    }
    if run.cases + part.cases.len() as i64 > MAX_CASES as i64 {
        return Err(StoreError::Refused(format!(
            "at most {MAX_CASES} test cases are kept of one job"
        )));
    }
    write(tx, &run, part, now).await?;
    count(tx, hold, part).await?;
    if part.last {
        note_flaky(tx, &run, now).await?;
    }
    tx.notify(Change::Attempt(hold.attempt.clone()));
    tx.notify(Change::Build(run.build));
    Ok(())
}

async fn begin(tx: &mut Tx, hold: &AgentLease, now: Micros) -> Result<Run, StoreError> {
    let run = counters::next(tx, "test_runs").await?;
    let sql =
        "insert into test_runs (attempt, run, repository, build, job, cell, branch, sha, chunks, complete, failed,
               flaky, passed, skipped, duration_us, problems, at)
               select t.id, $2, b.repository, b.number, j.id, j.title, b.branch, b.sha, 0, 0, 0, 0, 0, 0, 0, '[]', $3
               from attempts t join jobs j on j.id = t.job join builds b on b.number = j.build where t.id = $1";
    tx.run(sql, args![&hold.attempt, run, now]).await?;
    let row = tx.first(SELECT_RUN, args![&hold.attempt]).await?;
    Ok(Run::of(&row.ok_or(StoreError::StaleLease)?)?)
}

async fn write(tx: &mut Tx, run: &Run, part: &TestUpload, now: Micros) -> Result<(), StoreError> {
    // Each test once, in one order: two agents that report the same tests never wait for each other.
    let mut tests: BTreeMap<i64, (&TestCase, i64)> = BTreeMap::new();
    let mut results = Vec::with_capacity(part.cases.len() * 6);
    for (place, case) in (run.cases..).zip(&part.cases) {
        let test = test_id(&run.repository, &case.suite, &case.name);
        let took = i64::try_from(case.duration_us)
            .unwrap_or(i64::MAX / 8)
            .min(i64::MAX / 8);
        let mean = if case.status == TestStatus::Skipped { -1 } else { took };
        let longest = tests.entry(test).or_insert((case, mean));
        longest.1 = longest.1.max(mean);
        results.extend([
            Value::from(run.run),
            Value::from(place),
            Value::from(test),
            Value::from(case.status.name()),
            Value::from(took),
            Value::from(&case.message),
        ]);
    }
    let mut rows = Vec::with_capacity(tests.len() * 7);
    for (id, (case, mean)) in tests {
        rows.extend([
            Value::from(id),
            Value::from(&run.repository),
            Value::from(&case.suite),
            Value::from(&case.name),
            Value::from(&case.file),
            Value::from(mean),
            Value::from(now),
        ]);
    }
    TESTS.insert(tx, &rows).await?;
    RESULTS.insert(tx, &results).await?;
    Ok(())
}

async fn count(tx: &mut Tx, hold: &AgentLease, part: &TestUpload) -> Result<(), StoreError> {
    let [failed, flaky, passed, skipped] =
        TestStatus::ALL.map(|status| part.cases.iter().filter(|case| case.status == status).count() as i64);
    let took = part
        .cases
        .iter()
        .map(|case| i64::try_from(case.duration_us).unwrap_or(0));
    let took = took.fold(0, i64::saturating_add).min(i64::MAX / 256);
    let problems = part.last.then(|| to_json(&part.problems));
    let sql = "update test_runs set chunks = chunks + 1, complete = $2, failed = failed + $3, flaky = flaky + $4,
               passed = passed + $5, skipped = skipped + $6, duration_us = duration_us + $7,
               problems = coalesce($8, problems) where attempt = $1";
    let last = i64::from(part.last);
    tx.run(
        sql,
        args![&hold.attempt, last, failed, flaky, passed, skipped, took, problems],
    )
    .await?;
    Ok(())
}

/// Notes the tests that this run shows to be flaky: its own tool says so, or another run of the same cell at the same
/// commit ended otherwise.
async fn note_flaky(tx: &mut Tx, run: &Run, now: Micros) -> Result<(), StoreError> {
    // Two runs that end at once would not see each other.
    let lock = "select id from repositories where id = $1 for update";
    tx.first(lock, args![&run.repository]).await?;
    let own = "insert into flaky_tests (test, cell, sha, repository, build, at)
               select distinct r.test, u.cell, u.sha, u.repository, u.build, u.at
               from test_runs u join test_results r on r.run = u.run and r.status = 'flaky' where u.run = $1
               on conflict (test, cell, sha) do update set at = excluded.at, build = excluded.build";
    tx.run(own, args![run.run]).await?;
    let others = "insert into flaky_tests (test, cell, sha, repository, build, at)
                  select distinct bad.test, u.cell, u.sha, u.repository, u.build, u.at
                  from test_runs u
                  join test_runs b on b.repository = u.repository and b.sha = u.sha and b.cell = u.cell and b.at >= $2
                  join test_results bad on bad.run = b.run and bad.status = 'failed'
                  join test_runs g on g.repository = u.repository and g.sha = u.sha and g.cell = u.cell and g.at >= $2
                  join test_results good on good.test = bad.test and good.run = g.run and good.status = 'passed'
                  where u.run = $1 and (b.run = $1 or g.run = $1)
                  on conflict (test, cell, sha) do update set at = excluded.at, build = excluded.build";
    tx.run(others, args![run.run, now - FLAKY_FOR_US]).await?;
    Ok(())
}

/// Removes what is older than `before`; gives how many runs that was.
///
/// # Errors
/// The database.
pub async fn prune(store: &Store, before: Micros) -> Result<usize, StoreError> {
    let mut pruned = 0;
    loop {
        let sql = "select run from test_runs where at < $1 order by at limit $2";
        let rows = store.db.all(sql, args![before, PRUNED_AT_ONCE]).await?;
        if rows.is_empty() {
            break;
        }
        for row in rows {
            let run: i64 = row.get("run")?;
            store
                .write(move |tx| {
                    Box::pin(async move {
                        tx.run("delete from test_results where run = $1", args![run]).await?;
                        tx.run("delete from test_runs where run = $1", args![run]).await?;
                        Ok(())
                    })
                })
                .await?;
            pruned += 1;
        }
    }
    store
        .write(move |tx| {
            Box::pin(async move {
                tx.run("delete from flaky_tests where at < $1", args![before]).await?;
                tx.run("delete from tests where seen_at < $1", args![before]).await?;
                Ok(())
            })
        })
        .await?;
    Ok(pruned)
}
