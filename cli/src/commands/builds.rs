//! Builds: list, show, cancel, run again, and why their jobs wait.

use job_specs::status::JobStatus;
use reqwest::Method;
use serde_json::{Value, json};

use super::print_json;
use crate::api::{BuildRow, BuildView, JobView, WhyView};
use crate::args::{Build, Progress, Rerun, Why};
use crate::client::Client;
use crate::exit::Exit;
use crate::render::{self, table::table};

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
            print_list(&serde_json::from_value::<Vec<BuildRow>>(answer)?);
            Ok(Exit::Passed)
        }
        Build::Show { number, json } => {
            let answer: Value = client.read(&format!("/builds/{number}")).await?;
            if *json {
                return print_json(&answer);
            }
            let view: BuildView = serde_json::from_value(answer)?;
            print_build(&view);
            Ok(Exit::Passed)
        }
    }
}

/// `drover cancel`
pub async fn cancel(client: &Client, number: i64) -> anyhow::Result<Exit> {
    client
        .tell(Method::POST, &format!("/builds/{number}/cancel"), &json!({}))
        .await?;
    anstream::eprintln!("build {number}: cancelling");
    Ok(Exit::Passed)
}

/// `drover rerun`
pub async fn rerun(client: &Client, rerun: &Rerun, progress: Progress) -> anyhow::Result<Exit> {
    let number = rerun.number;
    let body = json!({"failed": rerun.failed});
    client
        .tell(Method::POST, &format!("/builds/{number}/rerun"), &body)
        .await?;
    anstream::eprintln!("build {number}: queued again");
    if rerun.watch {
        return super::watch::watch(client, number, None, progress).await;
    }
    Ok(Exit::Passed)
}

/// `drover why`
pub async fn why(client: &Client, why: &Why) -> anyhow::Result<Exit> {
    let view: BuildView = client.read(&format!("/builds/{}", why.number)).await?;
    let mut answers = Vec::new();
    for job in view
        .jobs
        .iter()
        .filter(|job| matches!(job.status, JobStatus::Waiting | JobStatus::Queued))
    {
        let answer: Value = client.read(&format!("/jobs/{}/why", job.id)).await?;
        let why = answer["why"].as_str().unwrap_or("not known").to_owned();
        answers.push(WhyView {
            job: job.title.clone(),
            status: job.status,
            why,
        });
    }
    if why.json {
        return print_json(&answers);
    }
    if answers.is_empty() {
        anstream::println!("no job of build {} waits: it is {}", why.number, view.row.status);
    }
    for answer in answers {
        anstream::println!("{}  {}: {}", render::status(answer.status), answer.job, answer.why);
    }
    Ok(Exit::Passed)
}

fn print_list(builds: &[BuildRow]) {
    if builds.is_empty() {
        anstream::eprintln!("no builds yet: push to a repository, or `drover trigger REPO`");
        return;
    }
    let rows = builds.iter().map(|build| {
        vec![
            format!("#{}", build.number),
            render::status(build.status),
            build.repository.clone(),
            build.event.clone(),
            format!("{}@{}", build.branch.as_deref().unwrap_or("-"), short(&build.commit)),
            build
                .finished_at
                .map_or(String::new(), |end| render::duration(end - build.created_at)),
            render::ago(build.created_at),
            build.title.clone().unwrap_or_default(),
        ]
    });
    anstream::println!(
        "{}",
        table(
            &[
                "build",
                "status",
                "repository",
                "event",
                "commit",
                "took",
                "when",
                "title"
            ],
            rows
        )
    );
}

/// Prints a build as people read it: header, jobs with their reasons, diagnostics.
fn print_build(view: &BuildView) {
    let build = &view.row;
    anstream::println!(
        "#{} {}  {}",
        build.number,
        render::status(build.status),
        build.title.as_deref().unwrap_or("")
    );
    let place = build.branch.as_deref().unwrap_or("-");
    let when = render::date(build.created_at);
    anstream::println!(
        "{} · {} · {place}@{} · {when}",
        build.repository,
        build.event,
        short(&build.commit)
    );
    for diagnostic in &view.diagnostics {
        let place = diagnostic
            .span
            .map_or(String::new(), |span| format!(":{}:{}", span.line, span.column));
        anstream::println!(
            "  {}{place}: [{}] {}",
            diagnostic.file,
            diagnostic.code,
            diagnostic.message
        );
        if let Some(help) = &diagnostic.help {
            anstream::println!("    help: {help}");
        }
    }
    for job in &view.jobs {
        anstream::println!("  {}  {}", job_line(job), reason(job));
    }
    if let Some(url) = &view.url {
        anstream::println!("{url}");
    }
}

/// `✓ passed  test (postgres=15)  12.3s`
pub fn job_line(job: &JobView) -> String {
    let took = match (job.started_at, job.finished_at) {
        (Some(start), Some(end)) => format!("  {}", render::duration(end - start)),
        _ => String::new(),
    };
    let allowed = if job.allow_failure { "  (may fail)" } else { "" };
    format!("{}  {}{took}{allowed}", render::status(job.status), job.title)
}

fn reason(job: &JobView) -> String {
    job.reason
        .as_ref()
        .map_or(String::new(), |reason| reason.sentence.clone())
}

/// The first ten digits of an object id.
pub fn short(commit: &str) -> &str {
    commit.get(..10).unwrap_or(commit)
}
