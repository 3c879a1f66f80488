//! What jobs hand on to those that need them: their outputs, the limits of those, and what of several cells counts.

use std::collections::{BTreeMap, BTreeSet};

use crate::Outputs;
use crate::model::Need;
use crate::names::is_variable;
use crate::result::{AttemptResult, ReasonCode, Verdict};

/// One value may have so many bytes.
pub const MAX_VALUE: usize = 64 << 10;
/// All of one job, names and values, may have so many bytes.
pub const MAX_ALL: usize = 1 << 20;
/// A name may have so many bytes.
const MAX_NAME: usize = 100;
/// Of a wrong name so much is shown, characters.
const SHOWN: usize = 40;

/// The outputs of one job: names to values.
pub type JobOutputs = BTreeMap<String, String>;

/// Checks one output.
///
/// # Errors
/// What is wrong with it, in one sentence.
pub fn check(name: &str, value: &str) -> Result<(), String> {
    if !is_variable(name) || name.len() > MAX_NAME {
        let mut shown: String = name.chars().filter(|c| !c.is_control()).take(SHOWN).collect();
        if shown.len() < name.len() {
            shown.push('…');
        }
        return Err(format!(
            "`{shown}` is no name for an output: letters, digits and `_`, not a digit first, at most {MAX_NAME}"
        ));
    }
    if value.len() > MAX_VALUE {
        let kib = value.len().div_ceil(1024);
        return Err(format!(
            "output `{name}` has {kib} KiB; at most 64 KiB are kept: use an artifact"
        ));
    }
    Ok(())
}

/// Bytes of names and values.
pub fn size(outputs: &JobOutputs) -> usize {
    outputs.iter().map(|(name, value)| name.len() + value.len()).sum()
}

/// The result of an attempt, and the outputs that are kept. One that passed with outputs that cannot be kept has failed.
pub fn kept(result: AttemptResult, outputs: JobOutputs) -> (AttemptResult, JobOutputs) {
    let too_much = || {
        let all = size(&outputs);
        let kib = all.div_ceil(1024);
        (all > MAX_ALL).then(|| format!("the outputs have {kib} KiB; at most 1 MiB is kept: use an artifact"))
    };
    let fault = outputs.iter().find_map(|(name, value)| check(name, value).err());
    match fault.or_else(too_much) {
        None => (result, outputs),
        Some(fault) if result.verdict == Verdict::Passed => {
            let failed = AttemptResult::because(Verdict::Failed, ReasonCode::StepFailed, fault);
            (failed, JobOutputs::new())
        }
        Some(_) => (result, JobOutputs::new()),
    }
}

/// What one job sees of the outputs of those that it needs.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// By job and name, the cells that count merged.
    pub outputs: Outputs,
    /// Values on which cells of one job disagree, a sentence each; they are not among the outputs.
    pub disagreements: Vec<String>,
}

impl Seen {
    /// Adds what the cells that count for a need have handed on.
    pub fn add(&mut self, need: &Need, cells: &[&JobOutputs]) {
        let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (name, value) in cells.iter().flat_map(|outputs| outputs.iter()) {
            values.entry(name).or_default().insert(value);
        }
        let merged = self.outputs.entry(need.job.clone()).or_default();
        for (name, values) in values {
            match values.first() {
                Some(value) if values.len() == 1 => {
                    merged.insert(name.to_owned(), (*value).to_owned());
                }
                _ => {
                    let (job, count) = (&need.job, values.len());
                    let what = format!("the cells of `{job}` give {count} different values for the output `{name}`");
                    self.disagreements.push(format!("{what}: need one cell of `{job}`"));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outputs(pairs: &[(&str, &str)]) -> JobOutputs {
        pairs.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect()
    }

    #[test]
    fn outputs_have_limits() {
        let big = "x".repeat(MAX_VALUE + 1);
        let many: JobOutputs = (0..17).map(|n| (format!("n{n}"), "x".repeat(MAX_VALUE))).collect();
        let long = "n".repeat(MAX_NAME + 1);
        let given = [
            outputs(&[("version", "1"), ("_x9", "")]),
            outputs(&[("9x", "1")]),
            outputs(&[("a-b", "1")]),
            outputs(&[(&long, "1")]),
            outputs(&[("log", &big)]),
            many,
        ];
        let ends = given.map(|outputs| {
            let (result, kept) = kept(AttemptResult::passed(), outputs);
            assert_eq!(kept.is_empty(), result.verdict == Verdict::Failed);
            result.reason.map_or("fine".into(), |reason| reason.sentence)
        });
        insta::assert_snapshot!(ends.join("\n"), @"
        fine
        `9x` is no name for an output: letters, digits and `_`, not a digit first, at most 100
        `a-b` is no name for an output: letters, digits and `_`, not a digit first, at most 100
        `nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn…` is no name for an output: letters, digits and `_`, not a digit first, at most 100
        output `log` has 65 KiB; at most 64 KiB are kept: use an artifact
        the outputs have 1089 KiB; at most 1 MiB is kept: use an artifact
        ");
        let failed = AttemptResult::because(Verdict::TimedOut, ReasonCode::Timeout, "late");
        assert_eq!(
            kept(failed.clone(), outputs(&[("9x", "1")])),
            (failed, JobOutputs::new())
        );
    }

    #[test]
    fn cells_that_agree_are_one() {
        let cell = |value: &str| outputs(&[("version", "1.2"), ("os", value)]);
        let mut seen = Seen::default();
        seen.add(&Need::from("build"), &[&cell("linux"), &cell("mac")]);
        assert_eq!(seen.outputs["build"], outputs(&[("version", "1.2")]));
        insta::assert_snapshot!(seen.disagreements.join("\n"), @"the cells of `build` give 2 different values for the output `os`: need one cell of `build`");
    }
}
