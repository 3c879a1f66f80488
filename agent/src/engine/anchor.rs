//! The gate as a file on the host (bound into steps and services) and as an image that holds nothing else (for
//! anchors). Both are named by the binary's content, so versions never mix and nothing is made twice.

use std::path::{Path, PathBuf};

use bollard::Docker;
use bollard::models::ImageInspect;
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
    /// The anchor image's id.
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
    let image = import_once(docker, &image, gate).await?;
    Ok(Anchor { gate_file, image })
}

/// By rename, so that a reader never sees half of it.
fn write_gate(file: &Path, gate: &[u8]) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    if std::fs::read(file).is_ok_and(|there| there == gate) {
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

/// The id of an image with this content alone: the one of that name if that is it, else one that is made now. A name
/// can be given to anything.
async fn import_once(docker: &Docker, image: &str, gate: &[u8]) -> Result<String, EngineError> {
    let tar = image_tar(gate).map_err(EngineError::io("pack the anchor image"))?;
    let layer = format!("sha256:{}", hex::encode(Sha256::digest(&tar)));
    let found = docker.inspect_image(image).await;
    match found.map_err(|error| EngineError::of("look for the anchor image", error)) {
        Ok(found) if is_anchor(&found, &layer) => return Ok(found.id.unwrap_or_default()),
        Ok(found) => tracing::warn!(image, id = found.id, "something else has the name of the anchor image"),
        Err(error) if error.is_gone() => {}
        Err(other) => return Err(other),
    }
    let (repo, tag) = image.split_once(':').unwrap_or((image, "latest"));
    let options = CreateImageOptions {
        from_src: Some("-".into()),
        repo: Some(repo.into()),
        tag: Some(tag.into()),
        ..CreateImageOptions::default()
    };
    let mut id = None;
    let mut steps = docker.create_image(Some(options), Some(bollard::body_full(tar.into())), None);
    while let Some(step) = steps.next().await {
        let step = step.map_err(|error| EngineError::of("import the anchor image", error))?;
        id = step.status.filter(|status| status.starts_with("sha256:")).or(id);
    }
    id.ok_or_else(|| EngineError::other("import the anchor image", "the engine does not say its id"))
}

/// It holds what we put in, and says nothing about how it is to be run. Some engines write an empty list, name or check
/// where nothing was said, and a search path.
fn is_anchor(image: &ImageInspect, layer: &str) -> bool {
    let layers = image.root_fs.as_ref().and_then(|files| files.layers.as_deref());
    let says = image.config.as_ref().is_some_and(|config| {
        let some = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|list| !list.is_empty());
        let named = |name: &Option<String>| name.as_ref().is_some_and(|name| !name.is_empty());
        let variables = config.env.iter().flatten().any(|set| !set.starts_with("PATH="));
        let health = config.healthcheck.as_ref().is_some_and(|check| some(&check.test));
        let lists = [&config.volumes, &config.on_build, &config.entrypoint, &config.cmd];
        lists.into_iter().any(some)
            || [&config.user, &config.working_dir, &config.stop_signal]
                .into_iter()
                .any(named)
            || variables
            || health
    });
    layers == Some(&[layer.to_owned()]) && !says
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

    #[test]
    fn only_an_image_with_our_content_and_no_will_of_its_own_is_an_anchor() {
        use bollard::models::{HealthConfig, ImageConfig, ImageInspectRootFs};
        let image = |layers: &[&str], config: ImageConfig| ImageInspect {
            root_fs: Some(ImageInspectRootFs {
                layers: Some(layers.iter().map(|layer| (*layer).to_owned()).collect()),
                ..ImageInspectRootFs::default()
            }),
            config: Some(config),
            ..ImageInspect::default()
        };
        let plain = ImageConfig::default;
        let words = || Some(vec!["x".to_owned()]);
        assert!(is_anchor(&image(&["sha256:1"], plain()), "sha256:1"));
        let path = ImageConfig {
            env: Some(vec!["PATH=/bin".into()]),
            user: Some(String::new()),
            ..plain()
        };
        assert!(is_anchor(&image(&["sha256:1"], path), "sha256:1"));
        let telling = [
            ImageConfig {
                entrypoint: words(),
                ..plain()
            },
            ImageConfig {
                volumes: words(),
                ..plain()
            },
            ImageConfig {
                env: Some(vec!["LD_PRELOAD=/x".into()]),
                ..plain()
            },
            ImageConfig {
                user: Some("1000".into()),
                ..plain()
            },
            ImageConfig {
                healthcheck: Some(HealthConfig {
                    test: words(),
                    ..HealthConfig::default()
                }),
                ..plain()
            },
        ];
        let others = [
            image(&["sha256:2"], plain()),
            image(&["sha256:1", "sha256:2"], plain()),
            image(&[], plain()),
            ImageInspect::default(),
        ];
        for other in others
            .into_iter()
            .chain(telling.map(|config| image(&["sha256:1"], config)))
        {
            assert!(!is_anchor(&other, "sha256:1"), "{other:?}");
        }
    }
}
