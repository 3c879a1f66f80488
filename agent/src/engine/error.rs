//! What can go wrong with the engine. The kinds are those by which callers decide: the user's mistake or our trouble,
//! gone already or still in the way.

use std::fmt::Display;

use bollard::errors::Error as ClientError;

use super::pull::PullFault;
use crate::gate::GateError;

/// An error of the engine or on the way to it.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// No engine answers at the socket.
    #[error("no container engine answers at {socket}: {detail}")]
    Unreachable {
        /// Where it was looked for.
        socket: String,
        /// What happened.
        detail: String,
    },
    /// The image is neither here nor in its registry, or its name is none.
    #[error("image `{image}` does not exist: {detail}")]
    ImageNotFound {
        /// As it was asked for.
        image: String,
        /// The registry's words.
        detail: String,
    },
    /// The registry wants a login, or another one.
    #[error("the registry refuses image `{image}`: {detail}")]
    ImageRefused {
        /// As it was asked for.
        image: String,
        /// The registry's words.
        detail: String,
    },
    /// The registry does not answer, or breaks off.
    #[error("image `{image}` cannot be pulled: {detail}")]
    Registry {
        /// As it was asked for.
        image: String,
        /// What happened.
        detail: String,
    },
    /// The engine does not know it (any more).
    #[error("{what}: there is no such thing: {detail}")]
    NoSuchObject {
        /// What was tried.
        what: &'static str,
        /// The engine's words.
        detail: String,
    },
    /// It is in a state that does not allow this, or somebody else is at it.
    #[error("{what}: in conflict: {detail}")]
    Conflict {
        /// What was tried.
        what: &'static str,
        /// The engine's words.
        detail: String,
    },
    /// The engine took the container but cannot start it as asked (no such user, bad mount, …).
    #[error("the container cannot be started: {detail}")]
    CannotStart {
        /// The engine's words.
        detail: String,
    },
    /// The image cannot be built from what the builder was given.
    #[error("the image cannot be built: {detail}")]
    BuildFailed {
        /// The builder's words.
        detail: String,
    },
    /// The machine's owner does not let jobs have it.
    #[error("{detail}")]
    NotAllowed {
        /// What, why, and what to do.
        detail: String,
    },
    /// Another answer of the engine, or none.
    #[error("{what}: {detail}")]
    Other {
        /// What was tried.
        what: &'static str,
        /// The engine's words.
        detail: String,
    },
    /// The gate inside a container cannot be reached or breaks the rules.
    #[error("gate: {0}")]
    Gate(String),
    /// A file or folder of the agent.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// Why not.
        source: std::io::Error,
    },
    /// The agent is stopping.
    #[error("the agent is stopping")]
    Stopping,
}

/// The engine says 500 to these, although somebody wrote them into a job file.
fn is_about_the_file(message: &str) -> bool {
    const WORDS: [&str; 6] = [
        "unable to find user",
        "sysctl",
        "rlimit",
        "seccomp",
        "not a directory: unknown",
        "no matching entries in passwd",
    ];
    WORDS.iter().any(|word| message.contains(word))
}

impl EngineError {
    /// The user's mistake (a wrong image, a user that does not exist): the job *failed*. Else we *errored*.
    pub fn is_users(&self) -> bool {
        match self {
            EngineError::ImageNotFound { .. }
            | EngineError::ImageRefused { .. }
            | EngineError::BuildFailed { .. }
            | EngineError::NotAllowed { .. }
            | EngineError::CannotStart { .. } => true,
            EngineError::Unreachable { .. }
            | EngineError::Registry { .. }
            | EngineError::NoSuchObject { .. }
            | EngineError::Conflict { .. }
            | EngineError::Other { .. }
            | EngineError::Gate(_)
            | EngineError::Io { .. }
            | EngineError::Stopping => false,
        }
    }

    /// It is gone: what was to be removed or ended needs nothing more.
    pub fn is_gone(&self) -> bool {
        matches!(self, EngineError::NoSuchObject { .. })
    }

    /// The container is not running: it has ended, or was not started yet.
    pub fn is_not_running(&self) -> bool {
        matches!(self, EngineError::Conflict { detail, .. } if detail.contains("is not running"))
    }

    /// Something still uses it, for a moment: a container of the image builder that was told to stop goes by itself.
    pub fn is_in_use(&self) -> bool {
        matches!(self, EngineError::Other { detail, .. } if detail.contains("has active endpoints"))
    }

    /// What the client library says about trying `what`.
    pub(crate) fn of(what: &'static str, error: ClientError) -> EngineError {
        match error {
            ClientError::DockerResponseServerError { status_code, message } => match status_code {
                404 => EngineError::gone(what, message),
                409 => EngineError::Conflict { what, detail: message },
                _ => EngineError::other(what, message),
            },
            ClientError::SocketNotFoundError(socket) => EngineError::Unreachable {
                socket,
                detail: "no such socket".into(),
            },
            other => EngineError::other(what, other),
        }
    }

    /// As [`EngineError::of`], for making and starting a container: what the engine calls a bad parameter came from
    /// the job file.
    pub(crate) fn of_container(what: &'static str, error: ClientError) -> EngineError {
        match error {
            ClientError::DockerResponseServerError {
                status_code: 400,
                message,
            } => EngineError::CannotStart { detail: message },
            ClientError::DockerResponseServerError { message, .. } if is_about_the_file(&message) => {
                EngineError::CannotStart { detail: message }
            }
            other => EngineError::of(what, other),
        }
    }

    /// A builder cannot get a base image: our trouble when its registry cannot be reached, else `None`.
    pub(crate) fn of_base_image(message: &str) -> Option<EngineError> {
        PullFault::of_network(message).then(|| EngineError::Registry {
            image: "the base image".into(),
            detail: message.to_owned(),
        })
    }

    /// An error on a file or folder of the agent.
    pub(crate) fn io(what: &'static str) -> impl FnOnce(std::io::Error) -> EngineError {
        move |source| EngineError::Io { what, source }
    }

    /// [`EngineError::NoSuchObject`].
    pub(crate) fn gone(what: &'static str, detail: impl Display) -> EngineError {
        let detail = detail.to_string();
        EngineError::NoSuchObject { what, detail }
    }

    /// [`EngineError::Other`].
    pub(crate) fn other(what: &'static str, detail: impl Display) -> EngineError {
        let detail = detail.to_string();
        EngineError::Other { what, detail }
    }
}

impl From<GateError> for EngineError {
    fn from(error: GateError) -> EngineError {
        EngineError::Gate(error.to_string())
    }
}
