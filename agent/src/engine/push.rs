//! Names for images, and sending them to registries.

use bollard::models::PushImageInfo;
use bollard::query_parameters::{ListImagesOptions, PushImageOptions, RemoveImageOptions, TagImageOptions};
use futures_util::StreamExt;

use super::connect::Engine;
use super::error::EngineError;
use super::labels;
use super::login::{Login, registry_of};
use super::pull::{PullFault, name_and_tag};
use super::raw::Credentials;
use super::sweep::{Owned, OwnedKind};

/// What was pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// `sha256:…` of its manifest, by which the registry knows it.
    pub digest: String,
    /// Layers that were sent.
    pub sent: usize,
    /// Layers that the registry had already.
    pub there: usize,
}

impl Engine {
    /// Gives the image a further name.
    pub async fn tag(&self, image: &str, reference: &str) -> Result<(), EngineError> {
        let (name, tag) = name_and_tag(reference);
        let options = TagImageOptions {
            repo: Some(name.to_owned()),
            tag: Some(tag.to_owned()),
        };
        let tagged = self.docker().tag_image(image, Some(options)).await;
        tagged.map_err(|error| EngineError::of_container("name an image", error))
    }

    /// Sends the image of that name to its registry. Dropping the future stops it.
    ///
    /// # Errors
    /// `ImageRefused` and `ImageNotFound` are the registry's no; `Registry`: it does not answer.
    pub async fn push(&self, reference: &str, login: Option<&Login>) -> Result<Pushed, EngineError> {
        let (name, tag) = name_and_tag(reference);
        let options = PushImageOptions {
            tag: Some(tag.to_owned()),
            ..PushImageOptions::default()
        };
        // an engine wants the header also when nobody in particular pushes
        let credentials = login.map(|login| login.credentials(registry_of(reference)));
        let credentials = Credentials::One(credentials.unwrap_or_default());
        let path = format!("/images/{name}/push");
        let mut messages = self
            .inner
            .raw
            .post::<PushImageInfo>(&path, &options, &credentials, None);
        let mut pushed = Pushed {
            digest: String::new(),
            sent: 0,
            there: 0,
        };
        while let Some(news) = messages.next().await {
            let news = news.map_err(|error| PullFault::of_client(error).into_error(reference))?;
            note(&mut pushed, &news);
        }
        if pushed.digest.is_empty() {
            return Err(EngineError::Registry {
                image: reference.to_owned(),
                detail: "the engine ended the push without a digest".into(),
            });
        }
        Ok(pushed)
    }

    /// Removes the images that were built for the owner that this label names, except those that have a name. What they
    /// were built from stays, for the next build, unless the code was not trusted.
    pub async fn remove_images_of(&self, label: &str, value: &str) -> Result<(), EngineError> {
        for owned in nameless(self.docker(), self.own_with(label, value)).await? {
            remove(self.docker(), &owned).await?;
        }
        Ok(())
    }
}

/// `1.2: digest: sha256:… size: 1234` comes last.
fn note(pushed: &mut Pushed, news: &PushImageInfo) {
    let Some(status) = news.status.as_deref() else { return };
    match status {
        "Pushed" => pushed.sent += 1,
        "Layer already exists" => pushed.there += 1,
        _ if status.starts_with("Mounted from") => pushed.there += 1,
        _ => {
            let digest = status
                .split_once("digest: ")
                .and_then(|(_, rest)| rest.split(' ').next());
            if let Some(digest) = digest {
                pushed.digest = digest.to_owned();
            }
        }
    }
}

/// Images that carry all these labels and have no name.
pub(crate) async fn nameless(docker: &bollard::Docker, labels: Vec<String>) -> Result<Vec<Owned>, EngineError> {
    let options = ListImagesOptions {
        filters: Some(std::collections::HashMap::from([
            ("label".to_owned(), labels),
            ("dangling".to_owned(), vec!["true".to_owned()]),
        ])),
        ..ListImagesOptions::default()
    };
    let images = docker.list_images(Some(options)).await;
    let images = images.map_err(|error| EngineError::of("list images", error))?;
    let images = images.into_iter();
    let owned = images.map(|image| Owned::new(OwnedKind::Image, Some(image.id), Some(image.labels)));
    Ok(owned.collect())
}

/// Removes an image, and what it was built from only when nobody else may use that; one that is gone is fine.
pub(crate) async fn remove(docker: &bollard::Docker, image: &Owned) -> Result<(), EngineError> {
    let options = RemoveImageOptions {
        force: false,
        noprune: !image.labels.contains_key(labels::UNTRUSTED),
        platforms: None,
    };
    let removed = docker.remove_image(&image.id, Some(options), None).await;
    match removed.map_err(|error| EngineError::of("remove an image", error)) {
        Err(error) if error.is_gone() => Ok(()),
        other => other.map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_comes_last() {
        let mut pushed = Pushed {
            digest: String::new(),
            sent: 0,
            there: 0,
        };
        for status in [
            "The push refers to repository [r.example/app]",
            "Preparing",
            "Pushed",
            "Layer already exists",
            "1: digest: sha256:ab size: 528",
        ] {
            let news = PushImageInfo {
                status: Some(status.into()),
                ..PushImageInfo::default()
            };
            note(&mut pushed, &news);
        }
        assert_eq!((pushed.digest.as_str(), pushed.sent, pushed.there), ("sha256:ab", 1, 1));
    }
}
