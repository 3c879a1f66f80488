//! `drover run`: this folder's jobs, here and now, by the agent's own engine.

mod choose;
mod here;
mod json;
mod show;
mod watch;

use std::path::Path;

use agent::local::{self, LocalEnd, LocalRun, WorkingTree};
use anyhow::Context;
use job_specs::file::JobFile;
use job_specs::model::JobSpec;
use job_specs::status::{JobStatus, rollup};
use job_specs::{Facts, SourceFile};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::watch::Changes;
use super::lint::{job_files, print_diagnostics, read_all};
use crate::args::{Progress, Run};
use crate::exit::Exit;

/// Runs the jobs; exits as the worst of them. With `--watch` again and again, until Ctrl-C.
pub async fn run(run: &Run, progress: Progress, data: Option<&Path>) -> anyhow::Result<Exit> {
    let data = &here::data_folder(data)?;
    let progress = if run.json { Progress::Json } else { progress };
    // One for the whole run: it remembers a Ctrl-C that comes while nobody waits for it.
    let mut interrupts = signal(SignalKind::interrupt()).context("listen for Ctrl-C")?;
    let (tree, facts) = here::working_tree()?;
    if !run.watch {
        return match prepare(run, data, &tree, facts)? {
            Some(ready) => Ok(round(ready, progress, &mut interrupts, None).await?.exit),
            None => Ok(Exit::InvalidJobFile),
        };
    }
    let mut changes = Changes::of(tree.root())?;
    let mut changed = None;
    loop {
        show::header(changed.as_deref(), progress);
        let facts = Facts {
            changed: changed.take(),
            ..here::working_tree()?.1
        };
        // A file that is wrong is waited for like any other.
        let mut cut_short = None;
        let mut last = Exit::InvalidJobFile;
        if let Some(ready) = prepare(run, data, &tree, facts.clone())? {
            let ended = round(ready, progress, &mut interrupts, Some(&mut changes)).await?;
            if ended.exit == Exit::Interrupted {
                return Ok(Exit::Interrupted);
            }
            (last, cut_short) = (ended.exit, ended.cut_short);
        }
        // What a round did not get to is due again.
        let unfinished = cut_short.is_some();
        let new = match cut_short {
            Some(paths) => paths,
            None => {
                show::waiting(progress);
                tokio::select! {
                    paths = changes.next() => paths,
                    _ = interrupts.recv() => return Ok(last),
                }
            }
        };
        changed = match (unfinished, facts.changed) {
            (true, None) => None,
            (true, Some(before)) => Some(watch::together(before, new)),
            (false, _) => Some(new),
        };
    }
}

/// The reaper's main, for `main`: it needs no runtime of this process.
pub fn reap() -> Exit {
    if local::reap_main() == std::process::ExitCode::SUCCESS {
        Exit::Passed
    } else {
        Exit::Infrastructure
    }
}

/// What one round runs, or `None` when a file is invalid (which has then been said).
fn prepare(run: &Run, data: &Path, tree: &WorkingTree, mut facts: Facts) -> anyhow::Result<Option<LocalRun>> {
    let files = match &run.file {
        Some(file) => read_all(std::slice::from_ref(file))?,
        None => job_files(Path::new("."))?,
    };
    let Some((file, jobs)) = expand(&files, tree, &mut facts)? else {
        return Ok(None);
    };
    let me = std::env::current_exe().context("find this program")?;
    let chosen = choose::choose(jobs, run)?;
    Ok(Some(LocalRun {
        tree: tree.root().to_path_buf(),
        repository: tree.key(),
        env: job_specs::builtin_env(&facts),
        secrets: here::secrets(run.secrets_file.as_deref())?,
        slots: run.slots.max(1),
        data: data.to_owned(),
        reaper: vec![me.display().to_string(), "__reap".to_owned()],
        jobs: chosen.jobs,
        met: chosen.met,
        hold: run.hold,
        source: Some((file, facts)),
    }))
}

/// The files and their jobs, or `None` when a file is invalid (which has then been said).
fn expand(
    files: &[SourceFile],
    tree: &WorkingTree,
    facts: &mut Facts,
) -> anyhow::Result<Option<(JobFile, Vec<JobSpec>)>> {
    let parsed = job_specs::parse_with(files, tree);
    print_diagnostics(&parsed.diagnostics, files);
    let Some(file) = parsed.file else { return Ok(None) };
    let of_hashes = job_specs::fill_hashes(&file, tree, facts);
    if of_hashes
        .iter()
        .any(|found| found.severity == job_specs::diagnostics::Severity::Error)
    {
        print_diagnostics(&of_hashes, files);
        return Ok(None);
    }
    match job_specs::expand(&file, facts) {
        Ok(expansion) => Ok(Some((file, expansion.jobs))),
        Err(diagnostics) => {
            print_diagnostics(&diagnostics, files);
            Ok(None)
        }
    }
}

/// How a round ended.
struct Round {
    exit: Exit,
    /// Paths that changed while it ran, which ended it.
    cut_short: Option<Vec<String>>,
}

/// Runs the jobs once; a change of the folder ends them.
async fn round(
    local: LocalRun,
    progress: Progress,
    interrupts: &mut Signal,
    mut changes: Option<&mut Changes>,
) -> anyhow::Result<Round> {
    let (events, received) = mpsc::unbounded_channel();
    let cancel = CancellationToken::new();
    let shown = tokio::spawn(show::show(local.jobs.clone(), received, progress));
    let work = local::run(local, events, cancel.clone());
    tokio::pin!(work);
    let (mut interrupted, mut cut_short) = (false, None);
    let end = loop {
        let changed = async {
            match &mut changes {
                Some(changes) if cut_short.is_none() => changes.next().await,
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            end = &mut work => break end?,
            paths = changed => {
                cut_short = Some(paths);
                cancel.cancel();
            }
            _ = interrupts.recv() => {
                if interrupted {
                    return Ok(Round { exit: Exit::Interrupted, cut_short: None });
                }
                interrupted = true;
                anstream::eprintln!("\nstopping; once more to leave at once");
                cancel.cancel();
            }
        }
    };
    shown.await.context("show the run")??;
    show::results(&end, progress)?;
    // Ctrl-C also ends a hold; all has ended by itself then, and the exit says how.
    let exit = if interrupted && was_cancelled(&end) {
        Exit::Interrupted
    } else {
        worst(&end)
    };
    Ok(Round { exit, cut_short })
}

fn was_cancelled(end: &LocalEnd) -> bool {
    let mut outcomes = end.outcomes.iter();
    outcomes.any(|outcome| outcome.status == JobStatus::Cancelled)
}

/// The exit of the worst job that counts, as that of a build.
fn worst(end: &LocalEnd) -> Exit {
    let jobs = end.jobs.iter().zip(&end.outcomes);
    Exit::of_status(rollup(jobs.map(|(job, outcome)| (outcome.status, job.allow_failure))))
}
