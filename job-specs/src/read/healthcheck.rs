//! Compose's `healthcheck`, and the commands that both it and `ready.cmd` hold.

use std::sync::Arc;

use crate::codes;
use crate::model::{HealthTest, Healthcheck};
use crate::reader::keys::Foreign::Means;
use crate::reader::keys::{Kind, Others, Shape, Table, key, kind};
use crate::reader::kinds::{DURATION_OR_ZERO, FLAG, whole};
use crate::reader::{Reader, Slot};
use crate::yaml::{Node, Plain, Value};

/// A text, or a list of texts.
pub(crate) const WORDS: Shape = Shape::AnyOf(&[Shape::Text, Shape::List(&Shape::Text)]);

/// Compose's `healthcheck`.
pub(crate) const HEALTHCHECK: Kind<Healthcheck> = Kind {
    shape: Shape::Object(&HEALTHCHECK_KEYS),
    read: |reader, slot, _| reader.healthcheck(slot),
};

/// A health check, as far as it is read.
#[derive(Default)]
struct Given {
    check: Healthcheck,
    disable: bool,
}

static HEALTHCHECK_KEYS: Table<Given> = Table {
    what: "`healthcheck`",
    about: "Compose's health check.",
    keys: &[
        key("test")
            .about("A text for a shell, or a list that begins with CMD, CMD-SHELL or NONE.")
            .set(&(TEST, |it, test| it.check.test = test)),
        key("interval")
            .about("Between two probes. Default: 30s; at once when an exposed port takes connections.")
            .set(&(TIME, |it, ms| it.check.interval_ms = ms)),
        key("timeout")
            .about("One probe may take this long. Default: 30s.")
            .set(&(TIME, |it, ms| it.check.timeout_ms = ms)),
        key("retries")
            .about("Failures in a row that make it unhealthy, and end the wait for it. Default: 3, and at least 60s.")
            .set(&(whole(0, 1000), |given, retries| {
                // 0 is the default, as it is for an engine
                if let Some(retries) = u32::try_from(retries).ok().filter(|retries| *retries > 0) {
                    (given.check.retries, given.check.own_retries) = (retries, true);
                }
            })),
        key("start_period")
            .about("Failures in this time do not count. Default: 0s.")
            .set(&(TIME, |it, ms| it.check.start_period_ms = ms)),
        key("start_interval")
            .about("Between two probes until the first success. Default: 5s, or the interval if that is shorter.")
            .set(&(TIME, |it, ms| it.check.start_interval_ms = Some(ms))),
        key("disable")
            .about("true: the image's own health check is not used.")
            .set(&(FLAG, |it, disable| it.disable = disable)),
    ],
    foreign: &[
        Means("test").answers(&["cmd", "command"]),
        Means("interval").answers(&["period"]),
    ],
    others: Others::Extensions,
};

/// What runs; nothing for `NONE`.
const TEST: Kind<Option<HealthTest>> = kind(WORDS, |reader, slot, _| reader.health_test(slot));
/// 0s is the default, as it is for an engine.
const TIME: Kind<u64> = Kind {
    read: |reader, slot, _| reader.duration_or_zero_ms(slot).filter(|ms| *ms > 0),
    ..DURATION_OR_ZERO
};

impl Reader<'_> {
    fn healthcheck(&mut self, slot: Slot<'_>) -> Option<Healthcheck> {
        if let Value::Scalar(scalar) = &slot.node.value
            && scalar.plain != Plain::Null
        {
            let help = format!("write `healthcheck: {{test: {}}}`", scalar.text.trim());
            return self.wrong_form(slot, "a map", help);
        }
        let (given, fields) = self.map(slot, &HEALTHCHECK_KEYS)?;
        Some(Healthcheck {
            test: given.check.test.filter(|_| !given.disable),
            of_image: fields.get("test").is_none() && !given.disable,
            ..given.check
        })
    }

    /// `Some(None)` for `NONE`; `None` when it cannot be read.
    fn health_test(&mut self, slot: Slot<'_>) -> Option<Option<HealthTest>> {
        let Value::List(items) = &slot.node.value else {
            return self.shell_test(slot).map(Some);
        };
        match first_word(items) {
            "NONE" => Some(None),
            "CMD" | "CMD-SHELL" => self.probe_command(slot).map(Some),
            _ => {
                let location = items.first().map_or(slot.location(), |first| first.location);
                let message = "a list for `test` begins with CMD, CMD-SHELL or NONE";
                self.reject(codes::BAD_VALUE.at(location, message).help("write `[\"CMD\", …]`"))
            }
        }
    }

    /// A command that probes: a text for a shell, a list of arguments, or a list that begins with CMD or CMD-SHELL.
    pub(crate) fn probe_command(&mut self, slot: Slot<'_>) -> Option<HealthTest> {
        let Value::List(items) = &slot.node.value else {
            return self.shell_test(slot);
        };
        for item in self.one_or_many(slot) {
            self.warn_of_escape(item);
        }
        let arguments = match (first_word(items), items.as_slice()) {
            ("CMD-SHELL", [_, command]) => return self.shell_text(slot.inside(command)).map(HealthTest::Shell),
            ("CMD-SHELL", _) => {
                let problem = codes::BAD_VALUE.at(slot.location(), "CMD-SHELL is followed by one text");
                return self.reject(problem.help("write `[\"CMD-SHELL\", \"…\"]`"));
            }
            ("CMD", [_, rest @ ..]) => self.arguments(slot, rest)?,
            _ => self.arguments(slot, items)?,
        };
        if arguments.first().is_none_or(String::is_empty) {
            return self.reject(codes::BAD_VALUE.at(slot.location(), format!("{} names no program", slot.name())));
        }
        Some(HealthTest::Exec(arguments))
    }

    fn shell_test(&mut self, slot: Slot<'_>) -> Option<HealthTest> {
        self.warn_of_escape(slot);
        let text = self.shell_text(slot)?;
        if text.trim().is_empty() {
            return self.reject(codes::BAD_VALUE.at(slot.location(), format!("{} is empty", slot.name())));
        }
        Some(HealthTest::Shell(text))
    }
}

/// What the first item of a list says, when it is a text.
fn first_word(items: &[Arc<Node>]) -> &str {
    items.first().and_then(|first| first.text()).unwrap_or_default()
}
