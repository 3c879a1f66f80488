//! A control group around the containers of one build. The engine's builder has limits for memory and processors and none
//! for processes, but it takes a parent group, and what that one has holds for everything in it. Only where the engine
//! leaves groups to whoever makes them (driver `cgroupfs`) and this process may; under systemd its `DefaultTasksMax` holds.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::connect::Engine;

/// Where the kernel shows control groups.
const ROOT: &str = "/sys/fs/cgroup";
/// The group of all builds.
const BUILDS: &str = "drover-builds";
/// The group of a build that is over is removed with it; what a killed agent left, when it starts again, or by another
/// agent after this time.
const LEFT_BEHIND: Duration = Duration::from_secs(6 * 3600);
/// Between two tries to remove the group of a build that was stopped: the engine still ends what runs in it.
const PAUSE: Duration = Duration::from_millis(200);
/// The most tries, and the least; when the agent ends, its next start sees to what is left after those.
const TRIES: usize = 50;
const LEAST_TRIES: usize = 10;

/// The group of one build; removed when it is dropped.
pub(super) struct BuildGroup {
    /// Below [`ROOT`] and, in version 1, below each controller.
    name: PathBuf,
    engine: Engine,
    /// The builder has answered: nothing runs in it any more.
    is_over: bool,
}

impl Engine {
    /// A group whose processes and threads together are at most `pids`. `None`: there is none to be had here.
    pub(super) async fn build_group(&self, pids: u64) -> Option<BuildGroup> {
        if !self.about().await.is_some_and(|about| about.groups_by_hand) {
            return None;
        }
        let id = uuid::Uuid::now_v7().simple();
        let group = BuildGroup {
            name: Path::new(BUILDS).join(format!("{}-{id}", self.config().agent)),
            engine: self.clone(),
            is_over: false,
        };
        match make(&group.name, pids) {
            Ok(()) => Some(group),
            Err(error) => {
                tracing::debug!(%error, "builds have no limit of processes");
                None
            }
        }
    }
}

impl BuildGroup {
    /// As the builder wants it.
    pub(super) fn as_parent(&self) -> String {
        format!("/{}", self.name.display())
    }

    /// The builder has answered.
    pub(super) fn end(mut self) {
        self.is_over = true;
    }
}

impl Drop for BuildGroup {
    fn drop(&mut self) {
        let name = std::mem::take(&mut self.name);
        if is_removed(&name) && self.is_over {
            return;
        }
        // It was given up half-way: the engine still ends what runs in it, or even starts it, which makes the group anew.
        let stop = self.engine.stopping();
        self.engine.spawn(async move {
            for tries in 1..=TRIES {
                tokio::time::sleep(PAUSE).await;
                let is_removed = is_removed(&name);
                if tries >= LEAST_TRIES && (is_removed || stop.is_cancelled()) {
                    return;
                }
            }
            tracing::warn!(group = %name.display(), "the control group of a build cannot be removed yet");
        });
    }
}

fn make(name: &Path, pids: u64) -> io::Result<()> {
    let root = Path::new(ROOT);
    let version_1 = root.join("pids");
    let hierarchy = if version_1.is_dir() { &version_1 } else { root };
    fs::create_dir_all(hierarchy.join(BUILDS))?;
    if hierarchy == root {
        for group in [root.to_owned(), root.join(BUILDS)] {
            fs::write(group.join("cgroup.subtree_control"), "+pids")?;
        }
    }
    let folder = hierarchy.join(name);
    fs::create_dir(&folder)?;
    fs::write(folder.join("pids.max"), pids.to_string())
}

/// Removes it everywhere: the engine made it below the other controllers, too. False: something still runs in it.
fn is_removed(name: &Path) -> bool {
    let gone = |hierarchy: PathBuf| match fs::remove_dir(hierarchy.join(name)) {
        Ok(()) => true,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    };
    // each of them, whatever became of the others
    hierarchies().into_iter().map(gone).fold(true, |all, one| all & one)
}

/// The root and what is below it: in version 1 the controllers.
fn hierarchies() -> Vec<PathBuf> {
    let below = fs::read_dir(ROOT).into_iter().flatten().flatten();
    let below = below.map(|entry| entry.path()).filter(|path| path.is_dir());
    [PathBuf::from(ROOT)].into_iter().chain(below).collect()
}

/// Removes groups that this agent left before its restart, and old ones of others. One in which something runs stays.
pub(super) fn remove_left_behind(agent: &str) {
    for hierarchy in hierarchies() {
        let groups = fs::read_dir(hierarchy.join(BUILDS)).into_iter().flatten().flatten();
        for group in groups {
            let age = group.metadata().and_then(|found| found.modified()).ok();
            let age = age.and_then(|made| made.elapsed().ok());
            let is_own = group.file_name().as_encoded_bytes().starts_with(agent.as_bytes());
            if is_own || age.is_some_and(|age| age > LEFT_BEHIND) {
                let _ = fs::remove_dir(group.path());
            }
        }
    }
}
