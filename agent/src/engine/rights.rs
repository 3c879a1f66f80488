//! Whose images are whose. All jobs of an agent share one engine, so that an image is here does not mean that a job
//! may run it: what was fetched with a login is for those whom the registry lets have it, what was built is for the
//! attempt that built it (it has no name here), what the machine's owner put there is for whom its policy says. What was
//! fetched with which login stands in a file of the agent's data folder.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use job_specs::images::{familiar, is_reserved};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::connect::Engine;
use super::error::EngineError;
use super::images::{Fetch, ImageInfo, ImageRequest};
use super::login::Login;
use super::policy::HostImages;
use super::pull::PullProgress;
use crate::files::{read_note, write_whole};
use crate::lock::lock;

const FILE: &str = "images.json";

/// For whom something is done in the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageUser {
    /// Whose job.
    pub repository: String,
    /// Its code is trusted.
    pub trusted: bool,
}

/// What was fetched for jobs, by the image's familiar name.
pub(crate) struct Fetched {
    file: PathBuf,
    images: Mutex<BTreeMap<String, Entry>>,
}

/// One image that was fetched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    /// The image's id then; another one under this name is the machine owner's.
    id: String,
    /// Everybody may fetch it.
    public: bool,
    /// The repositories that have fetched it.
    repositories: BTreeSet<String>,
    /// The logins that have, by their hashes.
    logins: BTreeSet<String>,
}

/// What is to be done for a job that wants an image.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// It may have the one that is here.
    Have,
    /// The registry decides.
    Ask,
    /// It may not have it, and no registry is to be asked.
    Refuse,
}

impl Fetched {
    /// As it was noted in that folder; a note that makes no sense is no note: then the registries are asked again.
    pub(crate) fn open(data: &std::path::Path) -> Fetched {
        let file = data.join(FILE);
        Fetched {
            images: Mutex::new(read_note(&file).unwrap_or_default()),
            file,
        }
    }

    fn of(&self, name: &str, id: &str) -> Option<Entry> {
        let images = lock(&self.images);
        let named = images.get(name).filter(|entry| entry.id == id);
        // a digest is another name of what was fetched by a tag
        let by_digest = || images.values().find(|entry| name.contains('@') && entry.id == id);
        named.or_else(by_digest).cloned()
    }

    fn note(&self, name: &str, id: &str, user: &ImageUser, login: Option<&Login>) -> std::io::Result<()> {
        let mut images = lock(&self.images);
        let entry = images.entry(name.to_owned()).or_default();
        if entry.id != id {
            *entry = Entry {
                id: id.to_owned(),
                ..Entry::default()
            };
        }
        let before = entry.clone();
        entry.public |= login.is_none();
        if user.trusted {
            entry.repositories.insert(user.repository.clone());
        }
        entry.logins.extend(login.map(hash));
        if *entry == before {
            return Ok(());
        }
        let text = serde_json::to_vec_pretty(&*images)?;
        write_whole(&self.file, &text)
    }
}

/// What of a login is noted: not enough to use it.
fn hash(login: &Login) -> String {
    let mut hash = Sha256::new();
    for part in [&login.user, &login.password.0] {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    hex::encode(hash.finalize())
}

fn judge(entry: Option<&Entry>, user: &ImageUser, login: Option<&Login>, policy: HostImages, fetch: Fetch) -> Verdict {
    if fetch == Fetch::Always {
        return Verdict::Ask;
    }
    let may = match entry {
        Some(entry) => {
            let has_login = login.is_some_and(|login| entry.logins.contains(&hash(login)));
            entry.public || has_login || user.trusted && entry.repositories.contains(&user.repository)
        }
        None => match policy {
            HostImages::All => true,
            HostImages::Trusted => user.trusted,
            HostImages::Nobody => false,
        },
    };
    match (may, fetch) {
        (true, _) => Verdict::Have,
        (false, Fetch::Never) => Verdict::Refuse,
        (false, Fetch::Missing | Fetch::Always) => Verdict::Ask,
    }
}

impl Engine {
    /// The image for a job: the one that is here if the job may have it, else what its registry lets the job have.
    ///
    /// # Errors
    /// Besides those of [`Engine::obtain_image`]: `NotAllowed`.
    pub async fn image_for(
        &self,
        user: &ImageUser,
        request: &ImageRequest,
        login: Option<&Login>,
        on_progress: impl FnMut(PullProgress) + Send,
    ) -> Result<Arc<ImageInfo>, EngineError> {
        let reference = &request.reference;
        if is_reserved(reference) {
            return Err(EngineError::NotAllowed {
                detail: format!(
                    "the image `{reference}` is the agent's own: names that begin with `drover/` are reserved"
                ),
            });
        }
        let name = familiar(reference);
        // what is pushed under this name just now is not what the name means
        let _held = self.inner.names.look_up(&name).await;
        if let Some(here) = self.fitting_image(request).await? {
            let entry = self.inner.fetched.of(&name, &here.id);
            let policy = self.inner.config.policy.host_images;
            match judge(entry.as_ref(), user, login, policy, request.fetch) {
                Verdict::Have => return Ok(here),
                Verdict::Ask => {}
                Verdict::Refuse => {
                    return Err(EngineError::NotAllowed {
                        detail: format!(
                            "the image `{reference}` is on this machine, but not for this repository, and \
                             `pull_policy: never` says not to ask its registry"
                        ),
                    });
                }
            }
        }
        self.may_ask_registry(reference).await?;
        let fetch = match request.fetch {
            Fetch::Never => Fetch::Never,
            Fetch::Missing | Fetch::Always => Fetch::Always,
        };
        let request = ImageRequest {
            fetch,
            ..request.clone()
        };
        let image = self.obtain_image(&request, login, on_progress).await?;
        let noted = self.inner.fetched.note(&name, &image.id, user, login);
        noted.map_err(EngineError::io("note who may have an image"))?;
        Ok(image)
    }
}

#[cfg(test)]
mod tests {
    use protocol::work::SecretValue;

    use super::*;

    fn user(repository: &str, trusted: bool) -> ImageUser {
        ImageUser {
            repository: repository.into(),
            trusted,
        }
    }

    fn login(password: &str) -> Login {
        Login {
            user: "ci".into(),
            password: SecretValue(password.into()),
        }
    }

    #[test]
    fn what_was_fetched_with_a_login_is_for_those_who_have_it_or_fetched_it() {
        let folder = tempfile::tempdir().unwrap();
        let (mine, other) = (login("mine"), login("other"));
        Fetched::open(folder.path())
            .note("r.example/app:1", "sha256:1", &user("a", true), Some(&mine))
            .unwrap();
        let fetched = Fetched::open(folder.path());
        let ask = |user: &ImageUser, login: Option<&Login>, id: &str, fetch| {
            let entry = fetched.of("r.example/app:1", id);
            judge(entry.as_ref(), user, login, HostImages::All, fetch)
        };
        let missing = Fetch::Missing;
        assert_eq!(ask(&user("a", true), None, "sha256:1", missing), Verdict::Have);
        assert_eq!(ask(&user("b", true), Some(&mine), "sha256:1", missing), Verdict::Have);
        assert_eq!(ask(&user("b", true), Some(&other), "sha256:1", missing), Verdict::Ask);
        assert_eq!(ask(&user("b", true), None, "sha256:1", Fetch::Never), Verdict::Refuse);
        assert_eq!(
            ask(&user("a", false), None, "sha256:1", missing),
            Verdict::Ask,
            "a fork of it"
        );
        assert_eq!(
            ask(&user("b", true), None, "sha256:2", missing),
            Verdict::Have,
            "the owner's"
        );
        let by_digest = fetched.of("r.example/app@sha256:2", "sha256:1");
        assert_eq!(
            judge(by_digest.as_ref(), &user("b", true), None, HostImages::All, missing),
            Verdict::Ask,
            "by its digest"
        );
        let text = std::fs::read_to_string(folder.path().join(FILE)).unwrap();
        assert!(!text.contains("mine"), "{text}");
        fetched
            .note("r.example/app:1", "sha256:1", &user("b", false), None)
            .unwrap();
        assert_eq!(
            ask(&user("c", false), None, "sha256:1", missing),
            Verdict::Have,
            "public"
        );
    }

    #[test]
    fn images_of_the_machine_are_for_whom_its_owner_says() {
        let judge = |policy, trusted| judge(None, &user("a", trusted), None, policy, Fetch::Missing);
        assert_eq!(judge(HostImages::All, false), Verdict::Have);
        assert_eq!(judge(HostImages::Trusted, true), Verdict::Have);
        assert_eq!(judge(HostImages::Trusted, false), Verdict::Ask);
        assert_eq!(judge(HostImages::Nobody, true), Verdict::Ask);
    }
}
