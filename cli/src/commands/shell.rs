//! `drover shell`: a terminal in a step that runs, a service, or what is retained of a job that failed.

use protocol::shell::{ShellRequest, ShellTarget};

use crate::args::Shell;
use crate::client::Client;
use crate::exit::{Exit, Stop};
use crate::shell;
use protocol::api::{BuildDetail, Job};

/// Enters, or removes what is retained.
pub async fn shell(client: &Client, shell: &Shell, number: i64) -> anyhow::Result<Exit> {
    let build: BuildDetail = client.read(&format!("/builds/{number}")).await?;
    if shell.release {
        return release(client, shell, &build).await;
    }
    let job = pick(shell, &build)?;
    let socket = client.shell(&job.id).await?;
    shell::enter(socket, request(shell)).await
}

/// What is asked for.
pub fn request(shell: &Shell) -> ShellRequest {
    let target = match (&shell.step, &shell.service) {
        (Some(step), _) => ShellTarget::Step(step.clone()),
        (None, Some(service)) => ShellTarget::Service(service.clone()),
        (None, None) => ShellTarget::Job,
    };
    ShellRequest {
        target,
        command: shell.command.clone(),
        terminal: shell::size(),
    }
}

async fn release(client: &Client, shell: &Shell, build: &BuildDetail) -> anyhow::Result<Exit> {
    let is_meant = |job: &&Job| job.stack.is_some() && shell.job.as_ref().is_none_or(|name| is_called(job, name));
    let retained: Vec<&Job> = build.jobs.iter().filter(is_meant).collect();
    if retained.is_empty() {
        let message = format!("nothing of build {} is retained", build.build.number);
        return Err(Stop::new(Exit::NotFound, message).into());
    }
    for stack in retained.into_iter().filter_map(|job| job.stack.as_ref()) {
        super::stacks::remove(client, stack).await?;
    }
    Ok(Exit::Passed)
}

/// The job that is meant.
fn pick<'a>(shell: &Shell, build: &'a BuildDetail) -> Result<&'a Job, Stop> {
    let number = build.build.number;
    let named = |name: &String| build.jobs.iter().filter(|job| is_called(job, name)).collect::<Vec<_>>();
    let jobs = match &shell.job {
        Some(name) => match named(name) {
            none if none.is_empty() => {
                let message = format!("build {number} has no job `{name}`");
                return Err(Stop::new(Exit::NotFound, message).help(format!("it has {}", titles(&build.jobs))));
            }
            some => some,
        },
        None => build.jobs.iter().collect(),
    };
    if let [job] = jobs[..] {
        return Ok(job);
    }
    let open: Vec<&Job> = jobs.iter().copied().filter(|job| is_open(job)).collect();
    match open[..] {
        [job] => Ok(job),
        [] => Err(Stop::new(
            Exit::NotFound,
            format!("no job of build {number} runs, and nothing of one is retained"),
        )
        .help("`hold_on_failure: 30m` in a job keeps what its failure leaves, to look around in")),
        _ => Err(
            Stop::new(Exit::Usage, "several jobs run or are retained; say which with `--job`")
                .help(format!("there are {}", titles(open.iter().copied()))),
        ),
    }
}

fn is_called(job: &Job, name: &str) -> bool {
    job.title == name || job.title.split(" (").next() == Some(name)
}

fn is_open(job: &Job) -> bool {
    job.stack.is_some() || job.status == job_specs::status::JobStatus::Running
}

fn titles<'a>(jobs: impl IntoIterator<Item = &'a Job>) -> String {
    let titles: Vec<String> = jobs.into_iter().map(|job| format!("`{}`", job.title)).collect();
    titles.join(", ")
}

/// Enters a job of `drover run --hold` on this machine.
pub async fn local(shell: &Shell) -> anyhow::Result<Exit> {
    shell::local::enter(request(shell)).await
}
