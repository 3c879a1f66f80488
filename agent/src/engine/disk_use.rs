//! What the containers of an attempt take on the engine's disk: what they wrote to their own file systems, and the
//! volumes that they use. The engine counts the former; it counts volumes only together with everything else that it
//! has, so those are counted here where their folders can be seen.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use bollard::models::{ContainerSummary, MountPoint};
use bollard::query_parameters::{ListContainersOptions, ListNetworksOptions};
use serde::Deserialize;

use super::connect::Engine;
use super::error::EngineError;
use super::labels;
use super::plan::NetworkId;
use crate::disk;

/// What an attempt takes on the engine's disk, bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EngineDiskUse {
    /// What containers wrote to their own file systems; those of builds included.
    pub containers: u64,
    /// The volumes of its containers.
    pub volumes: u64,
}

/// Of the engine's own count, what is needed here; by the engine's version the volumes are in either place.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Counted {
    volumes: Option<Vec<CountedVolume>>,
    volume_usage: Option<CountedVolumes>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CountedVolumes {
    items: Option<Vec<CountedVolume>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CountedVolume {
    name: String,
    usage_data: Option<CountedBytes>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CountedBytes {
    /// -1: not known.
    size: i64,
}

impl Engine {
    /// Bytes that one job may have on the disk: its workspace, its containers and their volumes. `None`: any number.
    pub fn disk_limit(&self) -> Option<u64> {
        self.config().limits.disk_bytes.filter(|bytes| *bytes > 0)
    }

    /// Counts what the attempt takes; builds stand on `network`, or on one of the attempt's own. The engine and this process walk through all of it: not to be done often.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub async fn disk_use(&self, attempt: &str, network: Option<&NetworkId>) -> Result<EngineDiskUse, EngineError> {
        let label = labels::filter(labels::ATTEMPT, attempt);
        let mut found = self.sized(("label", label.clone())).await?;
        // the builder's containers carry no label
        let filters = Some(HashMap::from([("label".to_owned(), vec![label])]));
        let networks = self.docker().list_networks(Some(ListNetworksOptions { filters })).await;
        let networks = networks.map_err(|error| EngineError::of("list networks", error))?;
        let own = networks.into_iter().filter_map(|network| network.id);
        for id in own.chain(network.map(|network| network.0.clone())) {
            found.extend(self.sized(("network", id)).await?);
        }
        let by_id: BTreeMap<_, _> = found.into_iter().map(|found| (found.id.clone(), found)).collect();
        let written = by_id.values().filter_map(|container| container.size_rw);
        Ok(EngineDiskUse {
            containers: written.filter_map(|bytes| u64::try_from(bytes).ok()).sum(),
            volumes: self.volumes(by_id.values()).await?,
        })
    }

    /// Containers that the filter finds, with what they wrote.
    async fn sized(&self, (filter, value): (&str, String)) -> Result<Vec<ContainerSummary>, EngineError> {
        let options = ListContainersOptions {
            all: true,
            size: true,
            filters: Some(HashMap::from([(filter.to_owned(), vec![value])])),
            ..ListContainersOptions::default()
        };
        let found = self.docker().list_containers(Some(options)).await;
        found.map_err(|error| EngineError::of("list containers with their sizes", error))
    }

    async fn volumes(&self, of: impl Iterator<Item = &ContainerSummary>) -> Result<u64, EngineError> {
        let mounts = of.flat_map(|container| container.mounts.iter().flatten());
        let volumes: BTreeMap<String, PathBuf> = mounts.filter_map(volume).collect();
        if volumes.is_empty() {
            return Ok(0);
        }
        if volumes.values().all(|folder| folder.is_dir()) {
            let folders = volumes.into_values().collect();
            return Ok(disk::used(folders).await);
        }
        let counted = self.inner.raw.get::<Counted>("/system/df").await;
        let counted = counted.map_err(|error| EngineError::of("count what volumes take", error))?;
        let items = counted.volume_usage.and_then(|usage| usage.items);
        let sizes = items.or(counted.volumes).unwrap_or_default();
        let ours = sizes.into_iter().filter(|counted| volumes.contains_key(&counted.name));
        Ok(ours
            .filter_map(|counted| u64::try_from(counted.usage_data?.size).ok())
            .sum())
    }
}

/// A volume's name and its folder on the engine's machine.
fn volume(mount: &MountPoint) -> Option<(String, PathBuf)> {
    if mount.typ.as_deref() != Some("volume") {
        return None;
    }
    let folder = mount.source.as_deref().map(Path::new).unwrap_or(Path::new(""));
    Some((mount.name.clone()?, folder.to_owned()))
}
