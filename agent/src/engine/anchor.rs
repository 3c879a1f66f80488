//! The gate as a file on the host (bound into steps and services) and as an image that holds nothing else (for
//! anchors). Both are named by the binary's content, so versions never mix and nothing is made twice.

use std::path::{Path, PathBuf};

use bollard::Docker;
use bollard::query_parameters::CreateImageOptions;
use futures_util::StreamExt;
use sha2::{Digest, Sha256};

use super::error::EngineError;

const REPOSITORY: &str = "drover/anchor";
/// Hexadecimal digits of the binary's hash in names.
const HASH_LEN: usize = 16;

/// What containers need of the gate.
#[derive(Debug, Clone)]
pub(crate) struct Anchor {
    /// On the host, executable by all.
    pub(crate) gate_file: PathBuf,
    /// The anchor image's reference.
    pub(crate) image: String,
}

/// Writes the gate into `data` and imports the anchor image, each unless it is there.
pub(crate) async fn provide(docker: &Docker, data: &Path) -> Result<Anchor, EngineError> {
    let gate = crate::gate::BINARY;
    let mut hash = hex::encode(Sha256::digest(gate));
    hash.truncate(HASH_LEN);
    let gate_file = data.join(format!("gate-{hash}"));
    write_gate(&gate_file, gate).map_err(EngineError::io("write the gate binary"))?;
    let image = format!("{REPOSITORY}:{hash}");
    import_once(docker, &image, gate).await?;
    Ok(Anchor { gate_file, image })
}

/// By rename, so that a reader never sees half of it, and with the length as the check that it is whole.
fn write_gate(file: &Path, gate: &[u8]) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    if std::fs::metadata(file).is_ok_and(|there| there.len() == gate.len() as u64) {
        return Ok(());
    }
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let fresh = tempfile::NamedTempFile::new_in(folder)?;
    std::fs::write(fresh.path(), gate)?;
    std::fs::set_permissions(fresh.path(), std::fs::Permissions::from_mode(0o755))?;
    fresh.persist(file).map_err(|error| error.error)?;
    Ok(())
}

async fn import_once(docker: &Docker, image: &str, gate: &[u8]) -> Result<(), EngineError> {
    match docker.inspect_image(image).await {
        Ok(_) => return Ok(()),
        Err(error) => match EngineError::of("look for the anchor image", error) {
            error if error.is_gone() => {}
            other => return Err(other),
        },
    }
    let tar = image_tar(gate).map_err(EngineError::io("pack the anchor image"))?;
    let (repo, tag) = image.split_once(':').unwrap_or((image, "latest"));
    let options = CreateImageOptions {
        from_src: Some("-".into()),
        repo: Some(repo.into()),
        tag: Some(tag.into()),
        ..CreateImageOptions::default()
    };
    let mut steps = docker.create_image(Some(options), Some(bollard::body_full(tar.into())), None);
    while let Some(step) = steps.next().await {
        step.map_err(|error| EngineError::of("import the anchor image", error))?;
    }
    Ok(())
}

/// A root file system with the gate alone, and the folder that each anchor's own is bound over.
fn image_tar(gate: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    for folder in [".drover/", ".drover/run/"] {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_mode(0o755);
        header.set_size(0);
        tar.append_data(&mut header, folder, std::io::empty())?;
    }
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o755);
    header.set_size(gate.len() as u64);
    tar.append_data(&mut header, ".drover/gate", gate)?;
    tar.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_anchor_image_holds_the_gate_and_nothing_else() {
        let tar = image_tar(b"binary").unwrap();
        let mut archive = tar::Archive::new(tar.as_slice());
        let entries: Vec<String> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                format!(
                    "{} {:o} {}",
                    entry.path().unwrap().display(),
                    entry.header().mode().unwrap(),
                    entry.size()
                )
            })
            .collect();
        assert_eq!(entries, [".drover/ 755 0", ".drover/run/ 755 0", ".drover/gate 755 6"]);
    }
}
