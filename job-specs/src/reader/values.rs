//! Typed values: true/false, numbers, durations, sizes, words of a choice, lists and command lines.

use std::ops::RangeInclusive;

use crate::codes;
use crate::reader::text::Templates;
use crate::reader::{Reader, Slot};
use crate::substitute::has_template;
use crate::yaml::{Entry, Node, Plain, Scalar, Value};
use crate::{durations, shell_words, sizes};

/// Numbers of processors above this are typing errors.
const MAX_CPUS: u64 = 1024;

impl Reader<'_> {
    /// A scalar; one that a `${{ }}` without a value leaves empty counts as not written at all, so that
    /// `allow_failure: ${{ matrix.nightly }}` works in cells without `nightly`.
    pub(crate) fn given(&mut self, slot: Slot<'_>, takes: &str) -> Option<Scalar> {
        self.scalar(slot, takes)
            .filter(|scalar| !scalar.text.is_empty() || !slot.has_template())
    }

    /// The same as a text.
    pub(crate) fn given_text(&mut self, slot: Slot<'_>) -> Option<String> {
        self.given(slot, "a text").map(|scalar| scalar.text)
    }

    /// `true` or `false`.
    pub(crate) fn flag(&mut self, slot: Slot<'_>) -> Option<bool> {
        let scalar = self.given(slot, "true or false")?;
        match scalar.plain {
            Plain::Bool(value) => Some(value),
            _ if self.in_compose(slot.location()) && flag_of_compose(&scalar.text).is_some() => {
                flag_of_compose(&scalar.text)
            }
            _ => {
                self.not_a_flag(slot, &scalar);
                None
            }
        }
    }

    /// `on` or `off`, `true` or `false`.
    pub(crate) fn switch(&mut self, slot: Slot<'_>) -> Option<bool> {
        let scalar = self.given(slot, "on or off")?;
        match (scalar.plain, scalar.text.as_str()) {
            (Plain::Bool(value), _) => Some(value),
            (_, "on") => Some(true),
            (_, "off") => Some(false),
            _ => {
                self.not_a_flag(slot, &scalar);
                None
            }
        }
    }

    fn not_a_flag(&mut self, slot: Slot<'_>, found: &Scalar) {
        let message = format!("{} takes true or false, found `{}`", slot.name(), found.text);
        let help = match found.text.to_lowercase().as_str() {
            "yes" | "on" | "y" | "1" => Some(("write `true`", "true")),
            "no" | "off" | "n" | "0" => Some(("write `false`", "false")),
            "true" => Some(("remove the quotes", "true")),
            "false" => Some(("remove the quotes", "false")),
            _ => None,
        };
        let problem = self
            .bad_value(slot, &codes::WRONG_TYPE, message)
            .label("expected true or false");
        self.add(match help {
            Some((help, value)) if !slot.has_template() => problem.help(help).fix(slot.location().span, value),
            Some((help, _)) => problem.help(help),
            None => problem,
        });
    }

    /// A whole number in a range.
    pub(crate) fn whole(&mut self, slot: Slot<'_>, range: RangeInclusive<i64>) -> Option<i64> {
        let mut scalar = self.given(slot, "a whole number")?;
        if self.in_compose(slot.location()) {
            scalar = Scalar::unquoted(scalar.text); // Compose takes "8080" for the number
        }
        match scalar.plain {
            Plain::Int(value) if range.contains(&value) => Some(value),
            Plain::Int(value) => {
                let message = format!(
                    "{} is from {} to {}, found {value}",
                    slot.name(),
                    range.start(),
                    range.end()
                );
                let problem = self.bad_value(slot, &codes::BAD_VALUE, message);
                self.reject(problem)
            }
            _ => {
                let message = format!("{} takes a whole number, found {}", slot.name(), quoted(&scalar));
                let problem = self
                    .bad_value(slot, &codes::WRONG_TYPE, message)
                    .label("expected a whole number");
                self.reject(problem)
            }
        }
    }

    /// A duration in milliseconds, longer than nothing.
    pub(crate) fn duration_ms(&mut self, slot: Slot<'_>) -> Option<u64> {
        let ms = self.duration_or_zero_ms(slot)?;
        if ms == 0 {
            let problem = self.bad_value(
                slot,
                &codes::BAD_DURATION,
                format!("{} must be longer than 0s", slot.name()),
            );
            return self.reject(problem);
        }
        Some(ms)
    }

    /// A duration in milliseconds; nothing is allowed.
    pub(crate) fn duration_or_zero_ms(&mut self, slot: Slot<'_>) -> Option<u64> {
        let scalar = self.given(slot, "a duration")?;
        let parsed = durations::parse_ms(&scalar.text);
        if parsed.is_none() {
            let message = format!("`{}` is not a duration", scalar.text);
            let problem = self.bad_value(slot, &codes::BAD_DURATION, message);
            self.add(match scalar.plain {
                Plain::Int(_) | Plain::Float(_) => problem
                    .label("the unit is missing")
                    .help(format!("write `{0}s` for seconds or `{0}m` for minutes", scalar.text)),
                _ => problem.label("expected 500ms, 30s, 10m, 1h30m or 2d"),
            });
        }
        parsed
    }

    /// A size in bytes.
    pub(crate) fn size_bytes(&mut self, slot: Slot<'_>) -> Option<u64> {
        let scalar = self.given(slot, "a size")?;
        match sizes::parse_bytes(&scalar.text) {
            Some(bytes) if bytes >= MIN_MEMORY => Some(bytes),
            Some(0) if self.in_compose(slot.location()) => None, // no limit
            Some(_) => {
                let message = format!("{} is at least 6m; engines take no less", slot.name());
                let problem = self.bad_value(slot, &codes::BAD_SIZE, message);
                self.reject(problem.help("is the unit missing? `512m`, `2g`"))
            }
            None => {
                let problem = self.bad_value(slot, &codes::BAD_SIZE, format!("`{}` is not a size", scalar.text));
                self.reject(problem.label("expected 512m, 1.5g, …"))
            }
        }
    }

    /// A duration in whole seconds, rounded up.
    pub(crate) fn duration_secs(&mut self, slot: Slot<'_>) -> Option<u64> {
        self.duration_ms(slot).map(|ms| ms.div_ceil(1000))
    }

    /// A size in bytes, however small.
    pub(crate) fn any_size(&mut self, slot: Slot<'_>) -> Option<u64> {
        let text = self.given_text(slot)?;
        let size = sizes::parse_bytes(&text);
        if size == Some(0) && self.in_compose(slot.location()) {
            return None; // the engine's own
        }
        let size = size.filter(|bytes| *bytes > 0);
        if size.is_none() {
            let problem = self.bad_value(slot, &codes::BAD_SIZE, format!("`{text}` is not a size"));
            self.add(problem.label("expected 64m, 1g, …"));
        }
        size
    }

    /// Processors, in thousandths.
    pub(crate) fn cpu_millis(&mut self, slot: Slot<'_>) -> Option<u64> {
        let scalar = self.given(slot, "a number")?;
        if self.in_compose(slot.location()) && durations::times(&scalar.text, 1000) == Some(0) {
            return None; // no limit
        }
        let millis = durations::times(&scalar.text, 1000).filter(|millis| (1..=MAX_CPUS * 1000).contains(millis));
        if millis.is_none() {
            let message = format!(
                "{} takes a number of processors, found {}",
                slot.name(),
                quoted(&scalar)
            );
            let problem = self
                .bad_value(slot, &codes::BAD_VALUE, message)
                .label("expected 0.5, 2, …");
            self.add(problem);
        }
        millis
    }

    /// One of some words, and which.
    pub(crate) fn choice<'c>(&mut self, slot: Slot<'_>, choices: &[&'c str]) -> Option<&'c str> {
        let found = self.text(slot)?;
        let chosen = choices.iter().copied().find(|choice| *choice == found);
        if chosen.is_none() {
            let message = format!("`{found}` is not allowed for {}", slot.name());
            let problem = self.bad_value(slot, &codes::BAD_VALUE, message);
            let problem = problem.note(format!("allowed: {}", choices.join(", ")));
            self.add(match slot.has_template() {
                true => problem.nearest(&found, choices.iter().copied()),
                false => problem.nearest_mends(&found, choices.iter().copied()),
            });
        }
        chosen
    }

    /// Whether a value is a map.
    pub(crate) fn is_map(slot: Slot<'_>) -> bool {
        matches!(slot.node.value, Value::Map(_))
    }

    /// The entries of a map.
    pub(crate) fn entries<'n>(&mut self, slot: Slot<'n>, takes: &str) -> Option<&'n [Entry]> {
        slot.node.entries().or_else(|| self.wrong_type(slot, takes))
    }

    /// The items of a list.
    pub(crate) fn items<'n>(&mut self, slot: Slot<'n>, takes: &str) -> Option<Vec<Slot<'n>>> {
        match &slot.node.value {
            Value::List(items) => Some(items.iter().map(|item| slot.inside(item)).collect()),
            Value::Scalar(_) | Value::Map(_) => self.wrong_type(slot, takes),
        }
    }

    /// One, or a list.
    pub(crate) fn one_or_many<'n>(&mut self, slot: Slot<'n>) -> Vec<Slot<'n>> {
        match &slot.node.value {
            Value::List(items) => items.iter().map(|item| slot.inside(item)).collect(),
            Value::Scalar(_) | Value::Map(_) => vec![slot],
        }
    }

    /// A text, or a list of texts.
    pub(crate) fn texts(&mut self, slot: Slot<'_>) -> Vec<String> {
        let items = self.one_or_many(slot);
        items.into_iter().filter_map(|item| self.text(item)).collect()
    }

    /// A command line: a list of arguments, or a text that is split as a shell would. `None` when a part of it is not
    /// known or wrong.
    pub(crate) fn command_line(&mut self, slot: Slot<'_>) -> Option<Vec<String>> {
        match &slot.node.value {
            Value::List(items) => self.arguments(slot, items.iter().map(|item| &**item).collect()),
            Value::Scalar(scalar) if scalar.plain == Plain::Null => self.wrong_type(slot, "a text or a list of texts"),
            Value::Scalar(scalar) => self.split(slot, &scalar.text),
            Value::Map(_) => self.wrong_type(slot, "a text or a list of texts"),
        }
    }

    /// The arguments of a list; one that comes after `sh -c` is run by a shell.
    pub(crate) fn arguments(&mut self, slot: Slot<'_>, items: Vec<&Node>) -> Option<Vec<String>> {
        let mut arguments: Vec<Option<String>> = Vec::with_capacity(items.len());
        for item in items {
            let item = slot.inside(item);
            let argument = if after_shell_c(&arguments) {
                self.shell_text(item)
            } else {
                self.text(item)
            };
            arguments.push(argument);
        }
        arguments.into_iter().collect()
    }

    fn split(&mut self, slot: Slot<'_>, text: &str) -> Option<Vec<String>> {
        let words = match shell_words::split(text) {
            Ok(words) => words,
            Err(fault) => {
                let problem = self.bad_value(
                    slot,
                    &codes::BAD_VALUE,
                    format!("{} cannot be split: {fault}", slot.name()),
                );
                return self.reject(problem.help("close the quote, or write a list: `[\"sh\", \"-c\", \"…\"]`"));
            }
        };
        let mut filled: Vec<Option<String>> = Vec::with_capacity(words.len());
        for word in words {
            let templates = if after_shell_c(&filled) {
                Templates::MatrixOnly
            } else {
                Templates::All
            };
            let word = if has_template(&word) {
                self.substitute(slot, &word, templates)
            } else {
                Some(word)
            };
            filled.push(word);
        }
        filled.into_iter().collect()
    }

    /// A name that must be made of letters, digits and `_`, like every environment variable's.
    pub(crate) fn check_variable_name(&mut self, name: &str, location: crate::source::Location) -> bool {
        let fine = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if fine && !name.starts_with(|c: char| c.is_ascii_digit()) && !name.is_empty() {
            let is_ours = name == "DROVER" || name.starts_with("DROVER_");
            if is_ours {
                let message = format!("`{name}` is set by Drover itself");
                self.add(
                    codes::BAD_NAME
                        .at(location, message)
                        .help("choose a name without `DROVER_`"),
                );
            }
            return !is_ours;
        }
        let message = format!("`{name}` is not a name for an environment variable");
        self.add(
            codes::BAD_NAME
                .at(location, message)
                .label("letters, digits and `_` only, no digit first"),
        );
        false
    }
}

/// Compose's words for true and false, which are texts in YAML 1.2, and the same in quotes.
fn flag_of_compose(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "y" => Some(true),
        "false" | "no" | "off" | "n" => Some(false),
        _ => None,
    }
}

/// Docker's own lower bound for a memory limit: 6 MiB.
const MIN_MEMORY: u64 = 6 << 20;

fn after_shell_c(before: &[Option<String>]) -> bool {
    let [.., Some(shell), Some(flag)] = before else {
        return false;
    };
    let shell = shell.rsplit('/').next().unwrap_or_default();
    matches!(shell, "sh" | "bash" | "dash" | "ash" | "zsh" | "ksh") && flag.starts_with('-') && flag.ends_with('c')
}

fn quoted(scalar: &Scalar) -> String {
    match scalar.plain {
        Plain::Text => format!("`{}`", scalar.text),
        _ => scalar.found(),
    }
}
