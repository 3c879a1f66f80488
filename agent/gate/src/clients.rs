//! The control socket: any number of agents may be connected, come late, or vanish; none of them ever blocks the gate.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};

use gate::wire::{Event, Request, take_message};

use crate::sys::PollFd;

/// A client that does not read is dropped when this much waits for it.
const MAX_WAITING: usize = 1 << 20;

/// The socket and who is connected.
pub struct Clients {
    listener: UnixListener,
    clients: Vec<Client>,
    next_id: u64,
}

/// Names one connection.
pub type ClientId = u64;

struct Client {
    id: ClientId,
    stream: UnixStream,
    input: Vec<u8>,
    output: Vec<u8>,
    closed: bool,
}

impl Clients {
    /// Listens at `path`, in place of any older socket.
    pub fn listen(path: &str) -> io::Result<Clients> {
        if let Err(error) = fs::remove_file(path)
            && error.kind() != ErrorKind::NotFound
        {
            return Err(error);
        }
        let listener = UnixListener::bind(path)?;
        listener.set_nonblocking(true)?;
        // The agent may be another user than the container's.
        fs::set_permissions(path, Permissions::from_mode(0o666))?;
        Ok(Clients {
            listener,
            clients: Vec::new(),
            next_id: 0,
        })
    }

    /// Adds what to wait for: the listener first, then each client.
    pub fn interest(&self, fds: &mut Vec<PollFd>) {
        fds.push(poll_fd(&self.listener, libc::POLLIN));
        for client in &self.clients {
            let writes = if client.output.is_empty() { 0 } else { libc::POLLOUT };
            fds.push(poll_fd(&client.stream, libc::POLLIN | writes));
        }
    }

    /// Serves those that `interest` added and poll found ready; what clients ask for, and who is new.
    pub fn serve(&mut self, fds: &[PollFd]) -> (Vec<(ClientId, Request)>, Vec<ClientId>) {
        let mut requests = Vec::new();
        for (client, fd) in self.clients.iter_mut().zip(&fds[1..]) {
            if fd.revents & libc::POLLOUT != 0 {
                client.flush();
            }
            if fd.revents & !libc::POLLOUT != 0 {
                client.read(&mut requests);
            }
        }
        self.clients.retain(|client| !client.closed);
        let new = if fds[0].revents != 0 { self.accept() } else { Vec::new() };
        (requests, new)
    }

    /// Sends to one client.
    pub fn send(&mut self, id: ClientId, event: &Event) {
        if let Some(client) = self.clients.iter_mut().find(|client| client.id == id) {
            client.send(event);
        }
    }

    /// Sends to everybody.
    pub fn send_all(&mut self, event: &Event) {
        self.clients.iter_mut().for_each(|client| client.send(event));
    }

    fn accept(&mut self) -> Vec<ClientId> {
        let mut new = Vec::new();
        while let Ok((stream, _)) = self.listener.accept() {
            if stream.set_nonblocking(true).is_err() {
                continue;
            }
            let id = self.next_id;
            self.next_id += 1;
            self.clients.push(Client {
                id,
                stream,
                input: Vec::new(),
                output: Vec::new(),
                closed: false,
            });
            new.push(id);
        }
        new
    }
}

impl Client {
    fn read(&mut self, requests: &mut Vec<(ClientId, Request)>) {
        let mut buffer = [0; 4096];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => self.closed = true,
                Ok(count) => {
                    self.input.extend_from_slice(&buffer[..count]);
                    if count == buffer.len() {
                        continue;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => self.closed = true,
            }
            break;
        }
        self.take_requests(requests);
    }

    fn take_requests(&mut self, requests: &mut Vec<(ClientId, Request)>) {
        loop {
            match take_message(&mut self.input).and_then(|message| message.map(|m| Request::decode(&m)).transpose()) {
                Ok(Some(request)) => requests.push((self.id, request)),
                Ok(None) => return,
                Err(_) => {
                    self.closed = true;
                    return;
                }
            }
        }
    }

    fn send(&mut self, event: &Event) {
        event.encode(&mut self.output);
        self.flush();
        if self.output.len() > MAX_WAITING {
            self.closed = true;
        }
    }

    fn flush(&mut self) {
        while !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(count) => drop(self.output.drain(..count)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => {
                    // Its requests may still be waiting to be read: `read` finds out that it is gone.
                    self.output.clear();
                }
            }
        }
    }
}

/// An entry for poll.
pub fn poll_fd(fd: &impl AsRawFd, events: i16) -> PollFd {
    PollFd {
        fd: fd.as_raw_fd(),
        events,
        revents: 0,
    }
}
