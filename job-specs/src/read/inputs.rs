//! `on.manual.inputs`: what a person is asked.

use crate::codes;
use crate::env::input_variable;
use crate::keys::{INPUT, MANUAL};
use crate::placed::PlacedInput;
use crate::problems::Problem;
use crate::reader::{Fields, Reader, Slot};
use crate::source::Place;
use crate::triggers::{Input, InputKind};
use crate::yaml::{Entry, Plain, Value};

/// Inputs of one file, and options of one input.
const MAX_INPUTS: usize = 50;

impl Reader<'_> {
    /// The inputs of `on.manual`.
    pub(crate) fn inputs(&mut self, slot: Slot<'_>) -> Vec<PlacedInput> {
        let inputs = self
            .fields(slot, &MANUAL, "`manual`")
            .and_then(|fields| fields.get("inputs"));
        let Some(inputs) = inputs else {
            return Vec::new();
        };
        let Some(entries) = inputs.node.entries() else {
            self.wrong_type(inputs, "a map from names to inputs");
            return Vec::new();
        };
        if entries.len() > MAX_INPUTS {
            let message = format!("there are {} inputs; at most {MAX_INPUTS} are allowed", entries.len());
            self.add(Problem::at(&codes::BAD_VALUE, inputs.place(), message));
        }
        let mut found: Vec<PlacedInput> = Vec::new();
        for entry in entries.iter().take(MAX_INPUTS) {
            let Some(input) = self.input(entry) else { continue };
            let variable = input_variable(&input.name);
            let same = |other: &&PlacedInput| input_variable(&other.input.name) == variable;
            if let Some(first) = found.iter().find(same) {
                let message = format!("two inputs are the environment variable `{variable}`");
                let problem = Problem::at(&codes::DUPLICATE, entry.key.place, message);
                self.add(problem.related(first.place, "first here"));
                continue;
            }
            found.push(PlacedInput {
                input,
                place: entry.key.place,
            });
        }
        found
    }

    fn input(&mut self, entry: &Entry) -> Option<Input> {
        let name = &*entry.key.text;
        let fine = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !starts || name.len() > 64 || !name.chars().all(fine) {
            let problem = Problem::at(
                &codes::BAD_NAME,
                entry.key.place,
                format!("`{name}` is not a name for an input"),
            );
            self.add(problem.label("letters, digits, `-` and `_` only, a letter first"));
            return None;
        }
        let mut input = Input {
            name: name.to_owned(),
            kind: InputKind::Text,
            default: None,
            required: false,
            description: String::new(),
        };
        if entry.node.is_null() {
            return Some(input);
        }
        let owner = format!("input `{name}`");
        let fields = self.fields(Slot::of(name, &entry.node), &INPUT, &owner)?;
        let kind = self.input_kind(&fields, &owner, entry.key.place);
        input.kind = kind.unwrap_or(InputKind::Text);
        let default = fields.get("default");
        input.default = default.and_then(|slot| self.input_value(slot));
        input.required = fields.get("required").and_then(|slot| self.flag(slot)).unwrap_or(false);
        let description = fields.get("description").and_then(|slot| self.literal(slot));
        input.description = description.unwrap_or_default();
        let fault = input.default.as_deref().and_then(|default| input.kind.fault(default));
        if let (Some(slot), Some(fault)) = (default, fault) {
            let message = format!("the default of {owner} is not one that it takes");
            self.add(Problem::at(&codes::BAD_INPUT, slot.place(), message).label(fault));
        }
        Some(input)
    }

    fn input_kind(&mut self, fields: &Fields<'_>, owner: &str, place: Place) -> Option<InputKind> {
        let options = fields.get("options").map(|slot| self.options(slot));
        let kind = match fields.get("type") {
            Some(slot) => self.choice(slot, &["text", "flag", "number", "choice"])?,
            None if options.is_some() => "choice",
            None => "text",
        };
        let problem = match (kind, options) {
            ("choice", Some(options)) => return Some(InputKind::Choice(options)),
            ("choice", None) => {
                let place = fields.key_place("type").unwrap_or(place);
                Problem::at(
                    &codes::BAD_INPUT,
                    place,
                    format!("{owner} is a choice without `options`"),
                )
                .help("add `options: [a, b]`")
            }
            (kind, Some(_)) => {
                let place = fields.key_place("options").unwrap_or(place);
                Problem::at(
                    &codes::BAD_INPUT,
                    place,
                    format!("{owner} has `options`, but takes any {kind}"),
                )
                .help("write `type: choice`")
            }
            ("flag", None) => return Some(InputKind::Flag),
            ("number", None) => return Some(InputKind::Number),
            (_, None) => return Some(InputKind::Text),
        };
        self.add(problem);
        None
    }

    fn options(&mut self, slot: Slot<'_>) -> Vec<String> {
        let items = self.items(slot, "a list of values").unwrap_or_default();
        if items.is_empty() || items.len() > MAX_INPUTS {
            let message = format!("`options` has 1 to {MAX_INPUTS} values, found {}", items.len());
            self.add(Problem::at(&codes::BAD_INPUT, slot.place(), message));
        }
        items
            .into_iter()
            .take(MAX_INPUTS)
            .filter_map(|item| self.input_value(item))
            .collect()
    }

    /// A value that is written out, as it is written.
    pub(crate) fn input_value(&mut self, slot: Slot<'_>) -> Option<String> {
        match &slot.node.value {
            Value::Scalar(scalar) if scalar.plain != Plain::Null => {
                self.no_template(slot, &scalar.text)?;
                Some(scalar.text.clone())
            }
            _ => {
                self.wrong_type(slot, "a text, a number or true/false");
                None
            }
        }
    }
}
