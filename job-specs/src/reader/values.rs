//! Typed values: true/false, numbers, durations, sizes, words of a choice, lists and command lines.

use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::codes;
use crate::names::is_variable;
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
                let (name, min, max) = (slot.name(), range.start(), range.end());
                let message = format!("{name} is from {min} to {max}, found {value}");
                self.reject(self.not_allowed(slot, message))
            }
            _ => {
                let message = format!("{} takes a whole number, found {}", slot.name(), quoted(&scalar));
                let problem = self.bad_value(slot, &codes::WRONG_TYPE, message);
                self.reject(problem.label("expected a whole number"))
            }
        }
    }

    /// A duration in milliseconds, longer than nothing.
    pub(crate) fn duration_ms(&mut self, slot: Slot<'_>) -> Option<u64> {
        let ms = self.duration_or_zero_ms(slot)?;
        if ms > 0 {
            return Some(ms);
        }
        let message = format!("{} must be longer than 0s", slot.name());
        self.reject(self.bad_value(slot, &codes::BAD_DURATION, message))
    }

    /// A duration in milliseconds; nothing is allowed.
    pub(crate) fn duration_or_zero_ms(&mut self, slot: Slot<'_>) -> Option<u64> {
        let scalar = self.given(slot, "a duration")?;
        let text = &scalar.text;
        durations::parse_ms(text).or_else(|| {
            let problem = self.bad_value(slot, &codes::BAD_DURATION, format!("`{text}` is not a duration"));
            self.reject(match scalar.plain {
                Plain::Int(_) | Plain::Float(_) => problem
                    .label("the unit is missing")
                    .help(format!("write `{text}s` for seconds or `{text}m` for minutes")),
                _ => problem.label("expected 500ms, 30s, 10m, 1h30m or 2d"),
            })
        })
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
        size.filter(|bytes| *bytes > 0).or_else(|| {
            let problem = self.bad_value(slot, &codes::BAD_SIZE, format!("`{text}` is not a size"));
            self.reject(problem.label("expected 64m, 1g, …"))
        })
    }

    /// Processors, in thousandths.
    pub(crate) fn cpu_millis(&mut self, slot: Slot<'_>) -> Option<u64> {
        let scalar = self.given(slot, "a number")?;
        let millis = durations::times(&scalar.text, 1000);
        if self.in_compose(slot.location()) && millis == Some(0) {
            return None; // no limit
        }
        millis
            .filter(|millis| (1..=MAX_CPUS * 1000).contains(millis))
            .or_else(|| {
                let (name, found) = (slot.name(), quoted(&scalar));
                let problem = self.not_allowed(slot, format!("{name} takes a number of processors, found {found}"));
                self.reject(problem.label("expected 0.5, 2, …"))
            })
    }

    /// One of some words, and which.
    pub(crate) fn choice<'c>(&mut self, slot: Slot<'_>, choices: &[&'c str]) -> Option<&'c str> {
        let found = self.text(slot)?;
        let chosen = choices.iter().copied().find(|choice| *choice == found);
        if chosen.is_none() {
            let message = format!("`{found}` is not allowed for {}", slot.name());
            let problem = self.not_allowed(slot, message);
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
            Value::List(_) => Some(self.one_or_many(slot)),
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
        match (&slot.node.value, slot.node.text()) {
            (Value::List(items), _) => self.arguments(slot, items),
            (_, Some(text)) => self.split(slot, text),
            (_, None) => self.wrong_type(slot, "a text or a list of texts"),
        }
    }

    /// The arguments of a list; one that comes after `sh -c` is run by a shell.
    pub(crate) fn arguments(&mut self, slot: Slot<'_>, items: &[Arc<Node>]) -> Option<Vec<String>> {
        let mut arguments: Vec<Option<String>> = Vec::with_capacity(items.len());
        for item in items {
            let item = slot.inside(item);
            arguments.push(match after_shell_c(&arguments) {
                true => self.shell_text(item),
                false => self.text(item),
            });
        }
        arguments.into_iter().collect()
    }

    fn split(&mut self, slot: Slot<'_>, text: &str) -> Option<Vec<String>> {
        let words = match shell_words::split(text) {
            Ok(words) => words,
            Err(fault) => {
                let problem = self.not_allowed(slot, format!("{} cannot be split: {fault}", slot.name()));
                return self.reject(problem.help("close the quote, or write a list: `[\"sh\", \"-c\", \"…\"]`"));
            }
        };
        let mut filled: Vec<Option<String>> = Vec::with_capacity(words.len());
        for word in words {
            let templates = match after_shell_c(&filled) {
                true => Templates::MatrixOnly,
                false => Templates::All,
            };
            filled.push(match has_template(&word) {
                true => self.substitute(slot, &word, templates),
                false => Some(word),
            });
        }
        filled.into_iter().collect()
    }

    /// A name that must be made of letters, digits and `_`, like every environment variable's.
    pub(crate) fn check_variable_name(&mut self, name: &str, location: crate::source::Location) -> bool {
        if is_variable(name) {
            let is_ours = name == "DROVER" || name.starts_with("DROVER_");
            if is_ours {
                let message = format!("`{name}` is set by Drover itself");
                let problem = codes::BAD_NAME.at(location, message);
                self.add(problem.help("choose a name without `DROVER_`"));
            }
            return !is_ours;
        }
        let message = format!("`{name}` is not a name for an environment variable");
        let problem = codes::BAD_NAME.at(location, message);
        self.add(problem.label("letters, digits and `_` only, no digit first"));
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
