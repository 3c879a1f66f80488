//! The tools that change something: run a build again, cancel one, trigger one. They are there with `--write` only.

use std::collections::BTreeMap;

use protocol::api::{MadeBuild, Rerun, RerunJobs, Trigger};
use reqwest::Method;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::answer::Answer;
use super::tool::{Call, Effect};
use crate::client::{Client, segment};

/// `rerun_build`
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RerunBuild {
    /// The build's number.
    build: i64,
    /// Only its jobs that did not pass; all of them when left out.
    #[serde(default)]
    failed_only: bool,
}

impl Call for RerunBuild {
    const NAME: &'static str = "rerun_build";
    const TITLE: &'static str = "Run a build again";
    const DESCRIPTION: &'static str = "Makes a new build of the same commit and job file; answers with its number.";
    const EFFECT: Effect = Effect::Adds;

    async fn answer(self, client: &Client) -> anyhow::Result<Answer> {
        let which = match self.failed_only {
            true => RerunJobs::Failed,
            false => RerunJobs::All,
        };
        let made: MadeBuild = client
            .post(&format!("/builds/{}/rerun", self.build), &Rerun { which })
            .await?;
        let said = format!("Build {} runs build {} again: {}", made.number, self.build, made.url);
        Ok(Answer::ours(said).structured(serde_json::to_value(made)?))
    }
}

/// `cancel_build`
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelBuild {
    /// The build's number.
    build: i64,
}

impl Call for CancelBuild {
    const NAME: &'static str = "cancel_build";
    const TITLE: &'static str = "Cancel a build";
    const DESCRIPTION: &'static str = "Stops a build: jobs that wait at once, jobs that run as soon as their agents \
        hear of it, and removes what its jobs retain.";
    const EFFECT: Effect = Effect::Ends;

    async fn answer(self, client: &Client) -> anyhow::Result<Answer> {
        let path = format!("/builds/{}/cancel", self.build);
        client.call(Method::POST, &path, &json!({})).await?;
        Ok(Answer::ours(format!("Build {} is being cancelled.", self.build)))
    }
}

/// `trigger_build`
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TriggerBuild {
    /// The repository's name.
    repository: String,
    /// Branch, tag, full reference or full commit id; the default branch when left out.
    #[serde(rename = "ref")]
    reference: Option<String>,
    /// Values of the job file's inputs; those that are left out have their defaults.
    #[serde(default)]
    inputs: BTreeMap<String, String>,
}

impl Call for TriggerBuild {
    const NAME: &'static str = "trigger_build";
    const TITLE: &'static str = "Trigger a build";
    const DESCRIPTION: &'static str =
        "Builds what a branch, tag or commit of a repository is now; answers with the build's number.";
    const EFFECT: Effect = Effect::Adds;

    async fn answer(self, client: &Client) -> anyhow::Result<Answer> {
        let path = format!("/repositories/{}/trigger", segment(&self.repository));
        let body = Trigger {
            reference: self.reference,
            inputs: self.inputs,
        };
        let made: MadeBuild = client.post(&path, &body).await?;
        let said = format!("Build {}: {}", made.number, made.url);
        Ok(Answer::ours(said).structured(serde_json::to_value(made)?))
    }
}
