//! The container engine, and the only module that speaks to it: plain data in ([`ContainerPlan`]), docker's verbs
//! out (create, start, wait, kill, remove). Separate so that every trap of the client library and of the engine is
//! handled once, and so that nothing above it can make a container without labels and limits.
//!
//! # Layout
//! [`plan`] what to make · [`convert`] plan to request, pure · [`error`] what can go wrong · [`labels`] what everything
//! is marked with · [`connect`] the [`Engine`] · [`anchor`] the gate's file and image · [`containers`], [`networks`]
//! the verbs, [`plain`] those for containers without a gate · [`exec`] further commands in a container · [`events`] one
//! stream instead of a wait per container · [`images`], [`pull`] · [`links`] in a container · [`login`] who asks
//! registries (`raw`: by our own hand) · [`build`], `build_group`, [`push`], `names` images made here · [`policy`], [`local`],
//! [`firewall`], [`rights`] what jobs may reach and run · [`volumes`], [`private`] what services share and find ·
//! [`disk_use`] what it all takes · [`live`], [`sweep`] cleaning up.

pub mod anchor;
pub mod build;
mod build_group;
pub mod connect;
pub mod containers;
pub mod convert;
pub mod disk_use;
pub mod error;
pub mod events;
pub mod exec;
pub mod firewall;
pub mod images;
pub mod labels;
pub mod links;
pub mod live;
pub mod local;
pub mod login;
mod names;
pub mod networks;
pub mod plain;
pub mod plan;
pub mod policy;
pub mod private;
pub mod pull;
pub mod push;
mod raw;
pub mod rights;
pub mod sweep;
pub mod volumes;

pub use bollard::container::LogOutput;
pub use build::{BuildNews, BuildPlan};
pub use connect::{Engine, EngineConfig, describe};
pub use error::EngineError;
pub use events::Exit;
pub use exec::{Exec, ExecPlan};
pub use images::{Fetch, ImageHealth, ImageInfo, ImageRequest};
pub use live::{Kept, Owner};
pub use login::{Login, Logins};
pub use plan::{ContainerId, ContainerPlan, Limits, LogDriver, Network, NetworkId};
pub use policy::{Firewall, HostImages, LocalAccess, LocalAddress, Policy};
pub use pull::PullProgress;
pub use push::Pushed;
pub use rights::ImageUser;
pub use sweep::{Owned, OwnedKind, Swept, reap};
