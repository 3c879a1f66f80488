//! `retry` of jobs and steps, and times with bounds.

use crate::codes;
use crate::keys::RETRY;
use crate::model::{Retry, RetryOn};
use crate::problems::Problem;
use crate::reader::{Reader, Slot};
use crate::suggest::nearest;
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

impl Reader<'_> {
    /// A number, or a map with `max` and `on`.
    pub(crate) fn retry(&mut self, slot: Slot<'_>, owner: &str) -> Retry {
        let mut retry = Retry::default();
        if matches!(slot.node.value, Value::Scalar(_)) {
            retry.max = self.retries(slot);
            return retry;
        }
        let owner = format!("`retry` of {owner}");
        let Some(fields) = self.fields(slot, &RETRY, &owner) else {
            return retry;
        };
        if let Some(max) = self.require(&fields, "max", &owner, slot.place()) {
            retry.max = self.retries(max);
        }
        if let Some(on) = fields.get("on") {
            let items = self.one_or_many(on);
            if items.is_empty() {
                let message = "`on` is empty, so nothing would ever be tried again";
                self.add(Problem::at(&codes::NEVER_TRUE, on.place(), message).help("remove it, or name a class"));
            }
            for item in items {
                let class = self.retry_on(item);
                retry.on.extend(class.filter(|class| !retry.on.contains(class)));
            }
        }
        retry
    }

    fn retries(&mut self, slot: Slot<'_>) -> u32 {
        let max = self.whole(slot, 0..=MAX_RETRIES);
        max.and_then(|max| u32::try_from(max).ok()).unwrap_or_default()
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
            let problem = self.bad_value(slot, &codes::BAD_VALUE, format!("`{text}` is not an exit code"));
            self.add(problem.label("expected `exit:` and a number from 1 to 255"));
            return None;
        }
        let problem = self
            .bad_value(
                slot,
                &codes::BAD_VALUE,
                format!("`{text}` is not allowed for {}", slot.name()),
            )
            .note("allowed: infrastructure, test, timeout, any, exit:75");
        let is_number = text.parse::<u8>().is_ok();
        self.add(match nearest(&text, CLASSES.iter().map(|(word, _)| *word)) {
            _ if is_number => problem.label(format!("did you mean `\"exit:{text}\"`?")),
            Some(meant) => problem.label(format!("did you mean `{meant}`?")),
            None => problem,
        });
        None
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
        self.add(problem);
        None
    }
}
