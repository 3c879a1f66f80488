//! `drover tests`: what tests said, and which of them a job takes.

use std::io::{BufRead, IsTerminal};
use std::path::Path;

use agent::logs::mask::Masker;
use job_specs::model::{ReportFormat, ReportSpec};
use job_specs::units::micros;
use protocol::api::{BuildTests, FlakyTest, PastTest, TestTiming};
use protocol::reports::TestStatus;
use serde_json::Value;

use super::print_json;
use crate::args::{Arguments, By, OfRepository, OtherTests, Split, Tests};
use crate::client::{Client, segment};
use crate::exit::{Exit, Stop};
use crate::render::table::table;
use crate::render::{self, test_cases};
use crate::settings;
use crate::split::{Times, part};

/// `drover tests …`
pub async fn tests(arguments: &Arguments, tests: &Tests) -> anyhow::Result<Exit> {
    let client = || Client::new(settings::access(arguments)?);
    match &tests.other {
        None => of_build(&client()?, tests).await,
        Some(OtherTests::Flaky(of)) => flaky(&client()?, of).await,
        Some(OtherTests::Slow(of)) => slow(&client()?, of).await,
        Some(OtherTests::History {
            repository,
            name,
            suite,
            json,
        }) => history(&client()?, repository, (suite, name), *json).await,
        Some(OtherTests::Timings { repository }) => {
            print_json(&client()?.read::<Value>(&of_repository(repository, "timings")).await?)
        }
        Some(OtherTests::Split(split)) => self::split(split, client().ok()).await,
    }
}

fn of_repository(repository: &str, list: &str) -> String {
    format!("/repositories/{}/tests/{list}", segment(repository))
}

async fn of_build(client: &Client, tests: &Tests) -> anyhow::Result<Exit> {
    let number = tests.number.unwrap_or_default();
    let mut query = vec![("limit", tests.limit.to_string())];
    query.extend(tests.failed.then(|| ("status", "failed".to_owned())));
    query.extend(tests.job.iter().map(|job| ("job", job.clone())));
    let answer: Value = client.query(&format!("/builds/{number}/tests"), &query).await?;
    if tests.json {
        return print_json(&answer);
    }
    let BuildTests { reports, tests } = serde_json::from_value(answer)?;
    if reports.is_empty() {
        anstream::eprintln!("build {number} has no test reports: name them with `reports:` in its job file");
        return Ok(Exit::Passed);
    }
    for test in &tests {
        anstream::println!("{}", test_cases::result(test));
    }
    for report in &reports {
        for problem in &report.problems {
            anstream::eprintln!("! {}: {problem}", report.cell);
        }
    }
    anstream::eprintln!("tests of build {number}: {}", test_cases::sum(&reports));
    Ok(Exit::Passed)
}

async fn flaky(client: &Client, of: &OfRepository) -> anyhow::Result<Exit> {
    let query = [("limit", of.limit.to_string())];
    let answer: Vec<FlakyTest> = client.query(&of_repository(&of.repository, "flaky"), &query).await?;
    if of.json {
        return print_json(&answer);
    }
    if answer.is_empty() {
        anstream::eprintln!(
            "no test of {} passed and failed at one commit within 14 days",
            of.repository
        );
        return Ok(Exit::Passed);
    }
    let rows = answer.iter().map(|test| {
        vec![
            test.times.to_string(),
            format!("#{}", test.build),
            render::ago(test.at),
            full_name(&test.suite, &test.name),
        ]
    });
    anstream::println!("{}", table(&["times", "build", "seen", "test"], rows));
    Ok(Exit::Passed)
}

async fn slow(client: &Client, of: &OfRepository) -> anyhow::Result<Exit> {
    let query = [("limit", of.limit.to_string())];
    let answer: Vec<TestTiming> = client.query(&of_repository(&of.repository, "slowest"), &query).await?;
    if of.json {
        return print_json(&answer);
    }
    let rows = answer
        .iter()
        .map(|test| vec![micros(test.mean_us), full_name(&test.suite, &test.name)]);
    anstream::println!("{}", table(&["takes", "test"], rows));
    Ok(Exit::Passed)
}

fn full_name(suite: &str, name: &str) -> String {
    format!("{suite} {name}").trim().to_owned()
}

async fn history(client: &Client, repository: &str, (suite, name): (&str, &str), json: bool) -> anyhow::Result<Exit> {
    let query = [("suite", suite.to_owned()), ("name", name.to_owned())];
    let answer: Vec<PastTest> = client.query(&of_repository(repository, "history"), &query).await?;
    if json {
        return print_json(&answer);
    }
    if answer.is_empty() {
        let help = "give its suite with --suite, as `drover tests N` shows it";
        return Err(Stop::new(Exit::NotFound, format!("no result of a test `{name}`"))
            .help(help)
            .into());
    }
    let rows = answer.iter().map(|past| {
        vec![
            format!("#{}", past.build),
            test_cases::status(past.status),
            micros(past.duration_us),
            past.branch.clone().unwrap_or_default(),
            render::short(&past.commit).to_owned(),
            past.cell.clone(),
        ]
    });
    anstream::println!(
        "{}",
        table(&["build", "status", "took", "branch", "commit", "job"], rows)
    );
    Ok(Exit::Passed)
}

/// Which of the items this job takes, on stdout.
async fn split(split: &Split, client: Option<Client>) -> anyhow::Result<Exit> {
    let total = usize::try_from(split.total)?;
    if split.index >= total {
        let why = format!(
            "--index {} is not below --total {total}: parts are counted from 0",
            split.index
        );
        return Err(Stop::new(Exit::Usage, why).into());
    }
    let items = items(split)?;
    let times = match split.by {
        By::Timings => times(split, client).await?,
        By::Name | By::Count => Times::default(),
    };
    let (chosen, unknown) = part(&items, split.by, &times, (split.index, total));
    if split.by == By::Timings && unknown > 0 {
        let (count, why) = (
            items.len(),
            if times.is_empty() {
                "no times are known"
            } else {
                "their times are not known"
            },
        );
        match unknown == count {
            true => anstream::eprintln!("note: {why}, so {count} items are shared out evenly by name"),
            false => anstream::eprintln!("note: {unknown} of {count} items count as average: {why}"),
        }
    }
    for item in &chosen {
        anstream::println!("{item}");
    }
    Ok(Exit::Passed)
}

fn items(split: &Split) -> anyhow::Result<Vec<String>> {
    if !split.items.is_empty() {
        return Ok(split.items.clone());
    }
    let input = std::io::stdin();
    if input.is_terminal() {
        let help = "name them, or pipe them in, one a line";
        return Err(Stop::new(Exit::Usage, "there is nothing to share out")
            .help(help)
            .into());
    }
    let lines = input.lock().lines().collect::<Result<Vec<String>, _>>()?;
    let lines = lines.into_iter().map(|line| line.trim().to_owned());
    Ok(lines.filter(|line| !line.is_empty()).collect())
}

/// The times that can be had: a file, old reports, the coordinator; without any, none.
async fn times(split: &Split, client: Option<Client>) -> anyhow::Result<Times> {
    let mut times = Times::default();
    if let Some(file) = &split.timings {
        match std::fs::read(file) {
            Ok(bytes) => read_timings(&bytes, file)?
                .iter()
                .for_each(|timing| add(&mut times, timing)),
            // The first run of all has none yet.
            Err(error) => anstream::eprintln!("note: cannot read {}: {error}", file.display()),
        }
    }
    if !split.junit.is_empty() {
        let spec = ReportSpec {
            format: ReportFormat::Junit,
            paths: split.junit.clone(),
        };
        let report = agent::reports::read(Path::new("."), &[spec], &Masker::default());
        report
            .problems
            .iter()
            .for_each(|problem| anstream::eprintln!("note: {problem}"));
        for case in report.cases.iter().filter(|case| case.status != TestStatus::Skipped) {
            times.add(&case.suite, &case.name, case.file.as_deref(), case.duration_us);
        }
    }
    if split.timings.is_none()
        && split.junit.is_empty()
        && let (Some(client), Some(repository)) = (client, &split.repository)
    {
        match client
            .read::<Vec<TestTiming>>(&of_repository(repository, "timings"))
            .await
        {
            Ok(found) => found.iter().for_each(|timing| add(&mut times, timing)),
            Err(error) => anstream::eprintln!("note: the coordinator tells no times: {error:#}"),
        }
    }
    Ok(times)
}

fn read_timings(bytes: &[u8], file: &Path) -> anyhow::Result<Vec<TestTiming>> {
    serde_json::from_slice(bytes).map_err(|error| {
        let help = "make it with `drover tests timings REPO`";
        Stop::new(Exit::Usage, format!("{} holds no timings: {error}", file.display()))
            .help(help)
            .into()
    })
}

fn add(times: &mut Times, timing: &TestTiming) {
    times.add(
        &timing.suite,
        &timing.name,
        timing.file.as_deref(),
        timing.mean_us.unsigned_abs(),
    );
}
