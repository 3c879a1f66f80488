//! `retry` of jobs and steps, and times with bounds.

use crate::codes;
use crate::model::{Retry, RetryOn};
use crate::reader::keys::Foreign::{Hint, Means};
use crate::reader::keys::{Kind, Others, Shape, Table, key, kind, required};
use crate::reader::{Reader, Slot};
use crate::yaml::Value;

/// Tries after the first one.
const MAX_RETRIES: i64 = 10;
/// The words of `retry.on`.
const CLASSES: [(&str, RetryOn); 4] = [
    ("infrastructure", RetryOn::Infrastructure),
    ("test", RetryOn::Test),
    ("timeout", RetryOn::Timeout),
    ("any", RetryOn::Any),
];

/// A number, or a map with `max` and `on`.
pub(crate) const RETRY: Kind<Retry> = Kind {
    shape: Shape::AnyOf(&[Shape::Whole(0, MAX_RETRIES), Shape::Object(&RETRY_KEYS)]),
    read: |reader, slot, _| {
        let mut retry = Retry::default();
        if matches!(slot.node.value, Value::Scalar(_)) {
            retry.max = reader.retries(slot)?;
        } else {
            reader.level(slot, &RETRY_KEYS, reader.part("retry"), &mut retry)?;
        }
        Some(retry)
    },
};

static RETRY_KEYS: Table<Retry> = Table {
    what: "`retry`",
    about: "How often, and after what.",
    keys: &[
        required("max")
            .about("Tries after the first one.")
            .set(&(RETRIES, |retry, max| retry.max = max)),
        key("on")
            .about(
                "After what: infrastructure (we broke), test (a report names failed tests), timeout, any, `exit:75`.",
            )
            .set(&(RETRY_ON, |retry, on| retry.on = on)),
    ],
    foreign: &[
        Means("max").answers(&["attempts", "limit", "count"]),
        Means("on").answers(&["when"]),
        Hint("write `on: [\"exit:75\"]`").answers(&["exit_codes", "exit_status"]),
        Hint("a retry starts at once; a step that must wait can `sleep`").answers(&["delay"]),
    ],
    others: Others::Refused,
};

const RETRIES: Kind<u32> = kind(Shape::Whole(0, MAX_RETRIES), |reader, slot, _| reader.retries(slot));
const RETRY_ON: Kind<Vec<RetryOn>> = kind(Shape::OneOrMany(&Shape::Text), |reader, slot, _| {
    Some(reader.classes(slot))
});

impl Reader<'_> {
    fn retries(&mut self, slot: Slot<'_>) -> Option<u32> {
        self.whole(slot, 0..=MAX_RETRIES)
            .and_then(|max| u32::try_from(max).ok())
    }

    fn classes(&mut self, slot: Slot<'_>) -> Vec<RetryOn> {
        let mut classes = Vec::new();
        let items = self.one_or_many(slot);
        if items.is_empty() {
            let message = "`on` is empty, so nothing would ever be tried again";
            let problem = codes::NEVER_TRUE.at(slot.location(), message);
            self.add(problem.help("remove it, or name a class"));
        }
        for item in items {
            let class = self.retry_on(item);
            classes.extend(class.filter(|class| !classes.contains(class)));
        }
        classes
    }

    fn retry_on(&mut self, slot: Slot<'_>) -> Option<RetryOn> {
        let text = self.text(slot)?;
        if let Some((_, class)) = CLASSES.iter().find(|(word, _)| *word == text) {
            return Some(*class);
        }
        if let Some(code) = text.strip_prefix("exit:") {
            let code = code.trim().parse().ok().filter(|code| (1..=255).contains(code));
            if let Some(code) = code {
                return Some(RetryOn::Exit(code));
            }
            let problem = self.not_allowed(slot, format!("`{text}` is not an exit code"));
            return self.reject(problem.label("expected `exit:` and a number from 1 to 255"));
        }
        let message = format!("`{text}` is not allowed for {}", slot.name());
        let problem = self.not_allowed(slot, message);
        let problem = problem.note("allowed: infrastructure, test, timeout, any, exit:75");
        self.reject(match text.parse::<u8>() {
            Ok(_) => problem.label(format!("did you mean `\"exit:{text}\"`?")),
            Err(_) => problem.nearest(&text, CLASSES.iter().map(|(word, _)| *word)),
        })
    }

    /// A duration in seconds between two, which are named as people write them.
    pub(crate) fn bounded_secs(&mut self, slot: Slot<'_>, min: (u64, &str), max: (u64, &str)) -> Option<u64> {
        let secs = self.duration_secs(slot)?;
        let words = if secs < min.0 {
            format!("{} is at least {}", slot.name(), min.1)
        } else if secs > max.0 {
            format!("{} is at most {}", slot.name(), max.1)
        } else {
            return Some(secs);
        };
        let problem = self.bad_value(slot, &codes::OUT_OF_BOUNDS, words);
        self.reject(problem)
    }
}
