//! Whether a build may have what its Dockerfile fetches, and what is different for code that is not trusted: nothing of
//! it is left for others, and nothing of others reaches it.

use std::collections::BTreeMap;

use super::sources::{Base, Dockerfile, Fetch};
use super::{Build, BuildError};
use crate::engine::labels::{self, Labels};
use crate::engine::{Engine, EngineError, Fetch as When, ImageInfo, ImageRequest, Network, NetworkId};

/// Build arguments that every Dockerfile has and that no cache takes into account: by them a build could make others
/// use what it fetched elsewhere.
const PROXIES: [&str; 5] = ["HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"];

/// A Dockerfile as the builder gets it.
pub(super) struct Written {
    /// Its text, when it is not the one that stands in the context.
    pub(super) text: Option<String>,
    /// Its instructions, each with its line in the user's file.
    pub(super) instructions: Vec<(usize, String)>,
}

/// What a build's commands are connected to; a network of its own is removed with it.
pub(super) enum BuildNetwork<'a> {
    /// The job's, or none.
    Given(&'a Network),
    /// Its own.
    Own { engine: Engine, id: NetworkId },
}

impl BuildNetwork<'_> {
    pub(super) fn as_network(&self) -> Network {
        match self {
            BuildNetwork::Given(network) => (*network).clone(),
            BuildNetwork::Own { id, .. } => Network::on(id),
        }
    }
}

impl Drop for BuildNetwork<'_> {
    fn drop(&mut self) {
        let BuildNetwork::Own { engine, id } = self else {
            return;
        };
        let (remover, id) = (engine.clone(), id.clone());
        engine.spawn(async move {
            if let Err(error) = remover.remove_network(&id).await {
                tracing::warn!(%error, "the network of a build cannot be removed; the sweep will");
            }
        });
    }
}

impl Build<'_> {
    /// Looks at everything that the Dockerfile fetches, and fetches its base images.
    pub(super) async fn check(
        &self,
        engine: &Engine,
        text: &str,
        name: &str,
        log: &mut (impl FnMut(&str) + Send),
    ) -> Result<Written, BuildError> {
        let failed = |why: String| BuildError::Failed(format!("`{name}`: {why}"));
        let file = Dockerfile::read(text, &self.spec.args, self.spec.target.as_deref()).map_err(failed)?;
        let mut bases = BTreeMap::new();
        for image in file.images().map_err(failed)? {
            if self.own_base(&image.what).is_some() || bases.contains_key(&image.what) {
                continue;
            }
            let base = self.base(engine, &image, log).await;
            let base = base.map_err(|error| refusal(error, name, &image))?;
            bases.insert(image.what, known(&base));
        }
        for url in file.urls(&bases).map_err(failed)? {
            let may = match self.who.trusted {
                true => engine.may_fetch(&url.what).await,
                false => Err(EngineError::NotAllowed {
                    detail: format!(
                        "`ADD {}`: a build of code that is not trusted fetches nothing by `ADD`; fetch it in a step or in \
                         `RUN`",
                        url.what
                    ),
                }),
            };
            may.map_err(|error| refusal(error, name, &url))?;
        }
        let label = (!self.who.trusted).then(|| {
            let mut labels = self.owner.clone();
            labels.insert(labels::AGENT.into(), engine.config().agent.clone());
            labels.insert(labels::UNTRUSTED.into(), "true".into());
            labels::instruction(&labels)
        });
        self.written(&file, label.as_deref(), log).map_err(failed)
    }

    fn written(
        &self,
        file: &Dockerfile,
        label: Option<&str>,
        log: &mut (impl FnMut(&str) + Send),
    ) -> Result<Written, String> {
        if self.who.trusted && self.own.is_empty() {
            let instructions = file.instructions.iter();
            return Ok(Written {
                text: None,
                instructions: instructions.map(|one| (one.line, one.text.clone())).collect(),
            });
        }
        let dropped = self.spec.args.keys().filter(|name| !self.who.trusted && is_proxy(name));
        for name in dropped {
            log(&format!(
                "{name} is not passed to a build of code that is not trusted\n"
            ));
        }
        let (text, instructions) = file.rewritten(&self.own, label)?;
        Ok(Written {
            text: Some(text),
            instructions,
        })
    }

    /// The build arguments that it gets.
    pub(super) fn arguments(&self) -> Labels {
        let passed = self
            .spec
            .args
            .iter()
            .filter(|(name, _)| self.who.trusted || !is_proxy(name));
        passed.map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// The job's network could bring in what its services choose to say: code that is not trusted has its own.
    pub(super) async fn network(&self, engine: &Engine) -> Result<BuildNetwork<'_>, BuildError> {
        if self.who.trusted || self.network == Network::None {
            return Ok(BuildNetwork::Given(&self.network));
        }
        let name = format!("drover-build-{}", uuid::Uuid::now_v7().simple());
        let mut owner = self.owner.clone();
        owner.remove(labels::SANDBOX); // it is not the sandbox's network
        let id = engine.create_network(&name, &owner).await?;
        Ok(BuildNetwork::Own {
            engine: engine.clone(),
            id,
        })
    }

    fn own_base(&self, image: &str) -> Option<&String> {
        self.own.get(&job_specs::images::familiar(image))
    }

    async fn base(
        &self,
        engine: &Engine,
        image: &Fetch,
        log: &mut (impl FnMut(&str) + Send),
    ) -> Result<std::sync::Arc<ImageInfo>, EngineError> {
        let request = ImageRequest {
            reference: image.what.clone(),
            platform: self.spec.platform.clone(),
            fetch: if self.spec.pull { When::Always } else { When::Missing },
        };
        let mut pulling = false;
        let login = self.logins.of(&image.what);
        let on_progress = |_| {
            if !std::mem::replace(&mut pulling, true) {
                log(&format!("pulling base image {}\n", image.what));
            }
        };
        engine.image_for(&self.who, &request, login, on_progress).await
    }
}

fn known(image: &ImageInfo) -> Base {
    let env = image.env.iter().filter_map(|pair| pair.split_once('='));
    Base {
        env: env.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        triggers: image.on_build.clone(),
    }
}

fn is_proxy(name: &str) -> bool {
    PROXIES.iter().any(|proxy| name.eq_ignore_ascii_case(proxy))
}

/// The user's no with its place; trouble of ours stays ours.
fn refusal(error: EngineError, name: &str, fetch: &Fetch) -> BuildError {
    if !error.is_users() {
        return BuildError::Engine(error);
    }
    BuildError::Failed(format!("line {} of `{name}`: {error}", fetch.line))
}
