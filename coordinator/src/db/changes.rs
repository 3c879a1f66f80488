//! Wake-ups: what a write tells others once it is committed. They carry no data; whoever wakes reads the store. So a
//! lost one costs time (PostgreSQL is polled as well) and never truth.

use protocol::ids::AttemptId;

/// Something that may interest a waiting agent or an open page.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Change {
    /// There may be a job to take, or something to cancel.
    Queue,
    /// This build, or one of its jobs, is not what it was.
    Build(i64),
    /// This attempt has news: events, or its end.
    Attempt(AttemptId),
    /// An agent came, went, or drains.
    Agents,
    /// Wake-ups may have been missed: look at everything.
    All,
}
