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
/// The group of a build that is over is removed with it; what a killed agent left, after this time.
const LEFT_BEHIND: Duration = Duration::from_secs(6 * 3600);

/// The group of one build; removed when it is dropped.
pub(super) struct BuildGroup {
    /// Below [`ROOT`] and, in version 1, below each controller.
    name: PathBuf,
}

impl Engine {
    /// A group whose processes and threads together are at most `pids`. `None`: there is none to be had here.
    pub(super) async fn build_group(&self, pids: u64) -> Option<BuildGroup> {
        let by_hand = self.inner.groups_by_hand.get_or_init(async || {
            let info = self.docker().info().await;
            info.is_ok_and(|info| {
                let driver = info.cgroup_driver.map(|driver| driver.to_string());
                driver.as_deref() == Some("cgroupfs")
            })
        });
        if !*by_hand.await {
            return None;
        }
        let made = BuildGroup::make(Path::new(ROOT), pids);
        made.inspect_err(|error| tracing::debug!(%error, "builds have no limit of processes"))
            .ok()
    }
}

impl BuildGroup {
    fn make(root: &Path, pids: u64) -> io::Result<BuildGroup> {
        remove_left_behind(root);
        let name = Path::new(BUILDS).join(uuid::Uuid::now_v7().simple().to_string());
        let group = BuildGroup { name };
        let version_1 = root.join("pids");
        let hierarchy = if version_1.is_dir() { &version_1 } else { root };
        fs::create_dir_all(hierarchy.join(BUILDS))?;
        if hierarchy == root {
            for group in [root.to_owned(), root.join(BUILDS)] {
                fs::write(group.join("cgroup.subtree_control"), "+pids")?;
            }
        }
        let folder = hierarchy.join(&group.name);
        fs::create_dir(&folder)?;
        fs::write(folder.join("pids.max"), pids.to_string())?;
        Ok(group)
    }

    /// As the builder wants it.
    pub(super) fn as_parent(&self) -> String {
        format!("/{}", self.name.display())
    }
}

impl Drop for BuildGroup {
    fn drop(&mut self) {
        // The engine made it below the other controllers, too. Where something still runs in it, it stays for now.
        for hierarchy in hierarchies(Path::new(ROOT)) {
            let _ = fs::remove_dir(hierarchy.join(&self.name));
        }
    }
}

/// The root and what is below it: in version 1 the controllers.
fn hierarchies(root: &Path) -> Vec<PathBuf> {
    let below = fs::read_dir(root).into_iter().flatten().flatten();
    let below = below.map(|entry| entry.path());
    [root.to_owned()].into_iter().chain(below).collect()
}

fn remove_left_behind(root: &Path) {
    for hierarchy in hierarchies(root) {
        let groups = fs::read_dir(hierarchy.join(BUILDS)).into_iter().flatten().flatten();
        for group in groups {
            let age = group.metadata().and_then(|found| found.modified()).ok();
            let age = age.and_then(|made| made.elapsed().ok());
            if age.is_some_and(|age| age > LEFT_BEHIND) {
                // One in which something runs cannot be removed.
                let _ = fs::remove_dir(group.path());
            }
        }
    }
}
