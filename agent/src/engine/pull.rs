//! One pull: its progress over all layers, and what its errors mean. Pure; [`super::images`] does the talking.

use std::collections::HashMap;

use bollard::errors::Error as ClientError;
use bollard::models::CreateImageInfo;

use super::error::EngineError;

/// Where a pull stands, over all layers that are known so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PullProgress {
    /// Bytes that are here.
    pub bytes: u64,
    /// Bytes of the layers whose size is known.
    pub total_bytes: u64,
    /// Layers that are complete.
    pub layers_done: usize,
    /// Layers in all.
    pub layers: usize,
}

/// Adds up what the engine says of each layer.
#[derive(Debug, Default)]
pub(crate) struct Layers(HashMap<String, Layer>);

#[derive(Debug, Default)]
struct Layer {
    bytes: u64,
    total: u64,
    done: bool,
}

impl Layers {
    pub(crate) fn note(&mut self, info: &CreateImageInfo) {
        let (Some(id), Some(status)) = (&info.id, &info.status) else {
            return;
        };
        if status.starts_with("Pulling from") {
            return; // here the id is the tag
        }
        let layer = self.0.entry(id.clone()).or_default();
        match status.as_str() {
            "Downloading" => {
                let detail = info.progress_detail.clone().unwrap_or_default();
                layer.bytes = detail.current.unwrap_or(0).try_into().unwrap_or(0);
                layer.total = detail.total.unwrap_or(0).try_into().unwrap_or(0);
            }
            "Verifying Checksum" | "Download complete" | "Extracting" => layer.bytes = layer.total,
            "Pull complete" | "Already exists" => {
                layer.bytes = layer.total;
                layer.done = true;
            }
            _ => {} // Pulling fs layer, Waiting
        }
    }

    pub(crate) fn progress(&self) -> PullProgress {
        PullProgress {
            bytes: self.0.values().map(|layer| layer.bytes).sum(),
            total_bytes: self.0.values().map(|layer| layer.total).sum(),
            layers_done: self.0.values().filter(|layer| layer.done).count(),
            layers: self.0.len(),
        }
    }
}

/// Why a pull failed; shared by all who wait for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PullFault {
    NotFound(String),
    Refused(String),
    Registry(String),
}

impl PullFault {
    /// What the client library says; the engine's own words are in it.
    pub(crate) fn of_client(error: ClientError) -> PullFault {
        match error {
            ClientError::DockerResponseServerError { message, .. } => PullFault::of(&message),
            ClientError::DockerStreamError { error } => PullFault::of(&error),
            other => PullFault::Registry(other.to_string()),
        }
    }

    /// The engine says that it cannot reach the registry.
    pub(crate) fn of_network(message: &str) -> bool {
        const TRANSPORT: [&str; 9] = [
            "dial tcp",
            "no such host",
            "timeout",
            "connection re",
            "tls: ",
            "x509",
            "eof",
            "toomanyrequests",
            "too many requests",
        ];
        let lower = message.to_lowercase();
        TRANSPORT.iter().any(|word| lower.contains(word))
    }

    /// Reads the engine's words: it passes a registry's errors on as text only.
    pub(crate) fn of(message: &str) -> PullFault {
        const MISSING: [&str; 7] = [
            "not found",
            "unknown",
            "does not exist",
            "no matching manifest",
            "invalid reference format",
            "must be lowercase",
            "invalid repository name",
        ];
        const REFUSED: [&str; 4] = ["unauthorized", "denied", "authentication required", "no basic auth"];
        let lower = message.to_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
        let message = message.trim().to_owned();
        if PullFault::of_network(&message) {
            PullFault::Registry(message)
        } else if says(&MISSING) {
            PullFault::NotFound(message)
        } else if says(&REFUSED) {
            PullFault::Refused(message)
        } else {
            PullFault::Registry(message)
        }
    }

    pub(crate) fn into_error(self, image: &str) -> EngineError {
        let image = image.to_owned();
        match self {
            PullFault::NotFound(detail) => EngineError::ImageNotFound { image, detail },
            PullFault::Refused(detail) => EngineError::ImageRefused { image, detail },
            PullFault::Registry(detail) => EngineError::Registry { image, detail },
        }
    }
}

/// `name` and `tag` for the engine's pull, which takes every tag of a name without one. A digest stands in the
/// tag's place.
pub(crate) fn name_and_tag(reference: &str) -> (&str, &str) {
    if let Some((name, digest)) = reference.split_once('@') {
        return (name, digest);
    }
    match reference.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (reference, "latest"), // a colon before the last slash is a registry's port
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::ProgressDetail;

    fn info(id: &str, status: &str, detail: Option<(i64, i64)>) -> CreateImageInfo {
        CreateImageInfo {
            id: Some(id.into()),
            status: Some(status.into()),
            progress_detail: detail.map(|(current, total)| ProgressDetail {
                current: Some(current),
                total: Some(total),
            }),
            ..CreateImageInfo::default()
        }
    }

    #[test]
    fn progress_is_the_sum_over_the_layers() {
        let mut layers = Layers::default();
        for step in [
            info("latest", "Pulling from library/x", None),
            info("a", "Already exists", None),
            info("b", "Pulling fs layer", None),
            info("c", "Waiting", None),
            info("b", "Downloading", Some((30, 100))),
            info("c", "Downloading", Some((5, 10))),
            info("c", "Download complete", None),
            info("c", "Extracting", Some((1, 10))),
        ] {
            layers.note(&step);
        }
        assert_eq!(
            layers.progress(),
            PullProgress {
                bytes: 40,
                total_bytes: 110,
                layers_done: 1,
                layers: 3
            }
        );
    }

    #[test]
    fn the_user_s_mistakes_are_distinguished_from_the_network_s() {
        let kinds: Vec<String> = [
            "manifest for localhost:5000/nope:1 not found: manifest unknown: manifest unknown",
            "pull access denied for nope, repository does not exist or may require 'docker login'",
            "invalid reference format: repository name must be lowercase",
            "Head \"https://r.example/v2/x/manifests/1\": unauthorized: authentication required",
            "Get \"https://registry-1.docker.io/v2/\": dial tcp: lookup registry-1.docker.io: no such host",
            "Get \"http://localhost:1/v2/\": dial tcp 127.0.0.1:1: connect: connection refused",
            "toomanyrequests: You have reached your pull rate limit",
        ]
        .iter()
        .map(|message| {
            format!("{:?}", PullFault::of(message))
                .split('(')
                .next()
                .unwrap_or_default()
                .to_owned()
        })
        .collect();
        assert_eq!(
            kinds,
            [
                "NotFound", "NotFound", "NotFound", "Refused", "Registry", "Registry", "Registry"
            ]
        );
    }

    #[test]
    fn a_reference_without_a_tag_means_latest() {
        assert_eq!(name_and_tag("busybox"), ("busybox", "latest"));
        assert_eq!(name_and_tag("postgres:15"), ("postgres", "15"));
        assert_eq!(name_and_tag("localhost:5000/x"), ("localhost:5000/x", "latest"));
        assert_eq!(name_and_tag("localhost:5000/x:2"), ("localhost:5000/x", "2"));
        assert_eq!(name_and_tag("x@sha256:ab"), ("x", "sha256:ab"));
    }
}
