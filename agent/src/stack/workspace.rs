//! What a service mounts of the workspace. It never leaves it, whatever links are there.

use std::io;
use std::path::Path;

use job_specs::model::{ServiceSpec, VolumeMount, VolumeSource};

use super::container;
use super::failure::FailureKind;
use crate::beneath::{self, Beneath, OpenedPath, Parents};
use crate::engine::plan::Bind;

/// As the engine makes folders.
const MODE: Parents = Parents::Made(0o755);

/// Makes the folders that a service mounts and that are not in the workspace, as Compose does; the paths of those that
/// were made.
pub(super) fn make_missing<'a>(service: &'a ServiceSpec, workspace: &Path) -> Result<Vec<&'a str>, FailureKind> {
    let mut made = Vec::new();
    for (relative, _) in mounts(service).filter(|(_, mount)| mount.create) {
        let found = beneath::open(workspace, Path::new(relative));
        if found.is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            let made_it = Beneath::open(workspace).and_then(|mut folder| folder.make_folder(Path::new(relative), MODE));
            made_it.map_err(|error| FailureKind::CannotStart {
                detail: format!("`{relative}`, which it mounts, is not in the workspace and cannot be made: {error}"),
            })?;
            made.push(relative);
        }
    }
    Ok(made)
}

/// What a service mounts of the workspace.
pub(super) fn binds(service: &ServiceSpec, workspace: &Path) -> Result<Vec<Bind>, FailureKind> {
    mounts(service)
        .map(|(relative, mount)| {
            Ok(Bind {
                host: find(workspace, relative)?.path,
                container: mount.target.clone(),
                access: container::access(mount.read_only),
            })
        })
        .collect()
}

/// Its mounts of the workspace, with their paths.
pub(super) fn mounts(service: &ServiceSpec) -> impl Iterator<Item = (&str, &VolumeMount)> {
    service.volumes.iter().filter_map(|mount| match &mount.source {
        VolumeSource::Workspace(relative) => Some((relative.as_str(), mount)),
        VolumeSource::Named(_) | VolumeSource::Nameless => None,
    })
}

/// It can write to the workspace.
pub(super) fn writes(service: &ServiceSpec) -> bool {
    mounts(service).any(|(_, mount)| !mount.read_only)
}

/// It mounts more special places of the workspace than all of it: those may be exchanged by who can write there.
pub(super) fn mounts_parts(service: &ServiceSpec) -> bool {
    mounts(service).any(|(relative, _)| relative != ".")
}

/// The file or folder at `relative`, links followed as long as they stay in the workspace.
pub(super) fn find(workspace: &Path, relative: &str) -> Result<OpenedPath, FailureKind> {
    let refused = |detail: String| FailureKind::CannotStart { detail };
    beneath::open(workspace, Path::new(relative)).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => refused(format!(
            "`{relative}`, which it mounts, is not in the workspace; add it to the repository, correct the path in \
             `volumes`, or let it be made by `create_host_path: true`"
        )),
        io::ErrorKind::CrossesDevices => refused(format!(
            "`{relative}`, which it mounts, leads out of the workspace by a link"
        )),
        _ => refused(format!("`{relative}`, which it mounts, cannot be opened: {error}")),
    })
}

/// Checks that a container that was started again has the workspace's own folders: somebody may have put a link in
/// their place when the engine looked. `process` is its first one, which runs nothing of the user's yet.
pub(super) fn is_mounted(service: &ServiceSpec, workspace: &Path, process: Option<i64>) -> Result<(), FailureKind> {
    for (relative, mount) in mounts(service) {
        let is_right = || -> io::Result<bool> {
            let process = process.ok_or(io::ErrorKind::NotFound)?;
            let inside = format!("/proc/{process}/root/{}", mount.target.trim_start_matches('/'));
            let (inside, found) = (
                rustix::fs::stat(inside.as_str())?,
                beneath::open(workspace, Path::new(relative))?,
            );
            let found = rustix::fs::fstat(&found.file)?;
            Ok((inside.st_dev, inside.st_ino) == (found.st_dev, found.st_ino))
        };
        if !is_right().unwrap_or(false) {
            return Err(FailureKind::CannotStart {
                detail: format!(
                    "it ended, and cannot be started again because what it mounts of the workspace at `{}` cannot be \
                     checked or was exchanged",
                    mount.target
                ),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_link_that_leads_out_of_the_workspace_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir_all(root.join("conf/d")).unwrap();
        symlink("conf/d", root.join("inside")).unwrap();
        symlink("/etc", root.join("outside")).unwrap();
        symlink("../..", root.join("conf/up")).unwrap();
        let said = |relative: &str| match find(root, relative) {
            Ok(found) => found.path.strip_prefix(root).unwrap().display().to_string(),
            Err(FailureKind::CannotStart { detail }) => detail,
            Err(other) => format!("{other:?}"),
        };
        let message = ["conf", "inside", ".", "outside", "outside/passwd", "conf/up", "gone"].map(said);
        insta::assert_snapshot!(message.join("\n"), @"
        conf
        conf/d

        `outside`, which it mounts, leads out of the workspace by a link
        `outside/passwd`, which it mounts, leads out of the workspace by a link
        `conf/up`, which it mounts, leads out of the workspace by a link
        `gone`, which it mounts, is not in the workspace; add it to the repository, correct the path in `volumes`, or let it be made by `create_host_path: true`
        ");
    }

    #[test]
    fn folders_that_are_not_there_are_made_as_compose_does_but_through_no_link() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("workspace");
        std::fs::create_dir_all(root.join("kept")).unwrap();
        std::fs::create_dir(folder.path().join("other")).unwrap();
        std::fs::write(root.join("kept/file"), "x").unwrap();
        symlink("kept", root.join("inside")).unwrap();
        symlink("../other", root.join("outside")).unwrap();
        symlink("nowhere", root.join("dangling")).unwrap();
        let make = |relative: &str, create| {
            let service = ServiceSpec {
                volumes: vec![VolumeMount {
                    source: VolumeSource::Workspace(relative.into()),
                    target: "/data".into(),
                    read_only: false,
                    create,
                }],
                ..ServiceSpec::default()
            };
            match make_missing(&service, &root) {
                Ok(made) => format!("{relative}: made {made:?}, there {}", root.join(relative).is_dir()),
                Err(FailureKind::CannotStart { detail }) => detail,
                Err(other) => format!("{other:?}"),
            }
        };
        let message = [
            make("data/db", true),
            make("data/db", true),
            make("kept/file", true),
            make("inside", true),
            make("inside/new", true),
            make("outside/new", true),
            make("dangling", true),
            make("kept/file/new", true),
            make(".", true),
            make("gone", false),
        ];
        insta::assert_snapshot!(message.join("\n"), @r#"
        data/db: made ["data/db"], there true
        data/db: made [], there true
        kept/file: made [], there false
        inside: made [], there true
        `inside/new`, which it mounts, is not in the workspace and cannot be made: `inside` on the way to it is a link or a file
        outside/new: made [], there false
        `dangling`, which it mounts, is not in the workspace and cannot be made: `dangling` on the way to it is a link or a file
        kept/file/new: made [], there false
        .: made [], there true
        gone: made [], there false
        "#);
        assert!(!folder.path().join("other/new").exists());
        assert_eq!(std::fs::read_dir(root.join("kept")).unwrap().count(), 1);
    }
}
