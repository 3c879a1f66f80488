//! What callers without credentials may take of us: how many requests a second, and how many bytes of bodies at once,
//! all together. Who comes when all is taken is not turned away: the one that has been sending for longest is. Counts of
//! refused webhooks are kept here until they are written together.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, header};
use futures_util::StreamExt;
use protocol::ids::RepositoryId;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::store::{Store, StoreError, counters};

/// Bodies of one address that are read at once.
const BODIES_PER_ADDRESS: usize = 32;
/// An address may ask so many seconds' worth of requests at once.
const BURST_SECS: f64 = 10.0;
/// Addresses that are remembered; full ones are forgotten first.
const MOST_ADDRESSES: usize = 10_000;

/// Whose request it is, as far as an address says that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Client(pub IpAddr);

/// Why a caller gets no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PublicError {
    /// Its address asks too often.
    TooMany,
    /// Its body is larger than this many bytes.
    TooLarge(usize),
    /// It had to make room for others.
    Busy,
    /// It broke off.
    BrokeOff,
}

/// What callers without credentials take. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct Public(Arc<Inner>);

struct Inner {
    bytes: usize,
    requests: f64,
    bodies: Mutex<Bodies>,
    buckets: Mutex<HashMap<IpAddr, Bucket>>,
}

/// Bodies that are being read, by age.
#[derive(Default)]
struct Bodies {
    next: u64,
    bytes: usize,
    reading: BTreeMap<u64, Reading>,
}

struct Reading {
    client: IpAddr,
    bytes: usize,
    makes_room: CancellationToken,
}

/// Requests that an address may still make.
struct Bucket {
    left: f64,
    at: Instant,
}

impl Public {
    /// With the limits of the configuration.
    pub fn new(config: &Config) -> Public {
        Public(Arc::new(Inner {
            bytes: config.limits.public_bytes.max(config.limits.webhook_bytes),
            requests: f64::from(config.connections.requests_per_address.max(1)),
            bodies: Mutex::default(),
            buckets: Mutex::default(),
        }))
    }

    /// Counts a request of an address.
    ///
    /// # Errors
    /// `TooMany`: it makes too many.
    pub fn request(&self, client: Client) -> Result<(), PublicError> {
        self.request_at(client, Instant::now())
    }

    fn request_at(&self, Client(address): Client, now: Instant) -> Result<(), PublicError> {
        let (rate, most) = (self.0.requests, self.0.requests * BURST_SECS);
        let filled = |bucket: &Bucket| (bucket.left + now.duration_since(bucket.at).as_secs_f64() * rate).min(most);
        let mut buckets = self.0.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MOST_ADDRESSES && !buckets.contains_key(&address) {
            buckets.retain(|_, bucket| filled(bucket) < most);
        }
        if buckets.len() >= MOST_ADDRESSES && !buckets.contains_key(&address) {
            // Nobody can be remembered; the table of connections still limits everybody.
            return Ok(());
        }
        let bucket = buckets.entry(address).or_insert(Bucket { left: most, at: now });
        *bucket = Bucket {
            left: filled(bucket),
            at: now,
        };
        if bucket.left < 1.0 {
            return Err(PublicError::TooMany);
        }
        bucket.left -= 1.0;
        Ok(())
    }

    /// Shows a body's parts to `take`, up to `limit` bytes of it.
    ///
    /// # Errors
    /// `TooLarge`; `Busy` when it had to make room; `BadRequest` when the sender broke off.
    pub async fn read(
        &self,
        client: Client,
        (headers, body): (&HeaderMap, Body),
        limit: usize,
        mut take: impl FnMut(&Bytes),
    ) -> Result<(), PublicError> {
        let announced = headers.get(header::CONTENT_LENGTH);
        let announced = announced.and_then(|value| value.to_str().ok()?.parse().ok());
        if announced.is_some_and(|length: usize| length > limit) {
            return Err(PublicError::TooLarge(limit));
        }
        let place = self.begin(client);
        let mut parts = body.into_data_stream();
        let mut read = 0;
        while let Some(part) = place.unless_evicted(parts.next()).await? {
            let part = part.map_err(|_| PublicError::BrokeOff)?;
            read += part.len();
            if read > limit {
                return Err(PublicError::TooLarge(limit));
            }
            place.holds(part.len())?;
            take(&part);
        }
        Ok(())
    }

    /// The whole of a small body.
    ///
    /// # Errors
    /// As [`Public::read`].
    pub async fn whole(&self, client: Client, request: (&HeaderMap, Body), limit: usize) -> Result<Bytes, PublicError> {
        let mut whole = Vec::new();
        self.read(client, request, limit, |part| whole.extend_from_slice(part))
            .await?;
        Ok(whole.into())
    }

    fn begin(&self, Client(client): Client) -> BodyPermit<'_> {
        let mut bodies = self.bodies();
        let of_client = bodies.reading.iter().filter(|(_, reading)| reading.client == client);
        let of_client: Vec<u64> = of_client.map(|(number, _)| *number).collect();
        if of_client.len() >= BODIES_PER_ADDRESS {
            bodies.evict(of_client[0]);
        }
        let number = bodies.next;
        bodies.next += 1;
        let makes_room = CancellationToken::new();
        let reading = Reading {
            client,
            bytes: 0,
            makes_room: makes_room.clone(),
        };
        bodies.reading.insert(number, reading);
        BodyPermit {
            public: self,
            number,
            makes_room,
        }
    }

    fn bodies(&self) -> MutexGuard<'_, Bodies> {
        self.0.bodies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bodies {
    fn evict(&mut self, number: u64) {
        if let Some(reading) = self.reading.remove(&number) {
            self.bytes -= reading.bytes;
            reading.makes_room.cancel();
        }
    }
}

/// A body that is being read.
struct BodyPermit<'a> {
    public: &'a Public,
    number: u64,
    makes_room: CancellationToken,
}

impl BodyPermit<'_> {
    async fn unless_evicted<T>(&self, work: impl Future<Output = T>) -> Result<T, PublicError> {
        self.makes_room.run_until_cancelled(work).await.ok_or(PublicError::Busy)
    }

    /// Counts more bytes; the oldest others make room for them.
    fn holds(&self, bytes: usize) -> Result<(), PublicError> {
        let mut bodies = self.public.bodies();
        while bodies.bytes + bytes > self.public.0.bytes {
            let mut others = bodies.reading.iter();
            let oldest = others.find(|(number, reading)| **number != self.number && reading.bytes > 0);
            let oldest = oldest.map(|(number, _)| *number).ok_or(PublicError::Busy)?;
            bodies.evict(oldest);
        }
        let reading = bodies.reading.get_mut(&self.number).ok_or(PublicError::Busy)?;
        reading.bytes += bytes;
        bodies.bytes += bytes;
        Ok(())
    }
}

impl Drop for BodyPermit<'_> {
    fn drop(&mut self) {
        self.public.bodies().evict(self.number);
    }
}

/// Refused webhooks that are not written down yet: a stranger must not be able to make the database write.
#[derive(Clone, Default)]
pub(crate) struct Refusals(Arc<Mutex<BTreeMap<String, i64>>>);

impl Refusals {
    /// Counts one. Only repositories that exist have a count of their own, so their number is bounded.
    pub fn count(&self, repository: Option<&RepositoryId>) {
        metrics::counter!("drover_webhooks_refused_total").increment(1);
        let mut counts = self.counts();
        let own = repository.map(|repository| refused_for(repository.as_str()));
        for name in [Some(REFUSED.to_owned()), own].into_iter().flatten() {
            *counts.entry(name).or_default() += 1;
        }
    }

    /// How many of a repository were refused.
    ///
    /// # Errors
    /// The database.
    pub async fn of(&self, store: &Store, repository: &RepositoryId) -> Result<i64, StoreError> {
        let name = refused_for(repository.as_str());
        let fresh = self.counts().get(&name).copied().unwrap_or(0);
        Ok(counters::read(store, &name).await? + fresh)
    }

    /// Writes them down.
    ///
    /// # Errors
    /// The database; they are then kept for the next time.
    pub async fn write(&self, store: &Store) -> Result<(), StoreError> {
        let counts = std::mem::take(&mut *self.counts());
        if counts.is_empty() {
            return Ok(());
        }
        let written = counters::add(store, counts.clone()).await;
        if written.is_err() {
            let mut kept = self.counts();
            counts
                .into_iter()
                .for_each(|(name, count)| *kept.entry(name).or_default() += count);
        }
        written
    }

    fn counts(&self) -> MutexGuard<'_, BTreeMap<String, i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The counter of refused deliveries.
const REFUSED: &str = "webhooks_refused";

/// The counter of refused deliveries of one repository.
fn refused_for(repository: &str) -> String {
    format!("{REFUSED}:{repository}")
}
