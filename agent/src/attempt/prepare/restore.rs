//! What a job finds before its first step: its caches, and the artifacts of the jobs that it needs. Absolute paths are
//! filled while services start; what goes into the workspace waits for the code. A cache is a help and never a reason
//! to fail; a needed artifact that cannot be had is.

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::join_all;
use job_specs::units::duration;
use protocol::attempt::{AttemptResult, CacheOutcome, EventKind};
use protocol::blobs::NeededArtifact;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use crate::attempt::cache_paths::{cache_sources, is_outside};
use crate::attempt::folder::AttemptFolder;
use crate::attempt::job::Job;
use crate::attempt::report::reasons;
use crate::blobs::archive::{self, ByteReader, Links, Modes, PackSource, Rules, UnpackTarget, Unpacked};
use crate::blobs::{BlobError, Blobs};

/// Tries of something that may go better the next time.
const TRIES: u32 = 4;

/// Brings everything. Errors: the result of the attempt.
pub async fn all(
    job: &Arc<Job>,
    stop: &CancellationToken,
    code: impl Future<Output = Result<(), AttemptResult>>,
) -> Result<(), AttemptResult> {
    let spec = &job.input.spec;
    let wants_artifacts = spec.needs.iter().any(|need| need.artifacts);
    if (spec.caches.is_empty() && !wants_artifacts) || job.folder.is_restored() {
        return code.await;
    }
    job.phase("restore", true);
    let (outside, inside): (Vec<usize>, Vec<usize>) =
        (0..spec.caches.len()).partition(|&cache| is_outside(spec, cache));
    let early = join_all(outside.into_iter().map(|index| cache(job, stop, index)));
    let late = async {
        code.await?;
        join_all(inside.into_iter().map(|index| cache(job, stop, index))).await;
        match wants_artifacts {
            true => artifacts(job, stop).await,
            false => Ok(()),
        }
    };
    let (_, late) = tokio::join!(early, late);
    late?;
    let noted = job.folder.set_restored();
    noted.map_err(|error| reasons::broken(format!("the agent cannot write to its data folder: {error}")))?;
    job.phase("restore", false);
    Ok(())
}

/// Looks for one cache and unpacks it.
async fn cache(job: &Arc<Job>, stop: &CancellationToken, index: usize) {
    let spec = &job.input.spec.caches[index];
    let outcome = match bring_cache(job, stop, index).await {
        Ok(Some(outcome)) => outcome,
        Ok(None) => CacheOutcome::Missed,
        Err(why) => CacheOutcome::Trouble { why },
    };
    let key = &spec.key;
    job.job_log.write_line(match &outcome {
        CacheOutcome::Restored {
            from,
            bytes: count,
            millis,
        } => {
            let from = if from == key {
                String::new()
            } else {
                format!(" from {from}")
            };
            let took = duration(std::time::Duration::from_millis(*millis));
            format!(
                "cache {key}: restored{from} ({} in {took})",
                job_specs::units::size(*count)
            )
        }
        CacheOutcome::Trouble { why } => format!("cache {key}: not restored: {why}"),
        CacheOutcome::Missed | CacheOutcome::Saved { .. } => format!("cache {key}: there is none yet"),
    });
    job.journal.record_now(EventKind::Cache {
        key: key.clone(),
        outcome,
    });
}

async fn bring_cache(job: &Arc<Job>, stop: &CancellationToken, index: usize) -> Result<Option<CacheOutcome>, String> {
    let spec = &job.input.spec.caches[index];
    let sources = cache_sources(&job.folder, index, spec)?;
    let begin = Instant::now();
    let found = until(stop, job.input.blobs.find_cache(&spec.key, &spec.fallback)).await;
    let Some(found) = found.map_err(|error| error.to_string())? else {
        return Ok(None);
    };
    let into: Vec<UnpackTarget> = sources.into_iter().filter_map(place).collect();
    let rules = Rules::of(Links::Anywhere, Modes::OwnWithOwners);
    let fresh = was_not_there(&job.folder, &into);
    let brought = bring(&job.input.blobs, stop, &found.sha256, (into, rules)).await;
    if let Err(error) = brought {
        discard(fresh).await;
        return Err(error.to_string());
    }
    Ok(Some(CacheOutcome::Restored {
        from: found.key,
        bytes: found.bytes,
        millis: crate::clock::millis(begin.elapsed()),
    }))
}

/// The way back of a source.
fn place(source: PackSource) -> Option<UnpackTarget> {
    match source {
        PackSource::Path { root, at, name } => Some(UnpackTarget { root, at, name }),
        PackSource::Globs { .. } => None,
    }
}

/// The places where nothing was before: they can be emptied when an archive turns out to be damaged.
fn was_not_there(folder: &AttemptFolder, into: &[UnpackTarget]) -> Vec<UnpackTarget> {
    let workspace = folder.workspace();
    let is_fresh =
        |into: &&UnpackTarget| into.root != workspace || std::fs::symlink_metadata(workspace.join(&into.at)).is_err();
    into.iter().filter(is_fresh).cloned().collect()
}

async fn discard(places: Vec<UnpackTarget>) {
    let gone = spawn_blocking(move || places.iter().try_for_each(archive::discard)).await;
    if !matches!(gone, Ok(Ok(()))) {
        tracing::warn!("what is left of a damaged cache cannot be removed");
    }
}

/// Brings the artifacts of the jobs that this one needs.
async fn artifacts(job: &Arc<Job>, stop: &CancellationToken) -> Result<(), AttemptResult> {
    let mut tries = 0;
    let needed = loop {
        match until(stop, job.input.blobs.needed()).await {
            Ok(needed) => break needed,
            Err(BlobError::Away(_)) if tries < TRIES && !stop.is_cancelled() => wait(&mut tries).await,
            Err(error) => {
                return Err(reasons::broken(format!(
                    "the artifacts of needed jobs cannot be had: {error}"
                )));
            }
        }
    };
    for need in job.input.spec.needs.iter().filter(|need| need.artifacts) {
        let has_some = needed.iter().any(|artifact| is_of(&artifact.job, &need.job));
        if !has_some {
            job.job_log
                .write_line(format!("needs {}: it has no artifacts", need.job));
        }
    }
    for artifact in needed {
        bring_artifact(job, stop, &artifact).await?;
    }
    Ok(())
}

/// `build` and `build (arch=arm64)` are of the job `build`.
fn is_of(title: &str, job: &str) -> bool {
    title
        .strip_prefix(job)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(" ("))
}

async fn bring_artifact(
    job: &Arc<Job>,
    stop: &CancellationToken,
    artifact: &NeededArtifact,
) -> Result<(), AttemptResult> {
    let into = UnpackTarget::all_into(job.folder.workspace());
    let rules = Rules::of(Links::Inside, Modes::OpenToAll);
    let (begin, mut tries) = (Instant::now(), 0);
    loop {
        match bring(&job.input.blobs, stop, &artifact.sha256, (vec![into.clone()], rules)).await {
            Ok(unpacked) => {
                let (of, name, took) = (&artifact.job, &artifact.name, duration(begin.elapsed()));
                let size = job_specs::units::size(unpacked.bytes);
                job.job_log.write_line(format!(
                    "artifact {name} of {of}: {} files ({size} in {took})",
                    unpacked.files
                ));
                return Ok(());
            }
            Err(BlobError::Away(_)) if tries < TRIES && !stop.is_cancelled() => wait(&mut tries).await,
            Err(error) => {
                let (of, name) = (&artifact.job, &artifact.name);
                return Err(reasons::broken(format!(
                    "the artifact `{name}` of {of} cannot be unpacked: {error}"
                )));
            }
        }
    }
}

async fn wait(tries: &mut u32) {
    *tries += 1;
    tokio::time::sleep(std::time::Duration::from_millis(250 << *tries)).await;
}

/// A call, given up when the attempt is.
async fn until<T>(stop: &CancellationToken, call: impl Future<Output = Result<T, BlobError>>) -> Result<T, BlobError> {
    tokio::select! {
        done = call => done,
        () = stop.cancelled() => Err(BlobError::Refused("the job was stopped".into())),
    }
}

/// Fetches an archive and unpacks it while it comes. Once it returns nothing more is written.
async fn bring(
    blobs: &Blobs,
    stop: &CancellationToken,
    sha256: &str,
    (into, rules): (Vec<UnpackTarget>, Rules),
) -> Result<Unpacked, BlobError> {
    let stream = until(stop, blobs.open(sha256)).await?;
    let reader = ByteReader::new(stream, stop.clone());
    let unpacked = spawn_blocking(move || archive::unpack(reader, &into, rules)).await;
    let unpacked = unpacked.map_err(|broken| BlobError::Refused(broken.to_string()))?;
    match unpacked {
        Ok(unpacked) if unpacked.sha256 == sha256 => Ok(unpacked),
        Ok(_) => Err(BlobError::Away("the archive did not arrive as it was kept".into())),
        Err(error @ archive::UnpackError::Damaged(_)) => Err(BlobError::Away(error.to_string())),
        Err(error) => Err(BlobError::Refused(error.to_string())),
    }
}
