//! Deliveries: webhooks as they were received, stored before they are answered and processed from here, so that a
//! crash or an unreachable repository costs a retry and never a build.

use std::collections::BTreeMap;

use protocol::ids::{DeliveryId, RepositoryId};
use serde::{Deserialize, Serialize};

use super::{Micros, Store, StoreError};

/// How long one that was claimed stays hidden from other claims, in microseconds: 2 minutes.
pub const CLAIM_US: i64 = 120_000_000;

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    /// To be processed, now or at its next try.
    Pending,
    /// Processed: it made a build, or there was nothing to build.
    Done,
    /// Given up.
    Failed,
}

/// A webhook whose signature was right.
#[derive(Debug, Clone)]
pub struct NewDelivery {
    /// Whose.
    pub repository: RepositoryId,
    /// The forge's own id of it, if it has one: the same one twice is a duplicate.
    pub external_id: Option<String>,
    /// The forge's word for it: `push`.
    pub event: String,
    /// The headers worth keeping.
    pub headers: BTreeMap<String, String>,
    /// As received.
    pub body: Vec<u8>,
}

/// What became of a delivery that was handed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// It is new, and stored.
    New(DeliveryId),
    /// It had been stored before.
    Duplicate(DeliveryId),
}

/// One delivery, for lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// Whose.
    pub repository: RepositoryId,
    /// Its repository's name.
    pub repository_name: String,
    /// The forge's id of it.
    pub external_id: Option<String>,
    /// The forge's word for it.
    pub event: String,
    /// Where it stands.
    pub status: DeliveryStatus,
    /// How often it was tried.
    pub tries: i64,
    /// What came of it, or what is wrong, in words.
    pub message: Option<String>,
    /// The build it made.
    pub build: Option<i64>,
    /// When it came.
    pub received_at: Micros,
    /// When it is tried next, while pending.
    pub next_at: Micros,
}

/// A delivery with what was received.
#[derive(Debug, Clone)]
pub struct FullDelivery {
    /// What lists show.
    pub delivery: Delivery,
    /// The headers kept.
    pub headers: BTreeMap<String, String>,
    /// As received.
    pub body: Vec<u8>,
}

/// What processing came to.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// The build it made, if it made one.
    pub build: Option<i64>,
    /// In words, when there is something to say: "branch deleted: nothing to build".
    pub message: Option<String>,
}

/// Keeps it, unless it is known already. Wakes [`super::Change::Queue`].
///
/// # Errors
/// The database.
pub async fn store(_store: &Store, _new: NewDelivery) -> Result<Stored, StoreError> {
    todo!()
}

/// Takes the oldest that is due at `now`, hidden from others for [`CLAIM_US`].
///
/// # Errors
/// The database.
pub async fn claim_due(_store: &Store, _now: Micros) -> Result<Option<FullDelivery>, StoreError> {
    todo!()
}

/// It was processed.
///
/// # Errors
/// `NotFound`.
pub async fn done(_store: &Store, _id: &DeliveryId, _outcome: Outcome) -> Result<(), StoreError> {
    todo!()
}

/// It could not be processed now; again at `at`.
///
/// # Errors
/// `NotFound`.
pub async fn retry_later(_store: &Store, _id: &DeliveryId, _at: Micros, _why: &str) -> Result<(), StoreError> {
    todo!()
}

/// It is given up.
///
/// # Errors
/// `NotFound`.
pub async fn failed(_store: &Store, _id: &DeliveryId, _why: &str) -> Result<(), StoreError> {
    todo!()
}

/// Puts it back: it is due at once, whatever became of it before.
///
/// # Errors
/// `NotFound`.
pub async fn redeliver(_store: &Store, _id: &DeliveryId) -> Result<(), StoreError> {
    todo!()
}

/// The newest `limit`, of one repository or of all.
///
/// # Errors
/// The database.
pub async fn list(
    _store: &Store,
    _repository: Option<&RepositoryId>,
    _limit: u32,
) -> Result<Vec<Delivery>, StoreError> {
    todo!()
}

/// One, with what was received.
///
/// # Errors
/// `NotFound`.
pub async fn get(_store: &Store, _id: &DeliveryId) -> Result<FullDelivery, StoreError> {
    todo!()
}
