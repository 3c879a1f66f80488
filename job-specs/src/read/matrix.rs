//! `matrix`: axes, `include`, `exclude`, `fail_fast`, `max_parallel`. Everything in it is written out, because cells
//! are made from it before any value is substituted.

use std::collections::HashSet;

use crate::codes;
use crate::env::matrix_variable;
use crate::limits::{MAX_AXES, MAX_ENTRIES, MAX_VALUE_BYTES};
use crate::matrix::{Axis, Exclude, Include, MAX_CELLS, MAX_PRODUCT, Matrix};
use crate::model::AxisValue;
use crate::names::is_word;
use crate::read::job::Making;
use crate::reader::keys::{Kind, Others, Shape, Table, With, key, kind};
use crate::reader::{Fields, Reader, Slot};
use crate::source::Location;
use crate::suggest::nearest;
use crate::yaml::{Entry, Plain, Scalar, Value};

/// `matrix` of a job: axes, or an output of another job.
pub(crate) const MATRIX: With<Making> = (
    Shape::AnyOf(&[Shape::Object(&MATRIX_KEYS), Shape::Text]),
    |reader, slot, job| {
        if matches!(slot.node.value, Value::Scalar(_)) && !slot.node.is_null() {
            job.matrix_from = reader.matrix_output(slot, &job.needs);
        } else {
            job.matrix = reader.matrix(slot);
        }
    },
);

/// A matrix. Any other key is an axis.
static MATRIX_KEYS: Table<Matrix> = Table {
    what: "matrix",
    about: "Axes with their values; one cell for each combination.",
    keys: &[
        key("include")
            .about("Cells to add, or values to add to the cells that match.")
            .with(&(CELLS, |reader, slot, matrix| {
                let items = reader.entries_of(slot).into_iter();
                matrix.include = items.filter_map(|item| reader.include(item)).collect();
            })),
        key("exclude")
            .about("Cells to leave out: those that have all of an entry's values.")
            .with(&(CELLS, |reader, slot, matrix| {
                let items = reader.entries_of(slot).into_iter();
                matrix.exclude = items.filter_map(|item| reader.exclude(item, &matrix.axes)).collect();
            })),
        key("fail_fast")
            .about("The first cell that fails cancels the others. Default: false.")
            .set(&(WRITTEN_FLAG, |matrix, fail_fast| matrix.fail_fast = fail_fast)),
        key("max_parallel")
            .about("At most so many cells run at once.")
            .set(&(MAX_PARALLEL, |matrix, cells| matrix.max_parallel = Some(cells))),
    ],
    foreign: &[],
    others: Others::Taken(&Shape::List(&Shape::Scalar)),
};

const CELLS: Shape = Shape::List(&Shape::Map(&Shape::Scalar));
/// `true` or `false`, written out.
pub(crate) const WRITTEN_FLAG: Kind<bool> = kind(Shape::Flag, |reader, slot, _| {
    reader.written_out(slot, |reader, slot| reader.flag(slot))
});
const MAX_PARALLEL: Kind<u32> = kind(Shape::Whole(1, 256), |reader, slot, _| {
    let cells = reader.written_out(slot, |reader, slot| reader.whole(slot, 1..=256))?;
    u32::try_from(cells).ok()
});

impl Reader<'_> {
    /// The matrix of a job, with its own checks done. `None` when something in it is wrong.
    pub(crate) fn matrix(&mut self, slot: Slot<'_>) -> Option<Matrix> {
        let errors_before = self.problems.errors();
        let owner = self.owner.clone();
        let mut matrix = Matrix::default();
        let mut fields = self.fields(slot, &MATRIX_KEYS, format!("the matrix of {owner}"))?;
        for entry in fields.others() {
            matrix.axes.extend(self.axis(entry));
        }
        self.check_variables(&fields);
        self.rest(&mut fields, &MATRIX_KEYS, slot.location(), &mut matrix);
        if self.problems.errors() == errors_before {
            self.check_size(&matrix, slot, &owner);
        }
        (self.problems.errors() == errors_before).then_some(matrix)
    }

    /// A value without `${{ }}`.
    pub(crate) fn written_out<T>(
        &mut self,
        slot: Slot<'_>,
        read: impl Fn(&mut Self, Slot<'_>) -> Option<T>,
    ) -> Option<T> {
        if let Value::Scalar(scalar) = &slot.node.value {
            self.no_template(slot, &scalar.text)?;
        }
        read(self, slot)
    }

    fn axis(&mut self, entry: &Entry) -> Option<Axis> {
        let name = &*entry.key.text;
        let slot = Slot::of(name, &entry.node);
        let Value::List(items) = &entry.node.value else {
            self.not_an_axis(entry);
            return None;
        };
        self.check_axis_name(name, entry.key.location);
        if items.is_empty() {
            let message = format!("axis `{name}` has no value, so the matrix has no cell");
            return self.reject(codes::EMPTY_MATRIX.at(slot.location(), message));
        }
        let mut seen = HashSet::new();
        let mut values = Vec::with_capacity(items.len());
        for item in items {
            let Some(value) = self.cell_value(slot.inside(item), name, Some(slot)) else {
                continue;
            };
            if seen.insert(value.clone()) {
                values.push(value);
            } else {
                let message = format!("axis `{name}` has the value `{value}` twice");
                self.add(codes::DUPLICATE.at(item.location, message));
            }
        }
        Some(Axis {
            name: name.to_owned(),
            values,
        })
    }

    /// Perhaps a key of ours with a typing error.
    fn not_an_axis(&mut self, entry: &Entry) {
        let name = &*entry.key.text;
        let message = format!("axis `{name}` takes a list of values, found {}", entry.node.found());
        let problem = |location| codes::WRONG_TYPE.at(location, message);
        self.add(match nearest(name, MATRIX_KEYS.keys.iter().map(|key| key.name)) {
            Some(meant) => problem(entry.key.location).meant(meant),
            None => problem(entry.node.location)
                .label("expected a list")
                .help(format!("write `{name}: [\"a\", \"b\"]`")),
        });
    }

    /// One value of a cell, as text: numbers as YAML reads them, with a warning when that changes them.
    pub(crate) fn cell_value(&mut self, slot: Slot<'_>, axis: &str, all: Option<Slot<'_>>) -> Option<String> {
        let Some(scalar) = slot.node.written() else {
            return self.wrong_type(slot, "a text or a number");
        };
        self.no_template(slot, &scalar.text)?;
        let value = scalar.canonical();
        if value.len() > MAX_VALUE_BYTES || value.contains('\n') {
            let message = format!("a value of axis `{axis}` is one line of at most {MAX_VALUE_BYTES} bytes");
            return self.reject(codes::BAD_VALUE.at(slot.location(), message));
        }
        if value != scalar.text {
            self.changed_number(slot, scalar, &value, all);
        }
        Some(value)
    }

    fn changed_number(&mut self, slot: Slot<'_>, scalar: &Scalar, value: &str, all: Option<Slot<'_>>) {
        let kind = match scalar.plain {
            Plain::Bool(_) => "value",
            _ => "number",
        };
        let message = format!("`{}` is the {kind} {value}", scalar.text);
        let items = match all.map(|slot| &slot.node.value) {
            Some(Value::List(items)) if items.len() <= 12 => items.as_slice(),
            _ => &[],
        };
        let texts: Vec<String> = items.iter().filter_map(|item| quoted_item(&item.value)).collect();
        let help = match texts.as_slice() {
            [] => format!("quote it if the text is meant: \"{}\"", scalar.text),
            texts => format!("quote versions: [{}]", texts.join(", ")),
        };
        let quoted = format!("\"{}\"", scalar.text);
        let problem = codes::MATRIX_NUMBER.at(slot.location(), message).help(help);
        self.add(problem.fix(slot.location().span, quoted));
    }

    /// The same with its axis.
    pub(crate) fn axis_value(&mut self, slot: Slot<'_>, axis: &str) -> Option<AxisValue> {
        let value = self.cell_value(slot, axis, None)?;
        let axis = axis.to_owned();
        Some(AxisValue { axis, value })
    }

    fn entries_of<'n>(&mut self, slot: Slot<'n>) -> Vec<Slot<'n>> {
        let mut items = self.items(slot, "a list of maps").unwrap_or_default();
        if items.len() > MAX_ENTRIES {
            let (name, count) = (slot.name(), items.len());
            let message = format!("{name} has {count} entries; at most {MAX_ENTRIES} are allowed");
            self.add(codes::TOO_MANY_CELLS.at(slot.location(), message));
            items.truncate(MAX_ENTRIES);
        }
        items
    }

    fn include(&mut self, item: Slot<'_>) -> Option<Include> {
        let entries = self.entries(item, "a map from axes to values")?;
        let mut include = Include::default();
        for entry in entries {
            let name = &*entry.key.text;
            let slot = Slot::of(name, &entry.node);
            if name == "allow_failure" {
                include.allow_failure = self.written_out(slot, Self::flag).unwrap_or(false);
                continue;
            }
            self.check_axis_name(name, entry.key.location);
            include.values.extend(self.axis_value(slot, name));
        }
        if include.values.is_empty() {
            let message = "an entry of `include` names no value of a cell";
            return self.reject(codes::MATRIX_ENTRY.at(item.location(), message));
        }
        Some(include)
    }

    fn exclude(&mut self, item: Slot<'_>, axes: &[Axis]) -> Option<Exclude> {
        let entries = self.entries(item, "a map from axes to values")?;
        let mut values = Vec::new();
        for entry in entries {
            let name = &*entry.key.text;
            if !axes.iter().any(|axis| axis.name == name) {
                self.unknown_axis(entry, axes);
                continue;
            }
            let slot = Slot::of(name, &entry.node);
            values.extend(self.axis_value(slot, name));
        }
        if entries.is_empty() {
            self.add(codes::MATRIX_ENTRY.at(item.location(), "an empty entry of `exclude` would leave no cell"));
        }
        let location = item.location();
        (!values.is_empty()).then_some(Exclude { location, values })
    }

    fn unknown_axis(&mut self, entry: &Entry, axes: &[Axis]) {
        let name = &*entry.key.text;
        let message = format!("`exclude` names `{name}`, which is not an axis of this matrix");
        let problem = codes::MATRIX_ENTRY.at(entry.key.location, message);
        self.add(problem.known(name, "axes", axes.iter().map(|axis| axis.name.as_str())));
    }

    fn check_axis_name(&mut self, name: &str, location: Location) {
        if !is_word(name) {
            let problem = codes::BAD_NAME.at(location, format!("`{name}` is not a name for an axis"));
            self.add(problem.label("letters, digits, `-` and `_` only, a letter first"));
        }
    }

    /// `a-b` and `a_b` would be one environment variable.
    fn check_variables(&mut self, fields: &Fields<'_>) {
        let mut seen: Vec<(String, Location)> = Vec::new();
        for entry in fields.others().take(MAX_AXES + 1) {
            let variable = matrix_variable(&entry.key.text);
            match seen.iter().find(|(other, _)| *other == variable) {
                Some((_, first)) => {
                    let message = format!("two axes are the environment variable `{variable}`");
                    let problem = codes::DUPLICATE.at(entry.key.location, message);
                    self.add(problem.related(*first, "first here"));
                }
                None => seen.push((variable, entry.key.location)),
            }
        }
    }

    fn check_size(&mut self, matrix: &Matrix, slot: Slot<'_>, owner: &str) {
        let names = matrix.names().len();
        if names > MAX_AXES {
            let message = format!("the matrix of {owner} has {names} axes; at most {MAX_AXES} are allowed");
            self.add(codes::TOO_MANY_CELLS.at(slot.location(), message));
            return;
        }
        let cells = match matrix.product() {
            Some(product) if product <= MAX_PRODUCT => matrix.cells().len(),
            Some(product) => product,
            None => usize::MAX,
        };
        if cells > MAX_CELLS {
            let count = if cells == usize::MAX {
                "far too many".to_owned()
            } else {
                cells.to_string()
            };
            let message = format!("the matrix of {owner} has {count} cells; at most {MAX_CELLS} are allowed");
            let problem = codes::TOO_MANY_CELLS.at(slot.location(), message);
            self.add(problem.help("remove an axis, or values from one"));
            return;
        }
        if let Some(twice) = matrix.repeated_cell() {
            let message = format!("the matrix of {owner} has the cell {} twice", twice.title());
            let problem = codes::DUPLICATE.at(slot.location(), message);
            self.add(problem.help("remove one of the two entries of `include`"));
        }
        for idle in matrix.idle_excludes() {
            self.add(codes::EXCLUDES_NOTHING.at(idle.location, "this entry of `exclude` matches no cell"));
        }
        if cells == 0 {
            self.add(codes::EMPTY_MATRIX.at(slot.location(), format!("the matrix of {owner} has no cell")));
        }
    }
}

fn quoted_item(value: &Value) -> Option<String> {
    match value {
        Value::Scalar(scalar) => Some(format!("\"{}\"", scalar.text)),
        Value::List(_) | Value::Map(_) => None,
    }
}
