//! `concurrency` of a file, for the facts of one build.

use crate::keys::CONCURRENCY;
use crate::reader::{Reader, Slot};
use crate::triggers::{Concurrency, ConcurrencyMode};
use crate::yaml::Value;

/// Bytes of a group's name.
const MAX_GROUP_BYTES: usize = 512;

impl Reader<'_> {
    /// A group, or a map with `group` and `mode`. A group that `${{ }}` leaves empty is none: a tag has no branch.
    pub(crate) fn concurrency(&mut self, slot: Slot<'_>) -> Option<Concurrency> {
        if matches!(slot.node.value, Value::Scalar(_)) {
            let group = self.group(slot)?;
            let mode = ConcurrencyMode::Queue;
            return Some(Concurrency { group, mode });
        }
        let fields = self.fields(slot, &CONCURRENCY, "`concurrency`")?;
        let mode = fields
            .get("mode")
            .and_then(|slot| self.choice(slot, &["queue", "latest", "cancel"]));
        let group = self.require(&fields, "group", "`concurrency`", slot.place())?;
        Some(Concurrency {
            group: self.group(group)?,
            mode: match mode {
                Some("latest") => ConcurrencyMode::Latest,
                Some("cancel") => ConcurrencyMode::Cancel,
                _ => ConcurrencyMode::Queue,
            },
        })
    }

    fn group(&mut self, slot: Slot<'_>) -> Option<String> {
        if slot.has_template() {
            let group = self.text(slot)?;
            if group.trim().is_empty() {
                return None;
            }
        }
        self.line(slot, MAX_GROUP_BYTES)
    }
}
