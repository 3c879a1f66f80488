//! Compose's `healthcheck`, and the commands that both it and `ready.cmd` hold.

use crate::codes;
use crate::keys::HEALTHCHECK;
use crate::model::{HealthTest, Healthcheck};
use crate::problems::Problem;
use crate::reader::{Reader, Slot};
use crate::yaml::{Plain, Value};

impl Reader<'_> {
    /// `None` when it cannot be read.
    pub(crate) fn healthcheck(&mut self, slot: Slot<'_>, owner: &str) -> Option<Healthcheck> {
        if let Value::Scalar(scalar) = &slot.node.value
            && scalar.plain != Plain::Null
        {
            let message = format!("`healthcheck` takes a map, found {}", slot.node.found());
            let help = format!("write `healthcheck: {{test: {}}}`", scalar.text.trim());
            self.add(Problem::at(&codes::WRONG_TYPE, slot.place(), message).help(help));
            return None;
        }
        let fields = self.fields(slot, &HEALTHCHECK, &format!("`healthcheck` of {owner}"))?;
        let disabled = fields.get("disable").and_then(|slot| self.flag(slot)).unwrap_or(false);
        let test = match fields.get("test") {
            Some(test) => self.health_test(test)?,
            None => None,
        };
        // 0s is the default, as it is for an engine
        let ms = |reader: &mut Self, key| {
            let given = reader.take(&fields, key, Self::duration_or_zero_ms);
            given.filter(|ms| *ms > 0)
        };
        let retries = self.take(&fields, "retries", |reader, slot| reader.count_or_zero(slot, 1000));
        let retries = retries.filter(|retries| *retries > 0); // 0 is the default, as it is for an engine
        let usual = Healthcheck::default();
        Some(Healthcheck {
            test: test.filter(|_| !disabled),
            of_image: fields.get("test").is_none() && !disabled,
            interval_ms: ms(self, "interval").unwrap_or(usual.interval_ms),
            timeout_ms: ms(self, "timeout").unwrap_or(usual.timeout_ms),
            retries: retries.unwrap_or(usual.retries),
            own_retries: retries.is_some(),
            start_period_ms: ms(self, "start_period").unwrap_or(usual.start_period_ms),
            start_interval_ms: ms(self, "start_interval"),
        })
    }

    /// `Some(None)` for `NONE`; `None` when it cannot be read.
    fn health_test(&mut self, slot: Slot<'_>) -> Option<Option<HealthTest>> {
        let Value::List(items) = &slot.node.value else {
            return self.shell_test(slot).map(Some);
        };
        let kind = match items.first().map(|first| &first.value) {
            Some(Value::Scalar(scalar)) => scalar.text.as_str(),
            _ => "",
        };
        match kind {
            "NONE" => Some(None),
            "CMD" | "CMD-SHELL" => self.probe_command(slot).map(Some),
            _ => {
                let place = items.first().map_or(slot.place(), |first| first.place);
                let message = "a list for `test` begins with CMD, CMD-SHELL or NONE";
                self.add(Problem::at(&codes::BAD_VALUE, place, message).help("write `[\"CMD\", …]`"));
                None
            }
        }
    }

    /// A command that probes: a text for a shell, a list of arguments, or a list that begins with CMD or CMD-SHELL.
    pub(crate) fn probe_command(&mut self, slot: Slot<'_>) -> Option<HealthTest> {
        let Value::List(items) = &slot.node.value else {
            return self.shell_test(slot);
        };
        self.one_or_many(slot)
            .into_iter()
            .for_each(|item| self.warn_of_escape(item));
        let kind = match items.first().map(|first| &first.value) {
            Some(Value::Scalar(scalar)) => scalar.text.as_str(),
            _ => "",
        };
        let rest = || items.iter().skip(1).map(|item| &**item).collect();
        let arguments = match kind {
            "CMD-SHELL" => match items.as_slice() {
                [_, command] => return self.shell_text(slot.inside(command)).map(HealthTest::Shell),
                _ => {
                    let message = "CMD-SHELL is followed by one text";
                    self.add(
                        Problem::at(&codes::BAD_VALUE, slot.place(), message).help("write `[\"CMD-SHELL\", \"…\"]`"),
                    );
                    return None;
                }
            },
            "CMD" => self.arguments(slot, rest())?,
            _ => self.arguments(slot, items.iter().map(|item| &**item).collect())?,
        };
        if arguments.first().is_none_or(String::is_empty) {
            self.add(Problem::at(
                &codes::BAD_VALUE,
                slot.place(),
                format!("{} names no program", slot.name()),
            ));
            return None;
        }
        Some(HealthTest::Exec(arguments))
    }

    fn shell_test(&mut self, slot: Slot<'_>) -> Option<HealthTest> {
        self.warn_of_escape(slot);
        let text = self.shell_text(slot)?;
        if text.trim().is_empty() {
            self.add(Problem::at(
                &codes::BAD_VALUE,
                slot.place(),
                format!("{} is empty", slot.name()),
            ));
            return None;
        }
        Some(HealthTest::Shell(text))
    }
}
