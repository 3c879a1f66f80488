//! The verbs on named volumes. Nameless ones come and go with their container.

use std::collections::HashMap;

use bollard::query_parameters::{ListVolumesOptions, RemoveVolumeOptions};

use super::connect::Engine;
use super::convert;
use super::error::EngineError;
use super::labels::{self, Labels};

impl Engine {
    /// Makes a volume of that name; one that is there already is taken as it is.
    pub async fn create_volume(&self, name: &str, labels: &Labels) -> Result<(), EngineError> {
        let body = convert::volume_body(name, labels, &self.inner.config.agent);
        let created = self.docker().create_volume(body).await;
        created
            .map(drop)
            .map_err(|error| EngineError::of("create a volume", error))
    }

    /// Removes every volume of that stack; its containers must be gone.
    pub async fn remove_volumes_of(&self, stack: &str) -> Result<(), EngineError> {
        let mine = self.own_with(labels::STACK, stack);
        let filters = Some(HashMap::from([("label".to_owned(), mine)]));
        let found = self.docker().list_volumes(Some(ListVolumesOptions { filters })).await;
        let found = found.map_err(|error| EngineError::of("list volumes", error))?;
        for volume in found.volumes.unwrap_or_default() {
            remove(self.docker(), &volume.name).await?;
        }
        Ok(())
    }
}

/// Removes a volume; one that is gone is fine.
pub(crate) async fn remove(docker: &bollard::Docker, name: &str) -> Result<(), EngineError> {
    let options = RemoveVolumeOptions { force: true };
    let removed = docker.remove_volume(name, Some(options)).await;
    match removed.map_err(|error| EngineError::of("remove a volume", error)) {
        Err(error) if error.is_gone() => Ok(()),
        other => other,
    }
}
