//! The labels on everything that is made in the engine. They are how a sweep, a restarted agent and a curious person
//! find what belongs to whom; nothing is found by its name.

use std::collections::BTreeMap;

/// The agent that made it; its value is [`super::EngineConfig::agent`].
pub const AGENT: &str = "drover.agent";
/// The attempt that owns it, when one does.
pub const ATTEMPT: &str = "drover.attempt";
/// The stack that owns it, when one does.
pub const STACK: &str = "drover.stack";
/// The sandbox that it stands in.
pub const SANDBOX: &str = "drover.sandbox";
/// What it is for: [`ROLE_ANCHOR`], [`ROLE_SERVICE`] or [`ROLE_STEP`].
pub const ROLE: &str = "drover.role";
/// The service's name, on a service.
pub const SERVICE: &str = "drover.service";
/// Unix seconds; from then on any agent of this machine may remove it.
pub const EXPIRES: &str = "drover.expires";

/// On images of code that is not trusted: they go with all that they were built from.
pub const UNTRUSTED: &str = "drover.untrusted";

/// [`ROLE`] of a sandbox's anchor.
pub const ROLE_ANCHOR: &str = "anchor";
/// [`ROLE`] of a service.
pub const ROLE_SERVICE: &str = "service";
/// [`ROLE`] of a step.
pub const ROLE_STEP: &str = "step";

/// Label names to values.
pub type Labels = BTreeMap<String, String>;

/// `key=value` as an engine's filter wants it.
pub fn filter(key: &str, value: &str) -> String {
    format!("{key}={value}")
}

/// The instruction by which a Dockerfile sets them.
pub(crate) fn instruction(labels: &Labels) -> String {
    let quoted = |text: &str| {
        let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$");
        format!("\"{escaped}\"")
    };
    let pairs = labels
        .iter()
        .map(|(name, value)| format!("{}={}", quoted(name), quoted(value)));
    format!("LABEL {}", pairs.collect::<Vec<_>>().join(" "))
}
