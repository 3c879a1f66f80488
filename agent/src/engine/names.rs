//! Names that images have for the time of a push. All jobs share one engine, and everybody looks images up by name
//! there; so what is built has no name but while it is sent, and then the name means again what it meant before.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bollard::query_parameters::RemoveImageOptions;
use job_specs::images::{familiar, is_reserved};
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

use super::connect::Engine;
use super::error::EngineError;
use super::login::Login;
use super::push::Pushed;
use crate::files::{read_note, write_note};
use crate::lock::lock;

/// Notes of names that are given away just now, in the agent's data folder.
const FOLDER: &str = "pushing";

/// Who holds a name: one who gives it away, or any number who look it up.
#[derive(Default)]
pub(crate) struct Names(Mutex<BTreeMap<String, Arc<RwLock<()>>>>);

/// A name of the engine that an image has while it is pushed.
#[derive(Debug, Serialize, Deserialize)]
struct ReservedName {
    reference: String,
    /// What it is given to.
    image: String,
    /// What it meant before.
    before: Option<String>,
}

impl Names {
    /// Waits until nobody else holds the name, and takes it for an image.
    async fn reserve(&self, name: &str) -> OwnedRwLockWriteGuard<()> {
        self.lock(name).write_owned().await
    }

    /// Waits until nobody gives the name away: meanwhile it means an image that is not for everybody.
    pub(crate) async fn look_up(&self, name: &str) -> OwnedRwLockReadGuard<()> {
        self.lock(name).read_owned().await
    }

    fn lock(&self, name: &str) -> Arc<RwLock<()>> {
        let mut names = lock(&self.0);
        names.retain(|_, lock| Arc::strong_count(lock) > 1);
        names.entry(name.to_owned()).or_default().clone()
    }
}

impl Engine {
    /// Sends the image to a registry under that name, which it has here no longer than that takes.
    ///
    /// # Errors
    /// As [`Engine::push`]; `NotAllowed`: the name is not one that a job may push to from here.
    pub async fn push_as(&self, image: &str, reference: &str, login: Option<&Login>) -> Result<Pushed, EngineError> {
        if is_reserved(reference) {
            return Err(EngineError::NotAllowed {
                detail: format!("`{reference}` is a name of the agent's own"),
            });
        }
        self.may_ask_registry(reference).await?;
        // in a task of its own: whoever gives the push up must not leave the name behind
        let (engine, image, reference) = (self.clone(), image.to_owned(), reference.to_owned());
        let login = login.cloned();
        let (given_up, gone) = tokio::sync::oneshot::channel::<()>();
        let (done, result) = tokio::sync::oneshot::channel();
        self.spawn(async move {
            let _held = engine.inner.names.reserve(&familiar(&reference)).await;
            let pushed = engine.push_reserved(&image, &reference, login.as_ref(), gone).await;
            let _ = done.send(pushed); // whoever asked may be gone
        });
        let pushed = result.await.map_err(|_| EngineError::Stopping)?;
        drop(given_up);
        pushed
    }

    async fn push_reserved(
        &self,
        image: &str,
        reference: &str,
        login: Option<&Login>,
        given_up: tokio::sync::oneshot::Receiver<()>,
    ) -> Result<Pushed, EngineError> {
        let reserved = ReservedName {
            reference: reference.to_owned(),
            image: image.to_owned(),
            before: self.id_of(reference).await?,
        };
        let folder = self.inner.config.data.join(FOLDER);
        let note = folder.join(uuid::Uuid::now_v7().simple().to_string());
        let noted = std::fs::create_dir_all(&folder).and_then(|()| write_note(&note, &reserved));
        noted.map_err(EngineError::io("note a name that is given away"))?;
        // never given up half-way: the engine could give the name after we took it back
        let pushed = match self.tag(image, reference).await {
            Ok(()) => tokio::select! {
                pushed = self.push(reference, login) => pushed,
                _ = given_up => Err(EngineError::Stopping),
            },
            Err(error) => Err(error),
        };
        match self.take_back(&reserved).await {
            Ok(()) => {
                let _ = std::fs::remove_file(&note); // read again at the next start, it does no harm
            }
            Err(error) => tracing::warn!(reference, %error, "a name cannot be taken back from an image yet"),
        }
        pushed
    }

    /// Names that the agent gave away before its restart mean again what they meant before.
    pub(crate) async fn take_names_back(&self) {
        let folder = self.inner.config.data.join(FOLDER);
        for note in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if let Some(reserved) = read_note::<ReservedName>(&note.path())
                && let Err(error) = self.take_back(&reserved).await
            {
                tracing::warn!(reference = reserved.reference, %error, "a name cannot be taken back from an image");
                continue;
            }
            let _ = std::fs::remove_file(note.path());
        }
    }

    async fn take_back(&self, reserved: &ReservedName) -> Result<(), EngineError> {
        if self.id_of(&reserved.reference).await?.as_deref() != Some(reserved.image.as_str()) {
            return Ok(()); // it was never given, or somebody else has it by now
        }
        match &reserved.before {
            Some(before) if *before == reserved.image => Ok(()),
            Some(before) => self.tag(before, &reserved.reference).await,
            None => {
                // an image that loses its last name is removed, and with it what the next build would use again; one
                // that loses it to another image is not
                self.tag(self.anchor_image(), &reserved.reference).await?;
                let options = RemoveImageOptions {
                    noprune: true,
                    ..RemoveImageOptions::default()
                };
                let removed = self
                    .docker()
                    .remove_image(&reserved.reference, Some(options), None)
                    .await;
                removed.map_err(|error| EngineError::of("take a name from an image", error))?;
                Ok(())
            }
        }
    }

    async fn id_of(&self, reference: &str) -> Result<Option<String>, EngineError> {
        Ok(self.named_image(reference).await?.map(|image| image.id.clone()))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn nobody_looks_a_name_up_while_it_is_given_away() {
        let names = Names::default();
        let given = names.reserve("app:1").await;
        assert!(names.look_up("app:1").now_or_never().is_none());
        assert!(names.look_up("app:2").now_or_never().is_some());
        drop(given);
        let looked_up = names.look_up("app:1").await;
        assert!(names.look_up("app:1").now_or_never().is_some());
        assert!(names.reserve("app:1").now_or_never().is_none());
        drop(looked_up);
        assert!(names.reserve("app:1").now_or_never().is_some());
    }
}
