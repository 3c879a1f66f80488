//! What the stories need: a coordinator on a free port, a repository to push to, an agent, a reader of live events.

mod agent;
mod app;
mod description;
mod forge;
mod repository;
mod sse;
mod webhook;

pub use agent::{Leased, SimAgent, records};
pub use app::{Answer, TestApp, form, within};
pub use forge::{Asked, Fault, TOKEN, TestForge};
pub use repository::{PASSING, TestRepository};
pub use sse::{Live, SseEvent};
