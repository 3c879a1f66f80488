//! `on.manual.inputs`: what a person is asked.

use crate::codes;
use crate::env::input_variable;
use crate::located::LocatedInput;
use crate::names::is_word;
use crate::reader::keys::Foreign::Means;
use crate::reader::keys::{Kind, Others, Shape, Table, key, kind};
use crate::reader::kinds::{FLAG, NAME, choice};
use crate::reader::{Fields, Reader, Slot};
use crate::source::Location;
use crate::triggers::{Input, InputKind};
use crate::yaml::Entry;

/// Inputs of one file, and options of one input.
const MAX_INPUTS: usize = 50;

/// Builds by hand.
pub(crate) static MANUAL: Table<Vec<LocatedInput>> = Table {
    what: "`manual`",
    about: "Builds that somebody asks for.",
    keys: &[key("inputs")
        .about("What the person is asked, by name: `${{ inputs.name }}`, `$DROVER_INPUT_NAME`.")
        .set(&(INPUTS, |all, inputs| *all = inputs))],
    foreign: &[Means("inputs").answers(&["input", "parameters"])],
    others: Others::Refused,
};

const INPUTS: Kind<Vec<LocatedInput>> = Kind {
    shape: Shape::Map(&Shape::AnyOf(&[Shape::Empty, Shape::Object(&INPUT)])),
    read: |reader, slot, _| reader.inputs(slot),
};

/// An input, as far as it is read.
#[derive(Default)]
struct Given {
    kind: Option<&'static str>,
    options: Option<Vec<String>>,
    default: Option<String>,
    required: bool,
    description: String,
}

/// One input.
static INPUT: Table<Given> = Table {
    what: "input",
    about: "A value that the person gives.",
    keys: &[
        key("type")
            .about("What it takes. Default: choice with `options`, else text.")
            .set(&(choice(&["text", "flag", "number", "choice"]), |it, kind| {
                it.kind = Some(kind)
            })),
        key("options")
            .about("The values of a choice.")
            .set(&(OPTIONS, |it, options| it.options = Some(options))),
        key("default")
            .about("Taken when nothing is given, and by other events.")
            .set(&(VALUE, |it, default| it.default = Some(default))),
        key("required")
            .about("It must be given.")
            .set(&(FLAG, |it, required| it.required = required)),
        key("description")
            .about("For people.")
            .set(&(NAME, |it, text| it.description = text)),
    ],
    foreign: &[
        Means("type").answers(&["kind"]),
        Means("options").answers(&["choices", "values"]),
        Means("description").answers(&["about"]),
        Means("default").answers(&["value"]),
    ],
    others: Others::Refused,
};

/// A value that is written out, as it is written.
const VALUE: Kind<String> = kind(Shape::Scalar, |reader, slot, _| reader.input_value(slot));
const OPTIONS: Kind<Vec<String>> = kind(Shape::List(&Shape::Scalar), |reader, slot, _| {
    Some(reader.options(slot))
});

impl Reader<'_> {
    fn inputs(&mut self, slot: Slot<'_>) -> Option<Vec<LocatedInput>> {
        let entries = self.entries(slot, "a map from names to inputs")?;
        if entries.len() > MAX_INPUTS {
            let message = format!("there are {} inputs; at most {MAX_INPUTS} are allowed", entries.len());
            self.add(codes::BAD_VALUE.at(slot.location(), message));
        }
        let mut found: Vec<LocatedInput> = Vec::new();
        for entry in entries.iter().take(MAX_INPUTS) {
            let Some(input) = self.input(entry) else { continue };
            let variable = input_variable(&input.name);
            let same = |other: &&LocatedInput| input_variable(&other.input.name) == variable;
            if let Some(first) = found.iter().find(same) {
                let message = format!("two inputs are the environment variable `{variable}`");
                let problem = codes::DUPLICATE.at(entry.key.location, message);
                self.add(problem.related(first.location, "first here"));
                continue;
            }
            found.push(LocatedInput {
                input,
                location: entry.key.location,
            });
        }
        Some(found)
    }

    fn input(&mut self, entry: &Entry) -> Option<Input> {
        let name = &*entry.key.text;
        if !is_word(name) {
            let problem = codes::BAD_NAME.at(entry.key.location, format!("`{name}` is not a name for an input"));
            return self.reject(problem.label("letters, digits, `-` and `_` only, a letter first"));
        }
        let owner = format!("input `{name}`");
        let mut given = Given::default();
        let mut kind = InputKind::Text;
        if !entry.node.is_null() {
            let fields = self.level(Slot::of(name, &entry.node), &INPUT, owner.clone(), &mut given)?;
            let known = self.input_kind(&fields, &mut given, &owner, entry.key.location);
            kind = known.unwrap_or(InputKind::Text);
            let fault = given.default.as_deref().and_then(|default| kind.fault(default));
            if let (Some(slot), Some(fault)) = (fields.get("default"), fault) {
                let message = format!("the default of {owner} is not one that it takes");
                self.add(codes::BAD_INPUT.at(slot.location(), message).label(fault));
            }
        }
        Some(Input {
            name: name.to_owned(),
            kind,
            default: given.default,
            required: given.required,
            description: given.description,
        })
    }

    fn input_kind(
        &mut self,
        fields: &Fields<'_>,
        given: &mut Given,
        owner: &str,
        location: Location,
    ) -> Option<InputKind> {
        let options = given.options.take();
        let kind = match fields.get("type") {
            Some(_) => given.kind?,
            None if options.is_some() => "choice",
            None => "text",
        };
        let at = |key| fields.key_location(key).unwrap_or(location);
        let problem = match (kind, options) {
            ("choice", Some(options)) => return Some(InputKind::Choice(options)),
            ("choice", None) => {
                let message = format!("{owner} is a choice without `options`");
                codes::BAD_INPUT.at(at("type"), message).help("add `options: [a, b]`")
            }
            (kind, Some(_)) => {
                let message = format!("{owner} has `options`, but takes any {kind}");
                codes::BAD_INPUT.at(at("options"), message).help("write `type: choice`")
            }
            ("flag", None) => return Some(InputKind::Flag),
            ("number", None) => return Some(InputKind::Number),
            (_, None) => return Some(InputKind::Text),
        };
        self.reject(problem)
    }

    fn options(&mut self, slot: Slot<'_>) -> Vec<String> {
        let items = self.items(slot, "a list of values").unwrap_or_default();
        if items.is_empty() || items.len() > MAX_INPUTS {
            let message = format!("`options` has 1 to {MAX_INPUTS} values, found {}", items.len());
            self.add(codes::BAD_INPUT.at(slot.location(), message));
        }
        let items = items.into_iter().take(MAX_INPUTS);
        items.filter_map(|item| self.input_value(item)).collect()
    }

    /// A value that is written out, as it is written.
    pub(crate) fn input_value(&mut self, slot: Slot<'_>) -> Option<String> {
        let Some(text) = slot.node.text() else {
            return self.wrong_type(slot, "a text, a number or true/false");
        };
        self.no_template(slot, text)?;
        Some(text.to_owned())
    }
}
