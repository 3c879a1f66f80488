//! Images made here, from a folder of a workspace by a Dockerfile: for services with `build` and for steps that build
//! an image. The engine does the building; here is decided what it is sent and what its answer means.
//!
//! # Layout
//! `context` what is sent · `ignore` what is not · `sources` what a Dockerfile fetches · `fetch` whether it may ·
//! `instructions` what it says · `dockerfile` where in it the build stands · [`built`] what an attempt has built.

pub mod built;
mod context;
mod dockerfile;
mod fetch;
mod ignore;
mod instructions;
mod sources;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use job_specs::model::BuildSpec;

use self::context::Context;
use self::dockerfile::Progress;
use self::ignore::Ignore;
use crate::beneath;
use crate::engine::labels::Labels;
use crate::engine::{BuildNews, BuildPlan, Engine, EngineError, ImageUser, Limits, Logins, Network};

/// An image to be built.
#[derive(Debug, Clone)]
pub struct Build<'a> {
    /// As the job file says.
    pub spec: &'a BuildSpec,
    /// The workspace on this machine.
    pub workspace: &'a Path,
    /// Whose it is, when it is to go with its owner; empty: nobody's.
    pub owner: Labels,
    /// What its commands are connected to, when the code is trusted; else they have a network of their own, or none.
    pub network: Network,
    /// For base images.
    pub logins: Logins,
    /// Whose code it is.
    pub who: ImageUser,
    /// Images that the same attempt has built, by their familiar names.
    pub own: BTreeMap<String, String>,
    /// What it may use.
    pub limits: Limits,
}

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The user's: context, Dockerfile or one of its commands. A sentence without its subject's name.
    #[error("{0}")]
    Failed(String),
    /// Ours.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl Build<'_> {
    /// Builds it; its id. What the builder says is told as it comes. Dropping the future stops the build.
    pub async fn run(&self, engine: &Engine, mut log: impl FnMut(&str) + Send) -> Result<String, BuildError> {
        let (mut context, text) = self.context().map_err(BuildError::Failed)?;
        let name = match &self.spec.dockerfile_inline {
            Some(_) => "dockerfile_inline".to_owned(),
            None => context.dockerfile.display().to_string(),
        };
        let written = self.check(engine, &text, &name, &mut log).await?;
        if let Some(text) = written.text {
            context.inline = Some(text);
            context.dockerfile = PathBuf::from(context::INLINE);
        }
        let network = self.network(engine).await?;
        let mut plan = self.plan(&context);
        plan.network = network.as_network();
        let (stream, packing) = context.stream();
        let mut progress = Progress::default();
        let built = engine.build(&plan, stream, |news| match news {
            BuildNews::Output(output) => {
                progress.note(output);
                if !is_chatter(output) {
                    log(output);
                }
            }
            BuildNews::Note(note) => log(&format!("{note}\n")),
        });
        let built = built.await;
        drop(network);
        let error = match built {
            Ok(id) if self.owner.is_empty() || !self.who.trusted => return Ok(id),
            Ok(id) => return Ok(engine.mark(&id, &self.owner).await?),
            Err(error) => error,
        };
        match packing.await {
            Ok(Err(packed)) if packed.kind() != io::ErrorKind::BrokenPipe => {
                let context = &self.spec.context;
                Err(BuildError::Failed(format!(
                    "its context `{context}` cannot be read: {packed}"
                )))
            }
            _ => Err(judge(error, &progress, &name, &written.instructions)),
        }
    }

    /// What is sent, and the Dockerfile's text.
    fn context(&self) -> Result<(Context, String), String> {
        let BuildSpec {
            context,
            dockerfile,
            dockerfile_inline,
            ..
        } = self.spec;
        let context = if context.is_empty() { "." } else { context };
        let found = beneath::open(self.workspace, Path::new(context)).map_err(|error| {
            let why = match error.kind() {
                io::ErrorKind::NotFound => "is not in the workspace".to_owned(),
                io::ErrorKind::CrossesDevices => "leads out of the workspace by a link".to_owned(),
                _ => format!("cannot be opened: {error}"),
            };
            format!("its context `{context}` {why}")
        })?;
        let unreadable = |name: &str, error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => format!("there is no `{name}` in its context `{context}`"),
            io::ErrorKind::NotADirectory => format!("its context `{context}` is not a folder"),
            io::ErrorKind::CrossesDevices => format!("`{name}` leads out of its context `{context}`"),
            _ => format!("`{name}` in its context `{context}` cannot be read: {error}"),
        };
        let file = dockerfile.as_deref().unwrap_or("Dockerfile");
        let text = match dockerfile_inline {
            Some(text) => text.clone(),
            None => context::read_text(&found.file, Path::new(file)).map_err(|error| unreadable(file, error))?,
        };
        let ignore_text = context::ignore_text(&found.file).map_err(|error| unreadable(".dockerignore", error))?;
        let whole = Context {
            ignore: Ignore::of(&ignore_text)?,
            ignore_text,
            folder: found.file,
            dockerfile: match dockerfile_inline {
                Some(_) => PathBuf::from(context::INLINE),
                None => plain(Path::new(file)),
            },
            inline: dockerfile_inline.clone(),
        };
        Ok((whole, text))
    }

    fn plan(&self, context: &Context) -> BuildPlan {
        let spec = self.spec;
        let theirs = spec.labels.iter().filter(|(name, _)| !name.starts_with("drover."));
        BuildPlan {
            dockerfile: context.dockerfile.to_string_lossy().into_owned(),
            args: self.arguments(),
            target: spec.target.clone(),
            labels: theirs.map(|(name, value)| (name.clone(), value.clone())).collect(),
            no_cache: spec.no_cache || !self.who.trusted,
            pull: spec.pull && self.own.is_empty(),
            platform: spec.platform.clone(),
            network: self.network.clone(),
            logins: self.logins.clone(),
            limits: self.limits,
        }
    }
}

/// The engine's own containers and images of a build mean nothing to anybody.
fn is_chatter(output: &str) -> bool {
    let id = |text: &str| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let output = output.trim();
    output.starts_with("Removing intermediate container ")
        || output.starts_with("---> Running in ")
        || output.strip_prefix("---> ").is_some_and(id)
}

/// `./a//Dockerfile` is `a/Dockerfile`.
fn plain(path: &Path) -> PathBuf {
    path.components()
        .filter(|part| !matches!(part, std::path::Component::CurDir))
        .collect()
}

/// The builder's no is the user's, unless a registry could not be reached.
fn judge(error: EngineError, progress: &Progress, dockerfile: &str, written: &[(usize, String)]) -> BuildError {
    let EngineError::BuildFailed { detail } = error else {
        return BuildError::Engine(error);
    };
    let detail = detail.trim();
    let place = progress.place(dockerfile, written);
    if progress.is_at_base()
        && let Some(unreachable) = EngineError::of_base_image(detail)
    {
        return BuildError::Engine(unreachable);
    }
    BuildError::Failed(match place {
        Some(place) => format!("{place}: {detail}"),
        None => format!("`{dockerfile}`: {detail}"),
    })
}
