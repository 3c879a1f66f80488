//! One step of a job, every default filled in.

use serde::{Deserialize, Serialize};

use super::Env;

/// One step: a script, or an entrypoint, in its own throwaway container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StepSpec {
    /// Given, or the script's first line.
    pub name: String,
    /// What runs.
    pub action: StepAction,
    /// The image, always filled in.
    pub image: String,
    /// The step's own environment, over the job's.
    pub env: Env,
    /// The secrets that it receives, and how.
    pub secrets: Vec<SecretUse>,
    /// Working folder; relative ones are under `/workspace`. `None`: `/workspace`.
    pub workdir: Option<String>,
    /// `user`, `uid` or `uid:gid`. `None`: the image's.
    pub user: Option<String>,
    /// The step may take this long. `None`: the job's limit alone.
    pub timeout_secs: Option<u64>,
    /// When it runs, by how the job stands.
    pub when: WhenStatus,
    /// A failure of this step does not fail the job.
    pub allow_failure: bool,
    /// Its `when` (event, branch, tag, paths, matrix) does not hold: why, in one sentence. It is shown as skipped.
    pub skip: Option<String>,
    /// How often it is tried again, and after what.
    pub retry: Retry,
}

/// One item of a step's `secrets`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretUse {
    /// The secret's name in the repository.
    pub name: String,
    /// How the step gets it.
    pub into: SecretInto,
}

impl SecretUse {
    /// As an environment variable of the same name.
    pub fn env(name: impl Into<String>) -> SecretUse {
        let name = name.into();
        SecretUse {
            into: SecretInto::Env(name.clone()),
            name,
        }
    }
}

/// How the name of an ID token begins; no secret has a name with a space in it.
const ID_TOKEN: &str = "ID token for ";

impl SecretUse {
    /// The name of an ID token that is to be shown to `audience`.
    pub fn id_token(audience: &str) -> String {
        format!("{ID_TOKEN}{audience}")
    }

    /// To whom the ID token of that name is to be shown. `None`: it is the name of a secret.
    pub fn audience(name: &str) -> Option<&str> {
        name.strip_prefix(ID_TOKEN)
    }
}

impl From<&str> for SecretUse {
    fn from(name: &str) -> SecretUse {
        SecretUse::env(name)
    }
}

/// How a step gets a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretInto {
    /// In this environment variable.
    Env(String),
    /// In this file (absolute), readable by the step's user alone and kept in memory.
    File(String),
}

/// `retry` of a step or a job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// Tries after the first one; 0: none.
    pub max: u32,
    /// After what. Empty: whatever made it fail (a step), `infrastructure` (a job).
    pub on: Vec<RetryOn>,
}

/// One item of `retry.on`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryOn {
    /// We broke: agent, engine, registry, checkout.
    Infrastructure,
    /// The step ended with this code (`exit:75`).
    Exit(i32),
    /// A report names failed tests.
    Test,
    /// It ran longer than it may.
    Timeout,
    /// Whatever made it fail.
    Any,
}

/// An image that a step builds, names and perhaps pushes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ImageBuild {
    /// From what.
    pub build: super::BuildSpec,
    /// Its names, `registry.example/app:1.2`; at least one.
    pub tags: Vec<String>,
    /// All names are pushed to their registries.
    pub push: bool,
    /// Who pushes (and pulls base images of that registry). `None`: nobody in particular.
    pub login: Option<RegistryLogin>,
}

/// Credentials of a registry: a user and the secret that holds the password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistryLogin {
    /// The user's name.
    pub user: String,
    /// The name of the secret with the password or token.
    pub secret: String,
}

/// What a step runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepAction {
    /// A script for a shell of the image.
    Run {
        /// The text, as in the file.
        script: String,
        /// Which shell.
        shell: Shell,
    },
    /// An argument vector, without any shell.
    Entrypoint(Vec<String>),
    /// The engine builds an image; no container of the step's own.
    Image(Box<ImageBuild>),
}

impl Default for StepAction {
    fn default() -> Self {
        StepAction::Entrypoint(Vec::new())
    }
}

/// The shell of a `run`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shell {
    /// `sh -e`
    #[default]
    Sh,
    /// `bash -e -o pipefail`
    Bash,
}

/// The `when.status` of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhenStatus {
    /// It runs while every step before it went well.
    pub success: bool,
    /// It runs after a step failed (also after a timeout or a service's death).
    pub failure: bool,
}

impl Default for WhenStatus {
    fn default() -> Self {
        WhenStatus {
            success: true,
            failure: false,
        }
    }
}
