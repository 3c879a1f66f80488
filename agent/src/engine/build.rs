//! Building an image by the engine's own builder: the context goes in as a tar stream, what the builder says comes out
//! as it comes. What is built is said by [`crate::build`].

use std::io;

use bollard::models::BuildInfo;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use serde::Serialize;

use super::build_group::BuildGroup;
use super::connect::Engine;
use super::convert::DEFAULT_PIDS;
use super::error::EngineError;
use super::labels::{self, Labels};
use super::login::Logins;
use super::plan::{Limits, Network};
use super::raw::Credentials;

/// Over this time processors are shared out.
const CPU_PERIOD_US: u64 = 100_000;

/// An image to be built.
#[derive(Debug, Clone, Default)]
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
    /// What its commands may use.
    pub limits: Limits,
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
        let limits = self.allowed(plan.limits);
        let group = self.build_group(limits.pids.unwrap_or(DEFAULT_PIDS)).await;
        let mut query = Query::of(plan, limits);
        query.cgroupparent = group.as_ref().map(BuildGroup::as_parent);
        let credentials = plan
            .logins
            .credentials()
            .map_or(Credentials::Nobody, Credentials::Several);
        let body = reqwest::Body::wrap_stream(context);
        let mut messages = self
            .inner
            .raw
            .post::<BuildInfo>("/build", &query, &credentials, Some(body));
        let mut id = None;
        while let Some(news) = messages.next().await {
            let news = news.map_err(of_build)?;
            forward(&news, &mut on_news);
            id = news.aux.and_then(|aux| aux.id).or(id);
        }
        if let Some(group) = group {
            group.end();
        }
        id.ok_or_else(|| EngineError::other("build an image", "the engine ended the build without an image"))
    }

    /// An image like that one, marked as the agent's and with these labels: it is swept when nobody keeps its owner
    /// and it has no name. Its id.
    pub async fn mark(&self, image: &str, owner: &Labels) -> Result<String, EngineError> {
        let mut labels = owner.clone();
        labels.insert(labels::AGENT.into(), self.inner.config.agent.clone());
        // the builder's own way to set labels makes an image for each
        let dockerfile = format!("FROM {image}\n{}\n", labels::instruction(&labels));
        let context = tar_of("Dockerfile", &dockerfile).map_err(EngineError::io("pack a context"))?;
        let plan = BuildPlan {
            dockerfile: "Dockerfile".into(),
            no_cache: true,
            ..BuildPlan::default()
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

/// What the engine is asked, by our own hand: the client library has no room for more than 2 GiB of memory.
#[derive(Serialize)]
struct Query {
    dockerfile: String,
    buildargs: Option<String>,
    labels: Option<String>,
    target: String,
    nocache: bool,
    pull: Option<&'static str>,
    platform: String,
    networkmode: String,
    rm: bool,
    forcerm: bool,
    memory: Option<u64>,
    memswap: Option<u64>,
    cgroupparent: Option<String>,
    cpuperiod: Option<u64>,
    cpuquota: Option<u64>,
}

impl Query {
    fn of(plan: &BuildPlan, limits: Limits) -> Query {
        let map = |map: &Labels| (!map.is_empty()).then(|| serde_json::to_string(map).unwrap_or_default());
        Query {
            dockerfile: plan.dockerfile.clone(),
            buildargs: map(&plan.args),
            labels: map(&plan.labels),
            target: plan.target.clone().unwrap_or_default(),
            nocache: plan.no_cache,
            pull: plan.pull.then_some("1"),
            platform: plan.platform.clone().unwrap_or_default(),
            networkmode: match &plan.network {
                Network::Join(container) => format!("container:{}", container.0),
                Network::On { network, .. } => network.0.clone(),
                Network::None => "none".into(),
            },
            rm: true,
            forcerm: true,
            memory: limits.memory_bytes,
            memswap: limits.memory_bytes, // the sum of both: no swap
            cgroupparent: None,
            cpuperiod: limits.cpu_millis.map(|_| CPU_PERIOD_US),
            cpuquota: limits
                .cpu_millis
                .map(|millis| millis.saturating_mul(CPU_PERIOD_US / 1000)),
        }
    }
}

/// Of what is said about base images only begin and end: a line for each piece of a layer helps nobody.
fn forward(news: &BuildInfo, on_news: &mut impl FnMut(BuildNews<'_>)) {
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
