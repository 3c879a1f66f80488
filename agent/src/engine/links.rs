//! Links in a container that is made and does not run yet: how a file of one folder is found under another name,
//! whatever the container's user may write to.

use bollard::query_parameters::UploadToContainerOptions;

use super::connect::Engine;
use super::error::EngineError;
use super::plan::ContainerId;

impl Engine {
    /// Puts symbolic links into a container: (where, to what), both absolute. Folders around them are made when
    /// missing; a file that is there already is replaced.
    pub async fn put_links(&self, id: &ContainerId, links: &[(String, String)]) -> Result<(), EngineError> {
        let tar = links_tar(links).map_err(EngineError::io("pack the links of a container"))?;
        let options = UploadToContainerOptions {
            path: "/".into(),
            ..UploadToContainerOptions::default()
        };
        let put = self
            .docker()
            .upload_to_container(&id.0, Some(options), bollard::body_full(tar.into()));
        put.await
            .map_err(|error| EngineError::of_container("put links into a container", error))
    }
}

fn links_tar(links: &[(String, String)]) -> std::io::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    for (place, target) in links {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_mode(0o777);
        header.set_size(0);
        tar.append_link(&mut header, place.trim_start_matches('/'), target)?;
    }
    tar.into_inner()
}
