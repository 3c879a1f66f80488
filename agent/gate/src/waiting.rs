//! What one round of the supervisor waits for, by its places in the poll set.

use std::time::{Duration, Instant};

use crate::clients::poll_fd;
use crate::output::Output;
use crate::sys::PollFd;

/// Where in the poll set what stands.
#[derive(Default)]
pub struct Waiting {
    /// The child's output.
    pub pipes: [Option<usize>; 2],
    /// That of its health command.
    pub health: Option<usize>,
    /// The first client.
    pub clients_from: usize,
}

impl Waiting {
    /// Waits for the output; for how long at most, if not for ever.
    pub fn watch(&mut self, output: &mut Output, fds: &mut Vec<PollFd>, now: Instant) -> Option<Duration> {
        let (pipes, nap) = output.interest(now);
        self.pipes = pipes.map(|pipe| pipe.map(|pipe| push(fds, poll_fd(pipe, libc::POLLIN))));
        nap
    }
}

/// Pushes and says where.
pub fn push(fds: &mut Vec<PollFd>, fd: PollFd) -> usize {
    fds.push(fd);
    fds.len() - 1
}
