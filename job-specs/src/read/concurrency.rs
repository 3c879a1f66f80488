//! `concurrency` of a file, for the facts of one build.

use crate::reader::keys::Foreign::{Hint, Means};
use crate::reader::keys::{Kind, Others, Shape, Table, key, kind, required};
use crate::reader::kinds::word;
use crate::reader::{Reader, Slot};
use crate::triggers::{Concurrency, ConcurrencyMode};
use crate::yaml::Value;

/// Bytes of a group's name.
const MAX_GROUP_BYTES: usize = 512;

/// A group, or a map with `group` and `mode`.
pub(crate) const CONCURRENCY: Shape = Shape::AnyOf(&[Shape::Text, Shape::Object(&CONCURRENCY_KEYS)]);

static CONCURRENCY_KEYS: Table<Concurrency> = Table {
    what: "`concurrency`",
    about: "How builds of one group share the road.",
    keys: &[
        required("group")
            .about("Builds with the same text are one group: `${{ git.branch }}`.")
            .set(&(GROUP, |it, group| it.group = group)),
        key("mode")
            .about(
                "queue (default): one after the other. latest: of those that wait only the newest stays. \
                 cancel: a new one stops the older ones.",
            )
            .set(&(MODE, |it, mode| it.mode = mode)),
    ],
    foreign: &[
        Hint("write `mode: cancel`").answers(&["cancel_in_progress"]),
        Means("group").answers(&["name", "key"]),
        Means("mode").answers(&["strategy", "policy"]),
    ],
    others: Others::Refused,
};

const GROUP: Kind<String> = kind(Shape::Text, |reader, slot, _| reader.group(slot));
const MODE: Kind<ConcurrencyMode> = word(&["queue", "latest", "cancel"]);

impl Reader<'_> {
    /// A group that `${{ }}` leaves empty is none: a tag has no branch.
    pub(crate) fn concurrency(&mut self, slot: Slot<'_>) -> Option<Concurrency> {
        let mut concurrency = Concurrency::default();
        if matches!(slot.node.value, Value::Scalar(_)) {
            concurrency.group = self.group(slot)?;
        } else {
            self.level(slot, &CONCURRENCY_KEYS, "`concurrency`".to_owned(), &mut concurrency)?;
        }
        (!concurrency.group.is_empty()).then_some(concurrency)
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
