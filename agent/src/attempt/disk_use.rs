//! How much of the agent's disk one attempt takes, and when that is more than the agent's owner allows. File systems
//! that count for us (quotas of projects) are rarely set up, so it is measured: at once when the disk's free room
//! shrinks by a good part of what the attempt may still take, else every minute.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::job::Job;
use crate::disk;

/// Between two looks at the disk's free room.
const LOOK: Duration = Duration::from_secs(1);
/// It is measured at least so often: others may make room as fast as the attempt takes it.
const AT_LEAST: Duration = Duration::from_secs(60);
/// The same where the engine's disk cannot be seen from here.
const AT_LEAST_UNSEEN: Duration = Duration::from_secs(10);

/// Watches an attempt's disk use until it is dropped.
pub struct DiskWatch {
    over: watch::Receiver<Option<String>>,
    _stop: DropGuard,
}

impl DiskWatch {
    /// Begins, when there is a limit.
    pub fn start(job: &Arc<Job>) -> DiskWatch {
        let (sender, over) = watch::channel(None);
        let stop = CancellationToken::new();
        if let Some(limit) = job.context.engine.disk_limit() {
            let (job, stopped) = (job.clone(), stop.clone());
            job.context.tasks.clone().spawn(async move {
                if let Some(sentence) = stopped.run_until_cancelled(until_over(&job, limit)).await {
                    sender.send_replace(Some(sentence));
                    stopped.cancelled().await;
                }
            });
        }
        DiskWatch {
            over,
            _stop: stop.drop_guard(),
        }
    }

    /// Waits until it takes too much: what is said of it, to follow `the job was stopped …: `. For ever while it does not.
    pub async fn over(&self) -> String {
        let mut over = self.over.clone();
        if let Ok(sentence) = over.wait_for(Option::is_some).await
            && let Some(sentence) = &*sentence
        {
            return sentence.clone();
        }
        std::future::pending().await
    }
}

/// What an attempt takes, bytes.
#[derive(Debug, Clone, Copy, Default)]
struct DiskUse {
    /// Its folder: workspace, caches, logs.
    workspace: u64,
    /// What containers wrote elsewhere.
    containers: u64,
    /// Volumes of its services and steps.
    volumes: u64,
}

impl DiskUse {
    fn total(self) -> u64 {
        self.workspace + self.containers + self.volumes
    }

    fn sentence(self, limit: u64) -> String {
        let parts = [
            ("workspace", self.workspace),
            ("other files of its containers", self.containers),
            ("volumes", self.volumes),
        ];
        let parts = parts.into_iter().filter(|(_, bytes)| *bytes > 0);
        let parts: Vec<_> = parts
            .map(|(what, bytes)| format!("{what} {}", job_specs::units::size(bytes)))
            .collect();
        format!(
            "it takes {} of the agent's disk and may take {} (`--max-disk` of the agent): {}",
            job_specs::units::size(self.total()),
            job_specs::units::size(limit),
            parts.join(", ")
        )
    }
}

async fn until_over(job: &Job, limit: u64) -> String {
    // Most jobs are over before the first look, and cost the engine no question.
    sleep(LOOK).await;
    let root = job.context.engine.about().await.and_then(|about| about.root.clone());
    let at_least = if root.is_some() { AT_LEAST } else { AT_LEAST_UNSEEN };
    let disks: Vec<PathBuf> = [Some(job.context.attempts.clone()), root]
        .into_iter()
        .flatten()
        .collect();
    let (mut used, mut free, mut measured) = (0, free_of(&disks), Instant::now());
    loop {
        let now = free_of(&disks);
        let taken = free.iter().zip(&now).any(|(then, now)| {
            // The last bytes before the limit are not worth a look each.
            then.saturating_sub(*now) > (limit.saturating_sub(used) / 2).max(limit / 32)
        });
        if taken || measured.elapsed() >= at_least {
            (free, measured) = (now, Instant::now());
            let found = measure(job).await;
            if found.total() > limit {
                return found.sentence(limit);
            }
            used = found.total();
        }
        sleep(LOOK).await;
    }
}

fn free_of(disks: &[PathBuf]) -> Vec<u64> {
    disks.iter().map(|disk| disk::free(disk).unwrap_or(0)).collect()
}

/// What cannot be measured now counts as nothing: the next look may do better.
async fn measure(job: &Job) -> DiskUse {
    let engine = job
        .context
        .engine
        .disk_use(job.input.attempt.as_str(), job.network.get())
        .await;
    let engine = engine.unwrap_or_else(|error| {
        tracing::debug!(%error, attempt.id = %job.input.attempt, "the engine does not say how much an attempt takes");
        Default::default()
    });
    DiskUse {
        workspace: disk::used(vec![job.folder.path().to_owned()]).await,
        containers: engine.containers,
        volumes: engine.volumes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_the_disk_is_named() {
        let disk_use = DiskUse {
            workspace: 3 << 30,
            containers: 0,
            volumes: 512 << 20,
        };
        assert_eq!(
            disk_use.sentence(2 << 30),
            "it takes 3.5 GiB of the agent's disk and may take 2 GiB (`--max-disk` of the agent): workspace 3 GiB, \
             volumes 512 MiB"
        );
    }
}
