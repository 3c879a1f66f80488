//! How messages become bytes and back. Every read is checked: what comes from the other end may be anything.

use std::net::{IpAddr, SocketAddr};

use super::{Event, Go, Health, HealthCheck, HealthState, Malformed, Probe, ProbeTarget, Request, State};
use crate::exit::ExitStatus;

impl Request {
    /// Appends the message with its length to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        framed(out, |out| match self {
            Request::Go(go) => {
                out.push(1);
                go.encode(out);
            }
            Request::Signal(signal) => {
                out.push(2);
                put_i32(out, *signal);
            }
            Request::Kill => out.push(3),
            Request::Quit => out.push(4),
            Request::Probe(probe) => {
                out.push(5);
                probe.encode(out);
            }
            Request::WhatRuns => out.push(6),
            Request::EndSession(session) => {
                out.push(7);
                put_bytes(out, session.as_bytes());
            }
            Request::LookAgain(round) => {
                out.push(8);
                put_u64(out, *round);
            }
            Request::EndLog => out.push(9),
        });
    }

    /// Reads a message without its length.
    pub fn decode(message: &[u8]) -> Result<Request, Malformed> {
        let mut input = Input(message);
        let request = match input.u8()? {
            1 => Request::Go(Go::decode(&mut input)?),
            2 => Request::Signal(input.i32()?),
            3 => Request::Kill,
            4 => Request::Quit,
            5 => Request::Probe(Probe::decode(&mut input)?),
            6 => Request::WhatRuns,
            7 => Request::EndSession(input.string()?),
            8 => Request::LookAgain(input.u64()?),
            9 => Request::EndLog,
            _ => return Err(Malformed),
        };
        input.done().map(|()| request)
    }
}

impl Event {
    /// Appends the message with its length to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        framed(out, |out| match self {
            Event::Hello { version, state } => {
                out.push(1);
                put_u32(out, *version);
                out.push(match state {
                    State::Idle => 0,
                    State::Running => 1,
                    State::Exited => 2,
                });
            }
            Event::Started { at } => {
                out.push(2);
                put_u64(out, at.cast_unsigned());
            }
            Event::Exited(status) => {
                out.push(3);
                put_bytes(out, status.to_text().as_bytes());
            }
            Event::Health(health) => {
                out.push(4);
                health.encode(out);
            }
            Event::ProbeDone { id, ok, message } => {
                out.push(5);
                put_u64(out, *id);
                out.push(u8::from(*ok));
                put_bytes(out, message.as_bytes());
            }
            Event::Busy { pid, command } => {
                out.push(6);
                put_i32(out, *pid);
                put_bytes(out, command.as_bytes());
            }
            Event::LogEnded => out.push(7),
        });
    }

    /// Reads a message without its length.
    pub fn decode(message: &[u8]) -> Result<Event, Malformed> {
        let mut input = Input(message);
        let event = match input.u8()? {
            1 => Event::Hello {
                version: input.u32()?,
                state: match input.u8()? {
                    0 => State::Idle,
                    1 => State::Running,
                    2 => State::Exited,
                    _ => return Err(Malformed),
                },
            },
            2 => Event::Started {
                at: input.u64()?.cast_signed(),
            },
            3 => Event::Exited(ExitStatus::from_text(&input.string()?).ok_or(Malformed)?),
            4 => Event::Health(Health::decode(&mut input)?),
            5 => Event::ProbeDone {
                id: input.u64()?,
                ok: input.bool()?,
                message: input.string()?,
            },
            6 => Event::Busy {
                pid: input.i32()?,
                command: input.string()?,
            },
            7 => Event::LogEnded,
            _ => return Err(Malformed),
        };
        input.done().map(|()| event)
    }
}

impl Go {
    fn encode(&self, out: &mut Vec<u8>) {
        put_strings(out, &self.argv);
        put_u32(out, len_u32(self.env.len()));
        for (name, value) in &self.env {
            put_bytes(out, name.as_bytes());
            put_bytes(out, value.as_bytes());
        }
        put_option(out, self.cwd.as_ref(), |out, cwd| put_bytes(out, cwd.as_bytes()));
        put_option(out, self.script.as_ref(), |out, script| put_bytes(out, script));
        put_option(out, self.health.as_ref(), |out, health| health.encode(out));
        put_i32(out, self.stop_signal);
        // Left out when there are none: a gate of an earlier version may still wait for its *go*.
        if !self.files.is_empty() || self.log_limit > 0 {
            put_u32(out, len_u32(self.files.len()));
            for (path, content) in &self.files {
                put_bytes(out, path.as_bytes());
                put_bytes(out, content);
            }
        }
        if self.log_limit > 0 {
            put_u64(out, self.log_limit);
        }
    }

    fn decode(input: &mut Input<'_>) -> Result<Go, Malformed> {
        let argv = input.strings()?;
        let mut env = Vec::new();
        for _ in 0..input.u32()? {
            env.push((input.string()?, input.string()?));
        }
        let mut go = Go {
            argv,
            env,
            cwd: input.option(Input::string)?,
            script: input.option(|input| input.bytes().map(<[u8]>::to_vec))?,
            health: input.option(HealthCheck::decode)?,
            stop_signal: input.i32()?,
            files: Vec::new(),
            log_limit: 0,
        };
        if !input.0.is_empty() {
            for _ in 0..input.u32()? {
                go.files.push((input.string()?, input.bytes()?.to_vec()));
            }
        }
        if !input.0.is_empty() {
            go.log_limit = input.u64()?;
        }
        Ok(go)
    }
}

impl HealthCheck {
    fn encode(&self, out: &mut Vec<u8>) {
        put_strings(out, &self.argv);
        let times = [self.starting_interval_ms, self.interval_ms, self.timeout_ms];
        for number in times.into_iter().chain([self.retries, self.start_period_ms]) {
            put_u32(out, number);
        }
    }

    fn decode(input: &mut Input<'_>) -> Result<HealthCheck, Malformed> {
        Ok(HealthCheck {
            argv: input.strings()?,
            starting_interval_ms: input.u32()?,
            interval_ms: input.u32()?,
            timeout_ms: input.u32()?,
            retries: input.u32()?,
            start_period_ms: input.u32()?,
        })
    }
}

impl Health {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(match self.state {
            HealthState::Starting => 0,
            HealthState::Healthy => 1,
            HealthState::Unhealthy => 2,
        });
        put_option(out, self.exit_code.as_ref(), |out, code| put_i32(out, *code));
        put_bytes(out, self.output.as_bytes());
        // Left out when nobody has asked for it: an agent of version 2 does not know it.
        if self.round != 0 {
            put_u64(out, self.round);
        }
    }

    fn decode(input: &mut Input<'_>) -> Result<Health, Malformed> {
        Ok(Health {
            state: match input.u8()? {
                0 => HealthState::Starting,
                1 => HealthState::Healthy,
                2 => HealthState::Unhealthy,
                _ => return Err(Malformed),
            },
            exit_code: input.option(Input::i32)?,
            output: input.string()?,
            round: if input.0.is_empty() { 0 } else { input.u64()? },
        })
    }
}

impl Probe {
    fn encode(&self, out: &mut Vec<u8>) {
        put_u64(out, self.id);
        let (ProbeTarget::Tcp(addr) | ProbeTarget::Http { addr, .. } | ProbeTarget::Ask { addr, .. }) = &self.target;
        match addr.ip() {
            IpAddr::V4(ip) => put_bytes(out, &ip.octets()),
            IpAddr::V6(ip) => put_bytes(out, &ip.octets()),
        }
        put_u32(out, u32::from(addr.port()));
        match &self.target {
            ProbeTarget::Tcp(_) => out.push(0),
            ProbeTarget::Http { path, .. } => {
                out.push(1);
                put_bytes(out, path.as_bytes());
            }
            ProbeTarget::Ask { question, starting, .. } => {
                out.push(2);
                put_bytes(out, question);
                put_bytes(out, starting);
            }
        }
        put_u32(out, self.interval_ms);
        put_u32(out, self.timeout_ms);
    }

    fn decode(input: &mut Input<'_>) -> Result<Probe, Malformed> {
        let id = input.u64()?;
        let ip = input.bytes()?;
        let ip = match (<[u8; 4]>::try_from(ip), <[u8; 16]>::try_from(ip)) {
            (Ok(v4), _) => IpAddr::from(v4),
            (_, Ok(v6)) => IpAddr::from(v6),
            _ => return Err(Malformed),
        };
        let port = u16::try_from(input.u32()?).map_err(|_| Malformed)?;
        let addr = SocketAddr::new(ip, port);
        let target = match input.u8()? {
            0 => ProbeTarget::Tcp(addr),
            1 => ProbeTarget::Http {
                addr,
                path: input.string()?,
            },
            2 => ProbeTarget::Ask {
                addr,
                question: input.bytes()?.to_vec(),
                starting: input.bytes()?.to_vec(),
            },
            _ => return Err(Malformed),
        };
        Ok(Probe {
            id,
            target,
            interval_ms: input.u32()?,
            timeout_ms: input.u32()?,
        })
    }
}

/// Writes the length in front of what `body` appends.
fn framed(out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    put_u32(out, 0);
    body(out);
    let len = len_u32(out.len() - start - 4);
    out[start..start + 4].copy_from_slice(&len.to_le_bytes());
}

/// Lengths over 4 GiB do not fit; such a message is refused by the reader, whose limit is far lower.
fn len_u32(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

fn put_u32(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&number.to_le_bytes());
}

fn put_i32(out: &mut Vec<u8>, number: i32) {
    out.extend_from_slice(&number.to_le_bytes());
}

fn put_u64(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(&number.to_le_bytes());
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_u32(out, len_u32(bytes.len()));
    out.extend_from_slice(bytes);
}

fn put_strings(out: &mut Vec<u8>, strings: &[String]) {
    put_u32(out, len_u32(strings.len()));
    strings.iter().for_each(|string| put_bytes(out, string.as_bytes()));
}

fn put_option<T>(out: &mut Vec<u8>, value: Option<&T>, put: impl FnOnce(&mut Vec<u8>, &T)) {
    out.push(u8::from(value.is_some()));
    if let Some(value) = value {
        put(out, value);
    }
}

/// What is left of a message.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.take(N)?.try_into().map_err(|_| Malformed)
    }

    fn u8(&mut self) -> Result<u8, Malformed> {
        self.array().map(|[byte]| byte)
    }

    fn bool(&mut self) -> Result<bool, Malformed> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed),
        }
    }

    fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_le_bytes)
    }

    fn i32(&mut self) -> Result<i32, Malformed> {
        self.array().map(i32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_le_bytes)
    }

    fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let len = self.u32()? as usize;
        self.take(len)
    }

    fn string(&mut self) -> Result<String, Malformed> {
        let text = std::str::from_utf8(self.bytes()?).map_err(|_| Malformed)?;
        Ok(text.to_owned())
    }

    fn strings(&mut self) -> Result<Vec<String>, Malformed> {
        let count = self.u32()?;
        (0..count).map(|_| self.string()).collect()
    }

    fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Malformed>) -> Result<Option<T>, Malformed> {
        if self.bool()? { read(self).map(Some) } else { Ok(None) }
    }

    fn done(&self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed) }
    }
}
