//! What is left in the engine: containers, networks and volumes that carry a label of ours, and volumes without a name
//! (a database image declares one, and whoever removes its container must remove it too).

use crate::process;
use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, Instant};

/// Something in the engine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Thing {
    kind: Kind,
    name: String,
    /// `key=value,…`, in order: the engine tells them in another one at every look.
    pub labels: String,
}

/// In the order in which they can be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Container,
    Network,
    Volume,
}

/// What was still there after how long.
pub struct Leftovers {
    /// Everything that did not go.
    pub things: Vec<Thing>,
    /// How long it took until nothing was there, or until nobody waited any longer.
    pub waited: Duration,
}

/// Everything of ours in the engine.
///
/// # Errors
/// When the engine does not answer.
pub fn look() -> anyhow::Result<BTreeSet<Thing>> {
    let mut found = BTreeSet::new();
    for kind in [Kind::Container, Kind::Network, Kind::Volume] {
        let listed = process::output(&mut process::docker(kind.list()))?;
        found.extend(
            listed
                .lines()
                .map(|line| Thing::read(kind, line))
                .filter(Thing::is_ours),
        );
    }
    Ok(found)
}

/// What is there now and was not `before`.
///
/// # Errors
/// When the engine does not answer.
pub fn since(before: &BTreeSet<Thing>) -> anyhow::Result<Vec<Thing>> {
    let known: BTreeSet<_> = before.iter().map(|thing| (thing.kind, &thing.name)).collect();
    let is_new = |thing: &Thing| !known.contains(&(thing.kind, &thing.name));
    Ok(look()?.into_iter().filter(is_new).collect())
}

/// The same, once it is gone or `limit` is over: what removes things may take its time, and the engine removes six
/// networks a second.
///
/// # Errors
/// When the engine does not answer.
pub fn wait(before: &BTreeSet<Thing>, limit: Duration) -> anyhow::Result<Leftovers> {
    let begin = Instant::now();
    loop {
        let things = since(before)?;
        let waited = begin.elapsed();
        if things.is_empty() || waited >= limit {
            return Ok(Leftovers { things, waited });
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

impl Kind {
    fn list(self) -> &'static [&'static str] {
        match self {
            Kind::Container => &["ps", "--all", "--format", "{{.Names}}\t{{.Labels}}"],
            Kind::Network => &["network", "ls", "--format", "{{.Name}}\t{{.Labels}}"],
            Kind::Volume => &["volume", "ls", "--format", "{{.Name}}\t{{.Labels}}"],
        }
    }

    fn remove(self) -> &'static [&'static str] {
        match self {
            // With the volumes that have no name.
            Kind::Container => &["rm", "--force", "--volumes"],
            Kind::Network => &["network", "rm"],
            Kind::Volume => &["volume", "rm"],
        }
    }
}

impl Thing {
    fn read(kind: Kind, line: &str) -> Thing {
        let (name, labels) = line.split_once('\t').unwrap_or((line, ""));
        let mut labels: Vec<&str> = labels.split(',').collect();
        labels.sort_unstable();
        Thing {
            kind,
            name: name.to_owned(),
            labels: labels.join(","),
        }
    }

    fn is_ours(&self) -> bool {
        let name = &self.name;
        let is_nameless =
            self.kind == Kind::Volume && name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_nameless || self.has_our_label()
    }

    /// True when Drover or a test of it made this for certain.
    pub fn has_our_label(&self) -> bool {
        self.labels.split(',').any(|label| label.starts_with("drover."))
    }

    /// Removes it; a container is stopped before.
    ///
    /// # Errors
    /// When the engine says no.
    pub fn remove(&self) -> anyhow::Result<()> {
        process::output(process::docker(self.kind.remove()).arg(&self.name)).map(drop)
    }
}

impl fmt::Display for Thing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Container => "container",
            Kind::Network => "network",
            Kind::Volume => "volume",
        };
        write!(formatter, "{kind} {} {}", self.name, self.labels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_labels_and_nameless_volumes_are_ours() {
        let is_ours = |kind, line: &str| Thing::read(kind, line).is_ours();
        assert!(is_ours(Kind::Container, "eager_bell\tmaintainer=ada,drover.agent=a1"));
        assert!(!is_ours(Kind::Container, "drover.agent\tmaintainer=ada"));
        assert!(is_ours(Kind::Volume, &format!("{}\t", "ab".repeat(32))));
        assert!(!is_ours(Kind::Volume, "database\t"));
    }

    #[test]
    fn the_same_thing_is_the_same_at_every_look() {
        let look = |labels| Thing::read(Kind::Network, labels);
        assert_eq!(look("n\tdrover.agent=a,b=1"), look("n\tb=1,drover.agent=a"));
    }

    #[test]
    fn only_a_label_gives_the_right_to_remove() {
        assert!(!Thing::read(Kind::Volume, &"ab".repeat(32)).has_our_label());
        assert!(Thing::read(Kind::Volume, "x\tdrover.stack=s1").has_our_label());
    }
}
