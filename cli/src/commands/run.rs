//! `drover run`: this folder's jobs, here and now, by the agent's own engine.

mod show;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use agent::local::{self, LocalOutcome, LocalRun};
use anyhow::Context;
use job_specs::model::JobSpec;
use job_specs::{Facts, SourceFile};
use protocol::attempt::Verdict;
use protocol::lease::SecretValue;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::lint::{job_files, print_diagnostics, read_all};
use crate::args::{Progress, Run};
use crate::exit::{Exit, Stop};

/// Runs the jobs; exits as the worst of them.
pub async fn run(run: &Run, progress: Progress) -> anyhow::Result<Exit> {
    let (tree, facts) = working_tree()?;
    let files = match &run.file {
        Some(file) => read_all(std::slice::from_ref(file))?,
        None => job_files(Path::new("."))?,
    };
    let Some(jobs) = expand(&files, &facts)? else {
        return Ok(Exit::InvalidJobFile);
    };
    let jobs = choose(jobs, run)?;
    let me = std::env::current_exe().context("find this program")?;
    let local = LocalRun {
        tree,
        repository: facts.repository.clone(),
        env: job_specs::builtin_env(&facts),
        secrets: secrets(run.secrets_file.as_deref())?,
        slots: run.slots.max(1),
        data: cache_folder()?,
        reaper: vec![me.display().to_string(), "__reap".to_owned()],
        jobs: jobs.clone(),
    };
    let (events, received) = mpsc::unbounded_channel();
    let cancel = CancellationToken::new();
    let shown = tokio::spawn(show::show(jobs.clone(), received, progress));
    let work = local::run(local, events, cancel.clone());
    tokio::pin!(work);
    let mut interrupted = false;
    let outcomes = loop {
        tokio::select! {
            outcomes = &mut work => break outcomes?,
            _ = tokio::signal::ctrl_c() => {
                if interrupted {
                    return Ok(Exit::Interrupted);
                }
                interrupted = true;
                anstream::eprintln!("\nstopping; once more to leave at once");
                cancel.cancel();
            }
        }
    };
    shown.await.context("show the run")??;
    show::results(&jobs, &outcomes, progress)?;
    Ok(if interrupted {
        Exit::Interrupted
    } else {
        worst(&jobs, &outcomes)
    })
}

/// The reaper's main, for `main`: it needs no runtime of this process.
pub fn reap() -> Exit {
    if local::reap_main() == std::process::ExitCode::SUCCESS {
        Exit::Passed
    } else {
        Exit::Infrastructure
    }
}

/// The jobs of the files, or `None` when a file is invalid (which has then been said).
fn expand(files: &[SourceFile], facts: &Facts) -> anyhow::Result<Option<Vec<JobSpec>>> {
    let parsed = job_specs::parse(files);
    print_diagnostics(&parsed.diagnostics, files);
    let Some(file) = parsed.file else { return Ok(None) };
    match job_specs::expand(&file, facts) {
        Ok(expansion) => Ok(Some(expansion.jobs)),
        Err(diagnostics) => {
            print_diagnostics(&diagnostics, files);
            Ok(None)
        }
    }
}

/// The jobs that were named, with everything that they need; of those, the cells that `--matrix` leaves.
fn choose(jobs: Vec<JobSpec>, run: &Run) -> anyhow::Result<Vec<JobSpec>> {
    let names: Vec<String> = jobs.iter().map(|job| job.name.clone()).collect();
    if let Some(unknown) = run.jobs.iter().find(|wanted| !names.contains(wanted)) {
        let help = format!("jobs here: {}", dedup(names).join(", "));
        return Err(Stop::new(Exit::NotFound, format!("there is no job `{unknown}`"))
            .help(help)
            .into());
    }
    let mut wanted: Vec<String> = if run.jobs.is_empty() { names } else { run.jobs.clone() };
    let mut at = 0;
    while at < wanted.len() {
        let needs = jobs
            .iter()
            .filter(|job| job.name == wanted[at])
            .flat_map(|job| job.needs.iter().map(|need| &need.job));
        let new: Vec<String> = needs.filter(|need| !wanted.contains(need)).cloned().collect();
        wanted.extend(dedup(new));
        at += 1;
    }
    let fits = |job: &JobSpec| {
        run.matrix.iter().all(|(axis, value)| {
            let cell = job.matrix.iter().find(|cell| cell.axis == *axis);
            cell.is_none_or(|cell| cell.value == *value)
        })
    };
    let known = |axis: &str| jobs.iter().any(|job| job.matrix.iter().any(|cell| cell.axis == axis));
    if let Some((axis, _)) = run.matrix.iter().find(|(axis, _)| !known(axis)) {
        return Err(Stop::new(Exit::NotFound, format!("no job here has a matrix axis `{axis}`")).into());
    }
    let chosen: Vec<JobSpec> = jobs
        .into_iter()
        .filter(|job| wanted.contains(&job.name) && fits(job))
        .collect();
    if chosen.is_empty() {
        return Err(Stop::new(Exit::NotFound, "no cell has those matrix values").into());
    }
    Ok(chosen)
}

fn dedup(mut names: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

/// The folder that jobs see (the repository's top, or this folder), and what can be said of its commit.
fn working_tree() -> anyhow::Result<(PathBuf, Facts)> {
    let here = std::env::current_dir().context("find this folder")?;
    let Ok(repository) = git2::Repository::discover(&here) else {
        return Ok((here.clone(), facts_of(&here, None, String::new())));
    };
    let tree = repository.workdir().map_or(here.clone(), Path::to_path_buf);
    let head = repository.head().ok();
    let branch = head
        .as_ref()
        .filter(|head| head.is_branch())
        .and_then(|head| head.shorthand().ok().map(str::to_owned));
    let commit = head
        .and_then(|head| head.target())
        .map_or(String::new(), |commit| commit.to_string());
    let facts = facts_of(&tree, branch, commit);
    Ok((tree, facts))
}

fn facts_of(tree: &Path, branch: Option<String>, sha: String) -> Facts {
    Facts {
        event: "manual".to_owned(),
        reference: branch
            .as_ref()
            .map_or(String::new(), |branch| format!("refs/heads/{branch}")),
        branch,
        sha,
        repository: tree
            .file_name()
            .map_or("local".to_owned(), |name| name.to_string_lossy().into_owned()),
        ..Facts::default()
    }
}

/// `NAME=value` lines; empty ones and those that begin with `#` are passed over.
fn secrets(file: Option<&Path>) -> anyhow::Result<BTreeMap<String, SecretValue>> {
    let Some(file) = file else { return Ok(BTreeMap::new()) };
    let text = std::fs::read_to_string(file)
        .map_err(|error| Stop::new(Exit::Usage, format!("cannot read {}: {error}", file.display())))?;
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    lines
        .map(|(index, line)| match line.split_once('=') {
            Some((name, value)) => Ok((name.trim().to_owned(), SecretValue(value.to_owned()))),
            // The line itself may hold a secret, so only its place is told.
            None => Err(Stop::new(Exit::Usage, format!("{}:{}: not NAME=value", file.display(), index + 1)).into()),
        })
        .collect()
}

fn cache_folder() -> anyhow::Result<PathBuf> {
    let home = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".cache")));
    Ok(home.unwrap_or_else(std::env::temp_dir).join("drover"))
}

/// The exit of the worst job that counts.
fn worst(jobs: &[JobSpec], outcomes: &[LocalOutcome]) -> Exit {
    let verdicts = jobs
        .iter()
        .zip(outcomes)
        .filter(|(job, _)| !job.allow_failure)
        .filter_map(|(_, outcome)| match outcome {
            LocalOutcome::Ran(result) => Some(result.verdict),
            LocalOutcome::Skipped { .. } => None,
        });
    let verdicts: Vec<Verdict> = verdicts.collect();
    let order = [
        (Verdict::Cancelled, Exit::Interrupted),
        (Verdict::Failed, Exit::Failed),
        (Verdict::TimedOut, Exit::Timeout),
        (Verdict::Errored, Exit::Infrastructure),
    ];
    order
        .into_iter()
        .find(|(verdict, _)| verdicts.contains(verdict))
        .map_or(Exit::Passed, |(_, exit)| exit)
}
