//! The connections of the listener, in a table with a fixed number of places. A stranger can fill the table and never
//! keep it: the oldest connection that has asked for nothing gives way to a new one, and a connection whose last request
//! was an agent's or a user's is never closed for another. What the sockets do is in [`stream`].
//!
//! # Layout
//! [`Connections`] the table · [`Connection`] one place in it · `stream` a socket that reports what it does ·
//! `address` whose connection it is, behind proxies too.

mod address;
mod stream;

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(crate) use address::{client, group};
pub(crate) use stream::Stream;

use crate::config;

/// How often to look for connections that are too slow.
const LOOK: Duration = Duration::from_secs(1);
/// Bytes that a stranger takes at least for each stretch of `stall_secs`.
const STALL_BYTES: usize = 64 * 1024;
/// A user may stop reading for so long: a pager on a terminal does.
const USER_STALL: Duration = Duration::from_secs(3_600);

/// The table. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct Connections(Arc<Inner>);

struct Inner {
    limits: config::Connections,
    table: Mutex<Table>,
}

/// Connections by age: a number grows, so the first is the oldest.
#[derive(Default)]
struct Table {
    next: u64,
    connections: BTreeMap<u64, Entry>,
    of_address: HashMap<IpAddr, usize>,
}

struct Entry {
    /// Counts against the limit of its address; `None` for a proxy, which speaks for many.
    counted: Option<IpAddr>,
    state: State,
    since: Instant,
    is_known: Arc<AtomicBool>,
    cut: CancellationToken,
}

/// What a connection does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It has not sent a whole head of a request yet.
    Head,
    /// A request is being answered.
    Busy,
    /// Between two requests.
    Idle,
}

/// One connection; its place is free when this is dropped.
pub(crate) struct Connection {
    table: Connections,
    number: u64,
    /// The other end of the socket.
    peer: IpAddr,
    is_known: Arc<AtomicBool>,
    cut: CancellationToken,
}

impl Connections {
    pub fn new(limits: config::Connections) -> Connections {
        Connections(Arc::new(Inner {
            limits,
            table: Mutex::default(),
        }))
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a new connection, if need be that of another; `None` when all belong to agents and users.
    pub fn enter(&self, peer: IpAddr) -> Option<Arc<Connection>> {
        let limits = &self.0.limits;
        let peer = peer.to_canonical();
        let counted = (!limits.is_proxy(peer)).then(|| group(peer));
        let mut table = self.table();
        if let Some(address) = counted
            && table.of_address.get(&address).copied().unwrap_or(0) >= limits.per_address
        {
            table.make_room(|entry| entry.counted == Some(address))?;
        }
        if table.connections.len() >= limits.most {
            table.make_room(|_| true)?;
        }
        let (is_known, cut) = (Arc::default(), CancellationToken::new());
        let number = table.enter(counted, Arc::clone(&is_known), cut.clone());
        Some(Arc::new(Connection {
            table: self.clone(),
            number,
            peer,
            is_known,
            cut,
        }))
    }

    /// Closes the connections that are too slow, until `stop`.
    pub async fn watch(self, stop: CancellationToken) {
        let mut look = tokio::time::interval(LOOK);
        while stop.run_until_cancelled(look.tick()).await.is_some() {
            self.cut_slow(Instant::now());
        }
    }

    fn cut_slow(&self, now: Instant) {
        let (head, idle) = (self.0.limits.head(), self.0.limits.idle());
        let mut table = self.table();
        let slow = table.connections.iter().filter(|(_, entry)| {
            let patience = match entry.state {
                State::Head => head,
                State::Idle => idle,
                State::Busy => return false,
            };
            now.duration_since(entry.since) > patience
        });
        let slow: Vec<u64> = slow.map(|(number, _)| *number).collect();
        for number in slow {
            table.cut(number);
        }
    }
}

impl Table {
    fn enter(&mut self, counted: Option<IpAddr>, is_known: Arc<AtomicBool>, cut: CancellationToken) -> u64 {
        let number = self.next;
        self.next += 1;
        if let Some(address) = counted {
            *self.of_address.entry(address).or_default() += 1;
        }
        let entry = Entry {
            counted,
            state: State::Head,
            since: Instant::now(),
            is_known,
            cut,
        };
        self.connections.insert(number, entry);
        number
    }

    /// Closes the stranger that matters least: the oldest that has sent no head, else the oldest that waits between
    /// requests, else the oldest at all.
    fn make_room(&mut self, among: impl Fn(&Entry) -> bool) -> Option<()> {
        let oldest = |state| {
            let mut strangers = self
                .connections
                .iter()
                .filter(|(_, entry)| entry.state == state && among(entry) && !entry.is_known.load(Ordering::Relaxed));
            strangers.next().map(|(number, _)| *number)
        };
        let number = oldest(State::Head)
            .or_else(|| oldest(State::Idle))
            .or_else(|| oldest(State::Busy))?;
        metrics::counter!("drover_connections_dropped_total").increment(1);
        self.cut(number);
        Some(())
    }

    fn cut(&mut self, number: u64) {
        if let Some(entry) = self.leave(number) {
            entry.cut.cancel();
        }
    }

    fn leave(&mut self, number: u64) -> Option<Entry> {
        let entry = self.connections.remove(&number)?;
        if let Some(address) = entry.counted
            && let Some(count) = self.of_address.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                self.of_address.remove(&address);
            }
        }
        Some(entry)
    }
}

impl Connection {
    /// The other end of the socket.
    pub fn peer(&self) -> IpAddr {
        self.peer
    }

    /// Cancelled when its place was given away, or it is too slow.
    pub fn cut(&self) -> &CancellationToken {
        &self.cut
    }

    /// A whole head is there. Whose it is must be found out anew: a proxy's connection carries everybody's requests.
    pub fn begins(&self) {
        self.is_known.store(false, Ordering::Relaxed);
        self.becomes(State::Busy);
    }

    /// The request is an agent's or a user's.
    pub fn is_known_caller(&self) {
        self.is_known.store(true, Ordering::Relaxed);
    }

    /// The request was answered.
    pub fn ends(&self) {
        self.becomes(State::Idle);
    }

    /// Bytes came: between requests they are the next head's first.
    fn reads(&self) {
        let mut table = self.table.table();
        if let Some(entry) = table.connections.get_mut(&self.number)
            && entry.state == State::Idle
        {
            entry.state = State::Head;
            entry.since = Instant::now();
        }
    }

    /// How long it may take nothing before it is closed, and how many bytes count as something.
    fn stall(&self) -> (Duration, usize) {
        match self.is_known.load(Ordering::Relaxed) {
            true => (USER_STALL, 1),
            false => (self.table.0.limits.stall(), STALL_BYTES),
        }
    }

    fn becomes(&self, state: State) {
        if let Some(entry) = self.table.table().connections.get_mut(&self.number) {
            entry.state = state;
            entry.since = Instant::now();
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.table.table().leave(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(most: usize, per_address: usize) -> Connections {
        Connections::new(config::Connections {
            most,
            per_address,
            trusted_proxies: vec!["10.0.0.1".parse().unwrap()],
            ..config::Connections::default()
        })
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn is_cut(connection: &Connection) -> bool {
        connection.cut().is_cancelled()
    }

    #[test]
    fn the_oldest_silent_connection_gives_way_and_an_agents_never_does() {
        let table = table(4, 4);
        let agent = table.enter(ip("192.0.2.1")).unwrap();
        agent.begins();
        agent.is_known_caller();
        let idle = table.enter(ip("192.0.2.2")).unwrap();
        idle.begins();
        idle.ends();
        let silent = table.enter(ip("192.0.2.3")).unwrap();
        let younger = table.enter(ip("192.0.2.4")).unwrap();
        let first = table.enter(ip("192.0.2.5")).unwrap();
        assert!(
            is_cut(&silent) && !is_cut(&younger) && !is_cut(&idle),
            "the oldest silent one"
        );
        first.begins();
        let second = table.enter(ip("192.0.2.6")).unwrap();
        assert!(is_cut(&younger));
        second.begins();
        let third = table.enter(ip("192.0.2.7")).unwrap();
        assert!(
            is_cut(&idle) && !is_cut(&first),
            "who waits between requests, before who asks"
        );
        for connection in [&first, &second, &third] {
            connection.begins();
            connection.is_known_caller();
        }
        assert!(table.enter(ip("192.0.2.8")).is_none(), "all are agents' or users'");
        assert!(!is_cut(&agent));
        drop(second);
        assert!(table.enter(ip("192.0.2.8")).is_some());
    }

    #[test]
    fn an_address_is_limited_alone_and_a_proxy_is_not() {
        let table = table(100, 2);
        let other = table.enter(ip("198.51.100.1")).unwrap();
        let first = table.enter(ip("192.0.2.1")).unwrap();
        let _second = table.enter(ip("::ffff:192.0.2.1")).unwrap();
        let _third = table.enter(ip("192.0.2.1")).unwrap();
        assert!(is_cut(&first) && !is_cut(&other));
        let proxied: Vec<_> = (0..10).map(|_| table.enter(ip("10.0.0.1")).unwrap()).collect();
        assert!(proxied.iter().all(|connection| !is_cut(connection)));
        let of_one_site: Vec<_> = (0..3)
            .map(|n| table.enter(ip(&format!("2001:db8::{n}"))).unwrap())
            .collect();
        assert!(is_cut(&of_one_site[0]), "a site has a whole /64");
    }

    #[test]
    fn heads_and_pauses_have_an_end_and_answers_do_not() {
        let table = table(10, 10);
        let limits = &table.0.limits;
        let later = |pause| Instant::now() + pause + Duration::from_secs(1);
        let silent = table.enter(ip("192.0.2.1")).unwrap();
        let busy = table.enter(ip("192.0.2.1")).unwrap();
        busy.begins();
        let [idle, half] = [(); 2].map(|()| {
            let connection = table.enter(ip("192.0.2.1")).unwrap();
            connection.begins();
            connection.ends();
            connection
        });
        half.reads();
        table.cut_slow(later(limits.head()));
        assert!(is_cut(&silent) && !is_cut(&idle) && !is_cut(&busy));
        assert!(is_cut(&half), "half a head between requests is no pause");
        table.cut_slow(later(limits.idle()));
        assert!(is_cut(&idle) && !is_cut(&busy));
    }
}
