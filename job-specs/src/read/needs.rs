//! `needs` of a job, and `matrix: ${{ needs.plan.outputs.cells }}`. Both are read before there are cells.

use crate::codes;
use crate::keys::NEED;
use crate::model::AxisValue;
use crate::placed::{Need, OutputName};
use crate::problems::Problem;
use crate::reader::{Reader, Slot};
use crate::substitute::{Piece, output_of, pieces};
use crate::yaml::Value;

/// Items of `needs`: jobs, or cells of them.
const MAX_NEEDS: usize = 256;

impl Reader<'_> {
    /// Names of jobs, and maps with `job`.
    pub(crate) fn needs(&mut self, slot: Slot<'_>) -> Vec<Need> {
        let mut needs: Vec<Need> = Vec::new();
        for item in self.at_most(slot, MAX_NEEDS) {
            let Some(need) = self.need(item) else { continue };
            let again = |other: &&Need| {
                let all = other.cell.is_empty() || need.cell.is_empty();
                other.name == need.name && (all || other.values() == need.values())
            };
            match needs.iter().find(again) {
                Some(first) => {
                    let first = first.place;
                    let message = format!("`needs` names `{}` twice", need.name);
                    let problem = Problem::at(&codes::DUPLICATE, need.place, message);
                    self.add(problem.label("again").related(first, "first here"));
                }
                None => needs.push(need),
            }
        }
        needs
    }

    fn need(&mut self, slot: Slot<'_>) -> Option<Need> {
        let mut need = Need {
            name: String::new(),
            place: slot.place(),
            cell: Vec::new(),
            artifacts: None,
        };
        if !matches!(slot.node.value, Value::Map(_)) {
            need.name = self.literal(slot)?;
            return Some(need);
        }
        let fields = self.fields(slot, &NEED, "`needs`")?;
        let job = self.require(&fields, "job", "`needs`", slot.place())?;
        need.name = self.literal(job)?;
        need.place = job.place();
        if let Some(matrix) = fields.get("matrix") {
            let Some(entries) = matrix.node.entries() else {
                self.wrong_type(matrix, "a map from axes to values");
                return Some(need);
            };
            for entry in entries {
                let axis = &*entry.key.text;
                let value = self.cell_value(Slot::of(axis, &entry.node), axis, None);
                let axis = axis.to_owned();
                let value = value.map(|value| (AxisValue { axis, value }, entry.key.place, entry.node.place));
                need.cell.extend(value);
            }
        }
        if let Some(artifacts) = fields.get("artifacts") {
            let wanted = self.written_out(artifacts, Self::flag) == Some(true);
            need.artifacts = wanted.then(|| artifacts.place());
        }
        Some(need)
    }

    /// The output that a matrix comes from; `None` when the matrix stands in the file, or the text is something else.
    pub(crate) fn matrix_output(&mut self, slot: Slot<'_>, owner: &str, needs: &[Need]) -> Option<OutputName> {
        let Value::Scalar(scalar) = &slot.node.value else {
            return None;
        };
        let found = match pieces(scalar.text.trim())[..] {
            [Piece::Name(template)] if template.root == "needs" => output_of(template.name),
            _ => None,
        };
        let Some((job, output)) = found else {
            let message = format!("the matrix of {owner} is a map of axes, or one output");
            let problem = Problem::at(&codes::WRONG_TYPE, slot.place(), message);
            self.add(problem.help("write `matrix: ${{ needs.plan.outputs.cells }}` alone, with `needs: plan`"));
            return None;
        };
        if !needs.iter().any(|need| need.name == job) {
            self.not_needed(slot.place(), job, needs);
            return None;
        }
        Some(OutputName {
            job: job.to_owned(),
            output: output.to_owned(),
            place: slot.place(),
        })
    }
}
