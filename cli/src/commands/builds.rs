//! Builds: list, show, cancel, run again, and why their jobs wait.

use protocol::api::{self, BuildDetail, BuildReport, Job, MadeBuild, RerunJobs, WhyWaiting};
use reqwest::Method;
use serde_json::{Value, json};

use super::{print_json, show};
use crate::args::{Build, Progress, Report, Rerun, Why};
use crate::client::Client;
use crate::exit::{Exit, Stop};
use crate::render;

/// `drover build ls|show`
pub async fn build(client: &Client, build: &Build) -> anyhow::Result<Exit> {
    match build {
        Build::Ls {
            repository,
            limit,
            json,
        } => {
            let mut query = vec![("limit", limit.to_string())];
            query.extend(repository.iter().map(|name| ("repository", name.clone())));
            let answer: Value = client.query("/builds", &query).await?;
            if *json {
                return print_json(&answer);
            }
            let builds: Vec<api::Build> = serde_json::from_value(answer)?;
            if builds.is_empty() {
                anstream::eprintln!("no builds yet: push to a repository, or `drover trigger REPO`");
                return Ok(Exit::Passed);
            }
            anstream::println!("{}", render::builds::list(&builds));
            Ok(Exit::Passed)
        }
        Build::Show { number, json } => {
            let answer: Value = client.read(&format!("/builds/{number}")).await?;
            show(answer, *json, |build| render::builds::detail(&build))
        }
    }
}

/// `drover cancel`
pub async fn cancel(client: &Client, number: i64) -> anyhow::Result<Exit> {
    client
        .call(Method::POST, &format!("/builds/{number}/cancel"), &json!({}))
        .await?;
    anstream::eprintln!("build {number}: cancelling");
    Ok(Exit::Passed)
}

/// `drover approve`
pub async fn approve(client: &Client, number: i64) -> anyhow::Result<Exit> {
    let build: protocol::api::Build = client.post(&format!("/builds/{number}/approve"), &json!({})).await?;
    anstream::eprintln!("build {number} may run: commit {} is approved", build.commit);
    Ok(Exit::Passed)
}

/// `drover rerun`
pub async fn rerun(client: &Client, rerun: &Rerun, progress: Progress) -> anyhow::Result<Exit> {
    let number = rerun.number;
    let which = match (rerun.failed, rerun.jobs.is_empty()) {
        (true, _) => RerunJobs::Failed,
        (false, true) => RerunJobs::All,
        (false, false) => RerunJobs::Jobs(chosen(client, rerun).await?),
    };
    let body = api::Rerun { which };
    let made: MadeBuild = client.post(&format!("/builds/{number}/rerun"), &body).await?;
    let again = made.number;
    anstream::println!("{again}");
    anstream::eprintln!("build {again} runs build {number} again");
    if rerun.watch {
        return super::watch::watch(client, again, None, progress).await;
    }
    Ok(Exit::Passed)
}

/// The ids of the jobs that `--job` and `--matrix` name.
async fn chosen(client: &Client, rerun: &Rerun) -> anyhow::Result<Vec<String>> {
    let view: BuildDetail = client.read(&format!("/builds/{}", rerun.number)).await?;
    let is_cell = |job: &Job| {
        rerun
            .matrix
            .iter()
            .all(|(axis, value)| job.matrix.get(axis) == Some(value))
    };
    let mut ids = Vec::new();
    for wanted in &rerun.jobs {
        let named = |job: &&Job| (job.name == *wanted && is_cell(job)) || job.title == *wanted;
        let found: Vec<String> = view.jobs.iter().filter(named).map(|job| job.id.clone()).collect();
        if found.is_empty() {
            let known: Vec<&str> = view.jobs.iter().map(|job| job.title.as_str()).collect();
            let what = format!(
                "build {} has no such job `{wanted}`; it has: {}",
                rerun.number,
                known.join(", ")
            );
            return Err(Stop::new(Exit::NotFound, what).into());
        }
        ids.extend(found);
    }
    Ok(ids)
}

/// `drover report`
pub async fn report(client: &Client, report: &Report) -> anyhow::Result<Exit> {
    let answer: Value = client.read(&format!("/builds/{}/report", report.number)).await?;
    if report.json {
        return print_json(&answer);
    }
    anstream::print!("{}", serde_json::from_value::<BuildReport>(answer)?);
    Ok(Exit::Passed)
}

/// `drover why`
pub async fn why(client: &Client, why: &Why) -> anyhow::Result<Exit> {
    let answers: Vec<WhyWaiting> = client.read(&format!("/builds/{}/why", why.number)).await?;
    if why.json {
        return print_json(&answers);
    }
    if answers.is_empty() {
        anstream::println!("no job of build {} waits or runs: it is over", why.number);
    }
    for answer in answers {
        anstream::println!("{}  {}: {}", render::status(answer.status), answer.title, answer.why);
    }
    Ok(Exit::Passed)
}
