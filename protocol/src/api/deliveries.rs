//! Webhooks as they came, what they mean and what came of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::Micros;

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    /// To be processed, now or at its next try.
    Pending,
    /// Processed: it made a build, or there was nothing to build.
    Done,
    /// Given up.
    Failed,
}

/// One delivery.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Delivery {
    /// Its id.
    pub id: String,
    /// Name of its repository.
    pub repository: String,
    /// The forge's id of it.
    pub external_id: Option<String>,
    /// The forge's word for it: `push`.
    pub event: String,
    /// Where it stands.
    pub status: DeliveryStatus,
    /// How often it was tried.
    pub tries: i64,
    /// What came of it, or what is wrong.
    pub message: Option<String>,
    /// The build that it made.
    pub build: Option<i64>,
    /// When it came.
    pub received_at: Micros,
    /// When it is tried next, while pending.
    pub next_at: Option<Micros>,
}

/// What a delivery means, in one form for all forges; null where the forge says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Meaning {
    /// `push`, `tag`, `pull_request`, `release`, `comment`, `ping`, or the forge's own word for anything else.
    pub event: String,
    /// Of a branch or tag `created`, `updated`, `forced` or `deleted`; of a pull request `opened`, `synchronized` (new
    /// commits), `reopened`, `edited`, `labelled`, `closed` (merged or not), or the forge's own word for anything else.
    pub action: Option<String>,
    /// The branch or tag that moved, or where the head of a pull request is found: `refs/heads/main`.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// What the reference pointed at before; null when it is new.
    pub before: Option<String>,
    /// The commit (of an annotated tag, from some forges, the tag object); null when the reference is gone.
    pub sha: Option<String>,
    /// The number of the pull request.
    pub number: Option<i64>,
    /// The branch that the pull request wants to go into.
    pub base: Option<String>,
    /// The branch that the pull request comes from.
    pub head: Option<String>,
    /// The repository of that branch: `octo/hello`; null when it is gone.
    pub head_repository: Option<String>,
    /// The pull request comes from another repository, or from one that is gone.
    pub fork: Option<bool>,
    /// Who did it: the name of the account at the forge.
    pub sender: Option<String>,
}

impl Meaning {
    /// What the forge says, by the names of the JSON and in their order.
    pub fn said(&self) -> Vec<(String, String)> {
        let fields = serde_json::to_value(self).unwrap_or_default();
        let said = fields
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(name, value)| match value {
                Value::Null => None,
                Value::String(text) => Some((name.clone(), text.clone())),
                other => Some((name.clone(), other.to_string())),
            });
        said.collect()
    }
}

/// A delivery with what was received.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeliveryDetail {
    /// What lists show.
    #[serde(flatten)]
    pub delivery: Delivery,
    /// What it means; null for one that came before this was kept, and for a body that could not be read.
    pub meaning: Option<Meaning>,
    /// The headers that were kept.
    pub headers: BTreeMap<String, String>,
    /// The body, as text.
    pub body: String,
}
