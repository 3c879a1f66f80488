//! The images that an attempt builds, for what of the same attempt names them later. In the engine they have no name, so
//! nobody else finds them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use job_specs::images::familiar;
use tokio::sync::watch;

use crate::lock::lock;

/// What builds an image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Builder {
    /// A step, from 0.
    Step(usize),
    /// A service whose image has that familiar name.
    Service(String),
}

/// The images of one attempt. Clones share them.
#[derive(Clone, Default)]
pub struct BuiltImages(Arc<Mutex<BTreeMap<Builder, watch::Sender<Built>>>>);

/// `None`: it is still being built. `Some(None)`: there is none.
type Built = Option<Option<String>>;

impl Builder {
    /// The services that are built under that name.
    pub fn service(image: &str) -> Builder {
        Builder::Service(familiar(image))
    }
}

impl BuiltImages {
    /// That one is built; its id.
    pub fn set(&self, builder: Builder, id: &str) {
        self.of(builder).send_replace(Some(Some(id.to_owned())));
    }

    /// It is over; if nothing was built by then, nothing will be.
    pub fn over(&self, builder: Builder) {
        self.of(builder).send_if_modified(|built| {
            let is_open = built.is_none();
            built.get_or_insert(None);
            is_open
        });
    }

    /// Waits for it; `None`: there is none.
    pub async fn get(&self, builder: Builder) -> Option<String> {
        let mut built = self.of(builder).subscribe();
        let built = built.wait_for(Option::is_some).await.ok()?;
        built.clone().flatten()
    }

    /// The one that is there now.
    pub fn now(&self, builder: Builder) -> Option<String> {
        self.of(builder).borrow().clone().flatten()
    }

    fn of(&self, builder: Builder) -> watch::Sender<Built> {
        let mut all = lock(&self.0);
        all.entry(builder).or_default().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_asks_waits_until_it_is_built_or_never_will_be() {
        let images = BuiltImages::default();
        let (asking, step) = (images.clone(), Builder::Step(0));
        let asked = tokio::spawn(async move { asking.get(step).await });
        images.set(Builder::Step(0), "sha256:1");
        images.over(Builder::Step(0));
        assert_eq!(asked.await.unwrap().as_deref(), Some("sha256:1"));
        images.over(Builder::service("app"));
        assert_eq!(images.get(Builder::service("docker.io/library/app:latest")).await, None);
    }
}
