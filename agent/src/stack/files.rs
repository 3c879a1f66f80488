//! Compose's `configs` and `secrets`: files that a service finds when it starts. Their contents never stand in the
//! engine's configuration of a container: each is a file of the agent's own, bound read-only.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::Path;

use job_specs::model::{FileContent, FileMount};
use protocol::work::SecretValue;

use super::failure::FailureKind;
use crate::engine::EngineError;
use crate::engine::plan::Bind;

/// Writes the files into `folder`, which is ours alone; what is to be bound.
pub(super) fn write(
    folder: &Path,
    files: &[FileMount],
    secrets: &BTreeMap<String, SecretValue>,
) -> Result<Vec<Bind>, FailureKind> {
    let mut binds = Vec::with_capacity(files.len());
    for (nth, file) in files.iter().enumerate() {
        let content = match &file.content {
            FileContent::Text(text) => text,
            FileContent::Secret(name) => {
                let missing = || FailureKind::SecretMissing {
                    secret: name.clone(),
                    target: file.target.clone(),
                };
                &secrets.get(name).ok_or_else(missing)?.0
            }
        };
        let host = folder.join(nth.to_string());
        write_one(&host, content, file).map_err(|source| trouble(file, source))?;
        binds.push(Bind::read_only(host, &file.target));
    }
    Ok(binds)
}

fn write_one(host: &Path, content: &str, file: &FileMount) -> io::Result<()> {
    let options = &mut std::fs::OpenOptions::new();
    let mut written = options.write(true).create_new(true).mode(0o600).open(host)?;
    written.write_all(content.as_bytes())?;
    if !is_owner(file)? {
        match fchown(&written, Some(file.uid), Some(file.gid)) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && is_for_all(file) => {}
            other => other?,
        }
    }
    written.set_permissions(std::fs::Permissions::from_mode(file.mode & 0o7777))
}

/// The file belongs to whom it should already.
fn is_owner(file: &FileMount) -> io::Result<bool> {
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    Ok(uid.as_raw() == file.uid && gid.as_raw() == file.gid)
}

/// Whose it is makes no difference: everybody may read it, and it is bound read-only.
fn is_for_all(file: &FileMount) -> bool {
    file.mode & 0o004 != 0
}

fn trouble(file: &FileMount, source: io::Error) -> FailureKind {
    if source.kind() == io::ErrorKind::PermissionDenied {
        return FailureKind::CannotStart {
            detail: format!(
                "its file `{}` is to belong to {}:{}, and only an agent that runs as root can give files away",
                file.target, file.uid, file.gid
            ),
        };
    }
    EngineError::io("write a service's file")(source).into()
}
