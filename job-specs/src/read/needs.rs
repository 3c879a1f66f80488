//! `needs` of a job, and `matrix: ${{ needs.plan.outputs.cells }}`. Both are read before there are cells.

use crate::codes;
use crate::located::{Need, OutputName};
use crate::model::AxisValue;
use crate::read::matrix::WRITTEN_FLAG;
use crate::reader::keys::Foreign::{Hint, Means};
use crate::reader::keys::{Kind, Others, Shape, Table, key, kind, required};
use crate::reader::kinds::LOCATED_NAME;
use crate::reader::{Reader, Slot};
use crate::source::Location;
use crate::substitute::{Piece, output_of, pieces};
use crate::yaml::Value;

/// Items of `needs`: jobs, or cells of them.
const MAX_NEEDS: usize = 256;

/// Names of jobs, and maps with `job`.
pub(crate) const NEEDS: Kind<Vec<Need>> = Kind {
    shape: Shape::OneOrMany(&Shape::AnyOf(&[Shape::Name, Shape::Object(&NEED)])),
    read: |reader, slot, _| Some(reader.needs(slot)),
};

/// An item of `needs` that is a map, as far as it is read.
#[derive(Default)]
struct Given {
    job: Option<(String, Location)>,
    cell: Vec<(AxisValue, Location, Location)>,
    artifacts: bool,
}

/// The map form of an item of `needs`.
static NEED: Table<Given> = Table {
    what: "`needs`",
    about: "A job that must end first.",
    keys: &[
        required("job")
            .about("The job's name.")
            .set(&(LOCATED_NAME, |it, job| it.job = Some(job))),
        key("matrix")
            .about("Only its cells with these values count.")
            .set(&(CELL, |it, cell| it.cell = cell)),
        key("artifacts")
            .about("Its artifacts are put into the workspace before the first step.")
            .set(&(WRITTEN_FLAG, |it, wanted| it.artifacts = wanted)),
    ],
    foreign: &[
        Means("job").answers(&["name"]),
        Means("matrix").answers(&["cell", "parallel"]),
        Means("artifacts").answers(&["artifact"]),
        Hint("write `when: {status: [success, failure]}` in the job that needs it").answers(&["optional"]),
    ],
    others: Others::Refused,
};

/// Values of axes, with the places of both.
const CELL: Kind<Vec<(AxisValue, Location, Location)>> =
    kind(Shape::Map(&Shape::Scalar), |reader, slot, _| reader.cell_of_need(slot));

impl Reader<'_> {
    fn needs(&mut self, slot: Slot<'_>) -> Vec<Need> {
        let mut needs: Vec<Need> = Vec::new();
        for item in self.at_most(slot, MAX_NEEDS) {
            let Some(need) = self.need(item) else { continue };
            let again = |other: &&Need| {
                let all = other.cell.is_empty() || need.cell.is_empty();
                other.name == need.name && (all || other.values() == need.values())
            };
            match needs.iter().find(again) {
                Some(first) => {
                    let first = first.location;
                    let message = format!("`needs` names `{}` twice", need.name);
                    let problem = codes::DUPLICATE.at(need.location, message);
                    self.add(problem.label("again").related(first, "first here"));
                }
                None => needs.push(need),
            }
        }
        needs
    }

    fn need(&mut self, slot: Slot<'_>) -> Option<Need> {
        let mut given = Given::default();
        let mut artifacts = None;
        if Self::is_map(slot) {
            let fields = self.level(slot, &NEED, "`needs`".to_owned(), &mut given)?;
            artifacts = fields.get("artifacts").filter(|_| given.artifacts);
        } else {
            given.job = Some((self.literal(slot)?, slot.location()));
        }
        let (name, location) = given.job?;
        Some(Need {
            name,
            location,
            cell: given.cell,
            artifacts: artifacts.map(|slot| slot.location()),
        })
    }

    fn cell_of_need(&mut self, slot: Slot<'_>) -> Option<Vec<(AxisValue, Location, Location)>> {
        let entries = self.entries(slot, "a map from axes to values")?;
        let mut cell = Vec::new();
        for entry in entries {
            let axis = &*entry.key.text;
            let value = self.axis_value(Slot::of(axis, &entry.node), axis);
            cell.extend(value.map(|value| (value, entry.key.location, entry.node.location)));
        }
        Some(cell)
    }

    /// The output that a matrix comes from; `None` when the matrix stands in the file, or the text is something else.
    pub(crate) fn matrix_output(&mut self, slot: Slot<'_>, needs: &[Need]) -> Option<OutputName> {
        let Value::Scalar(scalar) = &slot.node.value else {
            return None;
        };
        let found = match pieces(scalar.text.trim())[..] {
            [Piece::Name(template)] if template.root == "needs" => output_of(template.name),
            _ => None,
        };
        let Some((job, output)) = found else {
            let message = format!("the matrix of {} is a map of axes, or one output", self.owner);
            let problem = codes::WRONG_TYPE.at(slot.location(), message);
            return self
                .reject(problem.help("write `matrix: ${{ needs.plan.outputs.cells }}` alone, with `needs: plan`"));
        };
        if !needs.iter().any(|need| need.name == job) {
            self.not_needed(slot.location(), job, needs);
            return None;
        }
        Some(OutputName {
            job: job.to_owned(),
            output: output.to_owned(),
            location: slot.location(),
        })
    }
}
