//! What is kept after the last step: artifacts by their `when`, then the caches of a job that passed. A cache that
//! cannot be kept is told and forgiven; an artifact that cannot be kept is a reason not to pass.

mod archive;
pub mod retain;
pub mod test_reports;

use std::sync::Arc;
use std::time::Instant;

use job_specs::globs::Globs;
use job_specs::model::{ArtifactSpec, CacheSpec};
use job_specs::units::duration;
use protocol::attempt::{ArtifactOutcome, AttemptResult, CacheOutcome, EventKind, ReasonCode, Verdict};
use protocol::blobs::Kept;

use crate::attempt::cache_paths;
use crate::attempt::interrupt::Interrupts;
use crate::attempt::job::Job;
use crate::attempt::report::reasons;
use crate::attempt::run::run_state::{self, RunState};
use crate::blobs::NewArtifact;
use crate::blobs::archive::{FileList, PackSource};
use crate::clock::millis;
use archive::{Archive, Limit, NotKept, TRIES, limits, look};

/// Tries to keep a cache.
const CACHE_TRIES: u32 = 3;
/// Names that are told of many.
const TOLD: usize = 5;

/// Keeps what the job wants kept; the result with what came of it.
pub async fn keep(job: &Arc<Job>, interrupts: &Interrupts, result: AttemptResult) -> AttemptResult {
    let run_state = match result.verdict {
        Verdict::Passed => RunState::Passing,
        Verdict::Failed | Verdict::TimedOut => RunState::Failing,
        Verdict::Errored | Verdict::Cancelled => return result,
    };
    let spec = &job.input.spec;
    let artifacts: Vec<&ArtifactSpec> = spec
        .artifacts
        .iter()
        .filter(|artifact| run_state::runs(artifact.when, run_state))
        .collect();
    if run_state == RunState::Failing {
        let left = spec.artifacts.iter().filter_map(ArtifactSpec::not_kept_of_failed);
        left.for_each(|sentence| job.job_log.write_line(sentence));
    }
    if artifacts.is_empty() && (spec.caches.is_empty() || run_state == RunState::Failing) {
        return result;
    }
    job.phase("keep", true);
    let kept = tokio::select! {
        kept = all(job, &artifacts, run_state) => kept,
        interrupt = interrupts.next(None) => Some(interrupt.result(&job.activity.after_steps())),
    };
    job.phase("keep", false);
    match (run_state, kept) {
        (RunState::Passing, Some(worse)) => worse,
        (RunState::Failing, _) | (RunState::Passing, None) => result,
    }
}

/// What makes a job that went well go badly, if anything does.
async fn all(job: &Arc<Job>, artifacts: &[&ArtifactSpec], run_state: RunState) -> Option<AttemptResult> {
    let mut worse = None;
    for spec in artifacts {
        if job.journal.artifact(&spec.name).is_none() {
            worse = worse.or(artifact(job, spec).await);
        }
    }
    if worse.is_none() && run_state == RunState::Passing {
        for (index, spec) in job.input.spec.caches.iter().enumerate() {
            cache(job, index, spec).await;
        }
    }
    worse
}

/// Keeps one artifact.
async fn artifact(job: &Arc<Job>, spec: &ArtifactSpec) -> Option<AttemptResult> {
    let begin = Instant::now();
    let (name, kept) = (&spec.name, keep_artifact(job, spec).await);
    let (outcome, worse) = match kept {
        Ok(None) => {
            job.job_log.write_line(format!(
                "warning: artifact {name}: no file matches its paths; nothing is kept"
            ));
            (ArtifactOutcome::Empty, None)
        }
        Ok(Some((files, kept))) => {
            let noun = if files == 1 { "file" } else { "files" };
            let place = job.input.blobs.shown_at(name);
            let place = place
                .map(|folder| format!(" in {}", folder.display()))
                .unwrap_or_default();
            job.job_log.write_line(format!(
                "artifact {name}: {files} {noun}, {}{place}",
                job_specs::units::size(kept.bytes)
            ));
            let outcome = ArtifactOutcome::Kept {
                files,
                bytes: kept.bytes,
                millis: millis(begin.elapsed()),
            };
            (outcome, None)
        }
        Err(not_kept) => {
            let sentence = format!("artifact `{name}` cannot be kept: {}", not_kept.why());
            job.job_log.write_line(&sentence);
            let why = not_kept.why().to_owned();
            let worse = match not_kept {
                NotKept::Users(_) => AttemptResult::because(Verdict::Failed, ReasonCode::ArtifactNotKept, sentence),
                NotKept::Ours(_) => reasons::broken(sentence),
            };
            (ArtifactOutcome::Lost { why }, Some(worse))
        }
    };
    job.journal.record_now(EventKind::Artifact {
        name: name.clone(),
        outcome,
    });
    worse
}

async fn keep_artifact(job: &Arc<Job>, spec: &ArtifactSpec) -> Result<Option<(u64, Kept)>, NotKept> {
    let globs = Globs::of_workspace(spec.paths.iter().map(String::as_str)).map_err(NotKept::Users)?;
    let globs = globs.matcher();
    let root = job.folder.workspace();
    let (sources, found) = look(vec![PackSource::Globs { root, globs }]).await?;
    log_missing_files(job, &format!("artifact {}", spec.name), &found);
    let files = found.files();
    if files == 0 {
        return Ok(None);
    }
    let limit = match limits(job).await? {
        limits if limits.repository_bytes_left < limits.artifact_bytes => Limit {
            bytes: limits.repository_bytes_left,
            of: "is left for all artifacts of the repository",
        },
        limits => Limit {
            bytes: limits.artifact_bytes,
            of: "one artifact may have",
        },
    };
    let new = NewArtifact {
        name: spec.name.clone(),
        files,
        expires_secs: spec.expires_secs,
    };
    let blobs = &job.input.blobs;
    let archive = Archive::new(sources, found, limit);
    let send = |body| async { blobs.keep_artifact(&new, body).await };
    Ok(Some((files, archive.send(TRIES, send).await?)))
}

/// Keeps one cache, unless its very key was found.
async fn cache(job: &Arc<Job>, index: usize, spec: &CacheSpec) {
    let key = &spec.key;
    if job.journal.has_cache(key) {
        return;
    }
    let begin = Instant::now();
    let kept = match job.input.trusted {
        true => save_cache(job, index, spec).await,
        false => Err(NotKept::Users(
            "the build is not trusted, so it may only read caches".into(),
        )),
    };
    let outcome = match kept {
        Ok(None) => {
            job.job_log.write_line(format!(
                "warning: cache {key}: none of its paths has a file; nothing is kept"
            ));
            return;
        }
        Ok(Some(kept)) => {
            job.job_log.write_line(format!(
                "cache {key}: saved ({} in {})",
                job_specs::units::size(kept.bytes),
                duration(begin.elapsed())
            ));
            CacheOutcome::Saved {
                bytes: kept.bytes,
                millis: millis(begin.elapsed()),
            }
        }
        Err(not_kept) => {
            let why = not_kept.why().to_owned();
            job.job_log.write_line(format!("cache {key}: not saved: {why}"));
            CacheOutcome::Trouble { why }
        }
    };
    job.journal.record_now(EventKind::Cache {
        key: key.clone(),
        outcome,
    });
}

async fn save_cache(job: &Arc<Job>, index: usize, spec: &CacheSpec) -> Result<Option<Kept>, NotKept> {
    let sources = cache_paths::cache_sources(&job.folder, index, spec).map_err(NotKept::Users)?;
    let (sources, found) = look(sources).await?;
    if found.files() == 0 {
        return Ok(None);
    }
    log_missing_files(job, &format!("cache {}", spec.key), &found);
    let limit = Limit {
        bytes: limits(job).await?.cache_bytes,
        of: "one cache may have",
    };
    let blobs = &job.input.blobs;
    let archive = Archive::new(sources, found, limit);
    let send = |body| async { blobs.save_cache(&spec.key, body).await };
    Ok(Some(archive.send(CACHE_TRIES, send).await?))
}

/// A glob that matches nothing is mostly a mistake.
fn log_missing_files(job: &Job, of: &str, found: &FileList) {
    for nothing in found.nothing.iter().take(TOLD) {
        job.job_log
            .write_line(format!("warning: {of}: nothing matches `{nothing}`"));
    }
    for left_out in found.left_out.iter().take(TOLD) {
        job.job_log
            .write_line(format!("warning: {of}: {left_out}; it is left out"));
    }
    let more = found.left_out.len().saturating_sub(TOLD) + found.nothing.len().saturating_sub(TOLD);
    if more > 0 {
        job.job_log
            .write_line(format!("warning: {of}: and {more} more of these"));
    }
}
