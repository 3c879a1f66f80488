//! Building an image by the engine's own builder: the context goes in as a tar stream, what the builder says comes out
//! as it comes. What is built is said by [`crate::build`].

use std::collections::HashMap;
use std::io;

use bollard::models::BuildInfo;
use bollard::query_parameters::BuildImageOptions;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};

use super::connect::Engine;
use super::error::EngineError;
use super::labels::{self, Labels};
use super::login::Logins;
use super::plan::Network;
use super::raw::Credentials;

/// An image to be built.
#[derive(Debug, Clone)]
pub struct BuildPlan {
    /// The Dockerfile's path in the context.
    pub dockerfile: String,
    /// Build arguments.
    pub args: Labels,
    /// The stage to stop at.
    pub target: Option<String>,
    /// Labels of the image.
    pub labels: Labels,
    /// Nothing of an earlier build is used.
    pub no_cache: bool,
    /// Base images are asked for anew.
    pub pull: bool,
    /// `linux/amd64`
    pub platform: Option<String>,
    /// What its commands are connected to.
    pub network: Network,
    /// For base images.
    pub logins: Logins,
}

/// What the builder says.
#[derive(Debug)]
pub enum BuildNews<'a> {
    /// Output, as it comes.
    Output(&'a str),
    /// A line about a base image.
    Note(&'a str),
}

impl Engine {
    /// Builds it; its id. Dropping the future stops the build and removes its containers.
    ///
    /// # Errors
    /// `BuildFailed` with the builder's words when the builder refuses or a command fails; else the engine is in trouble.
    pub async fn build(
        &self,
        plan: &BuildPlan,
        context: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
        mut on_news: impl FnMut(BuildNews<'_>) + Send,
    ) -> Result<String, EngineError> {
        let options = build_options(plan);
        let mut told = match plan.logins.credentials() {
            None => {
                let body = bollard::body_try_stream(context);
                self.docker().build_image(options, None, Some(body)).boxed()
            }
            Some(logins) => {
                let body = reqwest::Body::wrap_stream(context);
                let raw = &self.inner.raw;
                raw.post("/build", &options, &Credentials::Several(logins), Some(body))
                    .boxed()
            }
        };
        let mut id = None;
        while let Some(news) = told.next().await {
            let news = news.map_err(of_build)?;
            tell(&news, &mut on_news);
            id = news.aux.and_then(|aux| aux.id).or(id);
        }
        id.ok_or_else(|| EngineError::Other {
            what: "build an image",
            detail: "the engine ended the build without an image".into(),
        })
    }

    /// An image like that one, marked as the agent's and with these labels: it is swept when nobody keeps its owner
    /// and it has no name. Its id.
    pub async fn mark(&self, image: &str, owner: &Labels) -> Result<String, EngineError> {
        let mut labels = owner.clone();
        labels.insert(labels::AGENT.into(), self.inner.config.agent.clone());
        // the builder's own way to set labels makes an image for each
        let quoted = |text: &str| {
            format!(
                "\"{}\"",
                text.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$")
            )
        };
        let pairs: Vec<String> = labels
            .iter()
            .map(|(name, value)| format!("{}={}", quoted(name), quoted(value)))
            .collect();
        let dockerfile = format!("FROM {image}\nLABEL {}\n", pairs.join(" "));
        let context = tar_of("Dockerfile", &dockerfile).map_err(EngineError::io("pack a context"))?;
        let plan = BuildPlan {
            dockerfile: "Dockerfile".into(),
            args: Labels::new(),
            target: None,
            labels: Labels::new(),
            no_cache: false,
            pull: false,
            platform: None,
            network: Network::None,
            logins: Logins::default(),
        };
        let context = futures_util::stream::iter([Ok(Bytes::from(context))]);
        self.build(&plan, context, |_| ()).await
    }
}

fn tar_of(name: &str, text: &str) -> io::Result<Vec<u8>> {
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(text.len() as u64);
    let mut tar = tar::Builder::new(Vec::new());
    tar.append_data(&mut header, name, text.as_bytes())?;
    tar.into_inner()
}

fn build_options(plan: &BuildPlan) -> BuildImageOptions {
    let map = |map: &Labels| -> Option<HashMap<String, String>> {
        Some(map.clone().into_iter().collect()).filter(|map: &HashMap<_, _>| !map.is_empty())
    };
    BuildImageOptions {
        dockerfile: plan.dockerfile.clone(),
        buildargs: map(&plan.args),
        labels: map(&plan.labels),
        target: plan.target.clone().unwrap_or_default(),
        nocache: plan.no_cache,
        pull: plan.pull.then(|| "1".to_owned()),
        platform: plan.platform.clone().unwrap_or_default(),
        networkmode: Some(match &plan.network {
            Network::Join(container) => format!("container:{}", container.0),
            Network::On { network, .. } => network.0.clone(),
            Network::None => "none".into(),
        }),
        rm: true,
        forcerm: true,
        ..BuildImageOptions::default()
    }
}

/// Of what is said about base images only begin and end: a line for each piece of a layer helps nobody.
fn tell(news: &BuildInfo, on_news: &mut impl FnMut(BuildNews<'_>)) {
    if let Some(output) = &news.stream {
        on_news(BuildNews::Output(output));
    }
    if let Some(status) = &news.status
        && (news.id.is_none() || status.starts_with("Pulling from"))
    {
        on_news(BuildNews::Note(status));
    }
}

/// What the builder says in its stream, or with a bad status, it says about what it was given.
fn of_build(error: bollard::errors::Error) -> EngineError {
    use bollard::errors::Error as Client;
    match error {
        Client::DockerStreamError { error } => EngineError::BuildFailed { detail: error },
        Client::DockerResponseServerError { message, .. } => EngineError::BuildFailed { detail: message },
        other => EngineError::of("build an image", other),
    }
}
