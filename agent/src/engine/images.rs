//! Images: here already, or pulled once for all who ask.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bollard::models::{HealthConfig, ImageInspect};
use bollard::query_parameters::CreateImageOptions;
use futures_util::StreamExt;
use job_specs::images::familiar;
use tokio::sync::watch;

use super::connect::Engine;
use super::error::EngineError;
use super::login::{Login, registry_of};
use super::plan::EngineHealth;
use super::pull::{Layers, PullFault, PullProgress, name_and_tag};
use super::raw::Credentials;

/// What an image says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageInfo {
    /// `sha256:…`; containers are made of this, so a tag that moves meanwhile changes nothing.
    pub id: String,
    /// ENTRYPOINT.
    pub entrypoint: Vec<String>,
    /// CMD.
    pub cmd: Vec<String>,
    /// ENV, `NAME=value`.
    pub env: Vec<String>,
    /// USER; empty: root.
    pub user: String,
    /// WORKDIR; empty: `/`.
    pub workdir: String,
    /// EXPOSEd TCP ports, ascending.
    pub tcp_ports: Vec<u16>,
    /// STOPSIGNAL, as written: `SIGINT`, `3`.
    pub stop_signal: Option<String>,
    /// HEALTHCHECK.
    pub health: Option<ImageHealth>,
    /// What it runs on: `linux/amd64`, `linux/arm/v7`.
    pub platform: String,
    /// ONBUILD: what a build does first that begins with it.
    pub on_build: Vec<String>,
}

/// An image that somebody needs, and how it may be had. `ImageRequest::of(reference)` is the usual.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ImageRequest {
    /// Its name.
    pub reference: String,
    /// For what; `None`: whatever the registry says for this machine.
    pub platform: Option<String>,
    /// When it is fetched.
    pub fetch: Fetch,
}

/// When an image is fetched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Fetch {
    /// When it is not here.
    #[default]
    Missing,
    /// Each time.
    Always,
    /// Not at all.
    Never,
}

impl ImageRequest {
    /// That image, fetched when it is not here.
    pub fn of(reference: impl Into<String>) -> ImageRequest {
        ImageRequest {
            reference: reference.into(),
            platform: None,
            fetch: Fetch::Missing,
        }
    }
}

/// One pull; who wants the same at the same time waits for the same. A pull with a login is for those who have it.
#[derive(Clone, PartialEq, Eq, Hash)]
struct PullKey {
    reference: String,
    platform: Option<String>,
    login: Option<(String, String)>,
}

/// HEALTHCHECK of an image, in the engine's own form, its defaults filled in.
pub type ImageHealth = EngineHealth;

/// The images that were seen, and the pulls under way.
#[derive(Default)]
pub(crate) struct Images {
    by_id: Mutex<HashMap<String, Arc<ImageInfo>>>,
    pulls: Mutex<HashMap<PullKey, watch::Receiver<Pull>>>,
}

#[derive(Debug, Clone, Default)]
struct Pull {
    progress: PullProgress,
    end: Option<Result<(), PullFault>>,
}

impl Engine {
    /// The image when it is here, else pulls it; callers that want the same one at the same time share one pull, and
    /// each is told its progress. A pull goes on when its callers are gone.
    pub async fn ensure_image(
        &self,
        reference: &str,
        on_progress: impl FnMut(PullProgress) + Send,
    ) -> Result<Arc<ImageInfo>, EngineError> {
        self.obtain_image(&ImageRequest::of(reference), None, on_progress).await
    }

    /// As [`Engine::ensure_image`], by the want's own rules and with that login at the registry.
    pub async fn obtain_image(
        &self,
        request: &ImageRequest,
        login: Option<&Login>,
        mut on_progress: impl FnMut(PullProgress) + Send,
    ) -> Result<Arc<ImageInfo>, EngineError> {
        match (self.fitting_image(request).await?, request.fetch) {
            (Some(image), Fetch::Missing | Fetch::Never) => return Ok(image),
            (None, Fetch::Never) => {
                return Err(EngineError::ImageNotFound {
                    image: request.reference.clone(),
                    detail: "it is not on this machine, and `pull_policy: never` says not to fetch it".into(),
                });
            }
            (_, Fetch::Always) | (None, Fetch::Missing) => {}
        }
        let mut pull = self.join_pull(request, login);
        loop {
            let Pull { progress, end } = pull.borrow_and_update().clone();
            match end {
                None => on_progress(progress),
                Some(Ok(())) => break,
                Some(Err(fault)) => return Err(fault.into_error(&request.reference)),
            }
            if pull.changed().await.is_err() {
                return Err(EngineError::Stopping);
            }
        }
        let pulled = self.named_image(&request.reference).await?;
        pulled.ok_or_else(|| EngineError::Registry {
            image: request.reference.clone(),
            detail: "it was pulled and is gone again".into(),
        })
    }

    /// An image that is here for certain, by its id: one that was built.
    pub async fn image(&self, id: &str) -> Result<Arc<ImageInfo>, EngineError> {
        let inspected = self.inspected(id).await?;
        let image = inspected.ok_or_else(|| EngineError::gone("look at an image", id))?;
        Ok(self.noted(image))
    }

    /// The image of that name when it is here for the platform that is wanted.
    pub(crate) async fn fitting_image(&self, request: &ImageRequest) -> Result<Option<Arc<ImageInfo>>, EngineError> {
        let here = self.named_image(&request.reference).await?;
        Ok(here.filter(|image| image.runs_on(request.platform.as_deref())))
    }

    /// The image of that name when it is here. Engines take the beginning of an id for a name as well: that is none.
    pub(crate) async fn named_image(&self, reference: &str) -> Result<Option<Arc<ImageInfo>>, EngineError> {
        let inspected = self.inspected(reference).await?;
        Ok(inspected
            .filter(|image| has_name(image, reference))
            .map(|image| self.noted(image)))
    }

    fn noted(&self, inspected: ImageInspect) -> Arc<ImageInfo> {
        let mut by_id = self.inner.images.by_id.lock().expect("no panic while held");
        let id = inspected.id.clone().unwrap_or_default();
        let image = by_id.entry(id).or_insert_with(|| Arc::new(image_info(inspected)));
        image.clone()
    }

    async fn inspected(&self, reference: &str) -> Result<Option<ImageInspect>, EngineError> {
        let inspected = self.docker().inspect_image(reference).await;
        match inspected.map_err(|error| EngineError::of("inspect an image", error)) {
            Ok(inspected) => Ok(Some(inspected)),
            Err(error) if error.is_gone() => Ok(None),
            Err(EngineError::Other { detail, .. }) if detail.contains("invalid reference") => {
                Err(PullFault::NotFound(detail).into_error(reference))
            }
            Err(other) => Err(other),
        }
    }

    /// The pull of that image that is under way, or a new one.
    fn join_pull(&self, request: &ImageRequest, login: Option<&Login>) -> watch::Receiver<Pull> {
        let key = PullKey {
            reference: request.reference.clone(),
            platform: request.platform.clone(),
            login: login.map(|login| (login.user.clone(), login.password.0.clone())),
        };
        let mut pulls = self.inner.images.pulls.lock().expect("no panic while held");
        if let Some(pull) = pulls.get(&key) {
            return pull.clone();
        }
        let (sender, receiver) = watch::channel(Pull::default());
        pulls.insert(key.clone(), receiver.clone());
        let (engine, request, login) = (self.clone(), request.clone(), login.cloned());
        self.inner.tasks.spawn(async move {
            let stop = engine.inner.stop.clone();
            let pull = engine.pull(&request, login.as_ref(), &sender);
            let end = stop.run_until_cancelled(pull).await;
            let mut pulls = engine.inner.images.pulls.lock().expect("no panic while held");
            pulls.remove(&key);
            drop(pulls);
            if let Some(end) = end {
                sender.send_modify(|pull| pull.end = Some(end));
            }
        });
        receiver
    }

    async fn pull(
        &self,
        request: &ImageRequest,
        login: Option<&Login>,
        sender: &watch::Sender<Pull>,
    ) -> Result<(), PullFault> {
        let (name, tag) = name_and_tag(&request.reference);
        let options = CreateImageOptions {
            from_image: Some(name.to_owned()),
            tag: Some(tag.to_owned()),
            platform: request.platform.clone().unwrap_or_default(),
            ..CreateImageOptions::default()
        };
        let mut steps = match login {
            None => self.docker().create_image(Some(options), None, None).boxed(),
            Some(login) => {
                let credentials = Credentials::One(login.credentials(registry_of(&request.reference)));
                let raw = &self.inner.raw;
                raw.post("/images/create", &options, &credentials, None).boxed()
            }
        };
        let mut layers = Layers::default();
        while let Some(step) = steps.next().await {
            let step = step.map_err(PullFault::of_client)?;
            layers.note(&step);
            let progress = layers.progress();
            sender.send_if_modified(|pull| std::mem::replace(&mut pull.progress, progress) != progress);
        }
        Ok(())
    }
}

impl ImageInfo {
    /// `linux/arm64` is what `linux/arm64/v8` runs on too.
    fn runs_on(&self, platform: Option<&str>) -> bool {
        let begins = |long: &str, short: &str| long.strip_prefix(short).is_some_and(|rest| rest.starts_with('/'));
        platform.is_none_or(|asked| {
            let is = self.platform.as_str();
            asked == is || begins(is, asked) || begins(asked, is)
        })
    }
}

fn image_info(image: ImageInspect) -> ImageInfo {
    let config = image.config.unwrap_or_default();
    let mut tcp_ports: Vec<u16> = config
        .exposed_ports
        .unwrap_or_default()
        .iter()
        .filter_map(|p| tcp_port(p))
        .collect();
    tcp_ports.sort_unstable();
    let mut platform = format!(
        "{}/{}",
        image.os.unwrap_or_default(),
        image.architecture.unwrap_or_default()
    );
    if let Some(variant) = image.variant.filter(|variant| !variant.is_empty()) {
        platform = format!("{platform}/{variant}");
    }
    ImageInfo {
        id: image.id.unwrap_or_default(),
        entrypoint: config.entrypoint.unwrap_or_default(),
        cmd: config.cmd.unwrap_or_default(),
        env: config.env.unwrap_or_default(),
        user: config.user.unwrap_or_default(),
        workdir: config.working_dir.unwrap_or_default(),
        tcp_ports,
        stop_signal: config.stop_signal,
        health: config.healthcheck.and_then(image_health),
        platform,
        on_build: config.on_build.unwrap_or_default(),
    }
}

/// Among the image's names is that one. Some engines write out what others leave away.
fn has_name(image: &ImageInspect, reference: &str) -> bool {
    let wanted = familiar(reference);
    let names = image.repo_tags.iter().chain(&image.repo_digests).flatten();
    names
        .map(|name| name.strip_prefix("localhost/").unwrap_or(name))
        .any(|name| familiar(name) == wanted)
}

/// `5432/tcp` or `5432`.
fn tcp_port(exposed: &str) -> Option<u16> {
    match exposed.split_once('/') {
        Some((port, "tcp")) => port.parse().ok(),
        Some(_) => None,
        None => exposed.parse().ok(),
    }
}

/// 0 means the engine's default: every 30 s, 30 s each, three times.
fn image_health(health: HealthConfig) -> Option<ImageHealth> {
    let test = health.test.unwrap_or_default();
    if test.len() < 2 {
        return None; // [] inherits nothing, ["NONE"] switches off
    }
    let millis = |nanos: Option<i64>, default: u64| match nanos {
        Some(nanos) if nanos > 0 => (nanos / 1_000_000).unsigned_abs(),
        _ => default,
    };
    Some(ImageHealth {
        test,
        interval_ms: millis(health.interval, 30_000),
        timeout_ms: millis(health.timeout, 30_000),
        retries: health
            .retries
            .filter(|n| *n > 0)
            .and_then(|n| u32::try_from(n).ok())
            .unwrap_or(3),
        start_period_ms: millis(health.start_period, 0),
        start_interval_ms: millis(health.start_interval, EngineHealth::START_INTERVAL_MS),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::ImageConfig;

    #[test]
    fn an_image_is_read_with_the_engine_s_defaults() {
        let info = image_info(ImageInspect {
            id: Some("sha256:1".into()),
            config: Some(ImageConfig {
                entrypoint: Some(vec!["docker-entrypoint.sh".into()]),
                exposed_ports: Some(vec!["9092/tcp".into(), "53/udp".into(), "80".into()]),
                healthcheck: Some(HealthConfig {
                    test: Some(vec!["CMD-SHELL".into(), "true".into()]),
                    interval: Some(500_000_000),
                    ..HealthConfig::default()
                }),
                ..ImageConfig::default()
            }),
            ..ImageInspect::default()
        });
        assert_eq!(info.tcp_ports, [80, 9092]);
        assert_eq!(
            info.health,
            Some(ImageHealth {
                test: vec!["CMD-SHELL".into(), "true".into()],
                interval_ms: 500,
                timeout_ms: 30_000,
                retries: 3,
                start_period_ms: 0,
                start_interval_ms: 5_000,
            })
        );
    }

    #[test]
    fn a_healthcheck_that_is_switched_off_is_none() {
        let off = HealthConfig {
            test: Some(vec!["NONE".into()]),
            ..HealthConfig::default()
        };
        assert_eq!(image_health(off), None);
    }
}
