//! Agents and queue.

use askama::Template;

use super::frame::{Head, Section};
use crate::look::Look;
use crate::views::{AgentRow, AgentsPage, Frame};
use crate::{format, routes, ui};

/// `/agents`
#[derive(Template)]
#[template(path = "agents.html", blocks = ["live"])]
pub struct Agents<'a> {
    frame: &'a Frame,
    head: Head,
    view: &'a AgentsPage,
    free: u32,
    slots: u32,
}

impl<'a> Agents<'a> {
    pub fn new(frame: &'a Frame, view: &'a AgentsPage) -> Agents<'a> {
        let head = Head::new("Agents and queue", Section::Agents).live("/events?page=queue");
        let online = || view.agents.iter().filter(|agent| agent.online && !agent.draining);
        let slots = online().map(|agent| agent.slots).sum();
        let free = online().map(|agent| agent.slots.saturating_sub(used(agent))).sum();
        Agents {
            frame,
            head,
            view,
            free,
            slots,
        }
    }

    fn look(&self, agent: &AgentRow) -> Look {
        let (icon, word, tone) = match agent {
            AgentRow { online: false, .. } => ("unhealthy", "offline", "fail"),
            AgentRow { draining: true, .. } => ("stopped", "draining", "warn"),
            AgentRow { running, .. } if !running.is_empty() => ("running", "working", "run"),
            _ => ("healthy", "idle", "ok"),
        };
        Look { icon, word, tone }
    }

    /// One entry per slot: whether it is in use.
    fn slots(&self, agent: &AgentRow) -> Vec<bool> {
        (0..agent.slots.min(64)).map(|slot| slot < used(agent)).collect()
    }

    fn action(&self, agent: &AgentRow, name: &str) -> String {
        format!("{}/{name}", routes::agent(&agent.id))
    }
}

fn used(agent: &AgentRow) -> u32 {
    u32::try_from(agent.running.len()).unwrap_or(u32::MAX)
}
