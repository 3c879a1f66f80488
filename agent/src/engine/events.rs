//! One stream of events instead of a wait per container (`die` comes 4 ms before a wait returns).

/// How a container ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// PID 1's exit code (128 + signal when a signal ended it); `None`: it was removed before anybody saw.
    pub code: Option<i32>,
    /// The kernel ended something in it for using more memory than it may.
    pub oom: bool,
}
