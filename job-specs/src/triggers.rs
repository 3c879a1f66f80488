//! What starts builds and how they share the road: schedules, inputs of builds by hand, concurrency. Plain data; the
//! coordinator decides when.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One item of `on.schedule`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Five fields, as in the file.
    pub cron: String,
    /// IANA name of a time zone: `Europe/Paris`; `UTC` by default.
    pub timezone: String,
    /// What happens to times that passed while nobody was there.
    pub missed: Missed,
    /// Values of `inputs` for its builds.
    pub inputs: BTreeMap<String, String>,
}

/// `missed` of a schedule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missed {
    /// One build for all of them (`run_once`).
    #[default]
    RunOnce,
    /// They are gone.
    Skip,
}

/// One input of builds that are started by hand (`on.manual.inputs`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// Its name after `inputs.`.
    pub name: String,
    /// What it takes.
    pub kind: InputKind,
    /// What is taken when it is not given.
    pub default: Option<String>,
    /// It must be given.
    pub required: bool,
    /// For people.
    pub description: String,
}

/// What an input takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputKind {
    /// Any text.
    Text,
    /// `true` or `false`.
    Flag,
    /// A number.
    Number,
    /// One of these.
    Choice(Vec<String>),
}

/// `concurrency`, for the facts of one build.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Concurrency {
    /// Builds of a repository with the same group share the road.
    pub group: String,
    /// How.
    pub mode: ConcurrencyMode,
}

/// `concurrency.mode`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConcurrencyMode {
    /// One after the other, in the order of their numbers.
    #[default]
    Queue,
    /// The one that runs goes on; of those that wait only the newest stays.
    Latest,
    /// A new one stops the older ones.
    Cancel,
}

/// The inputs of a build that nobody was asked for (a push): their defaults, and empty texts.
pub fn default_inputs(inputs: &[Input]) -> BTreeMap<String, String> {
    let value = |input: &Input| (input.name.clone(), input.default.clone().unwrap_or_default());
    inputs.iter().map(value).collect()
}

/// What is wrong with given inputs: one sentence for each.
///
/// # Errors
/// Unknown names, missing ones, values that the kind does not take.
pub fn check_inputs(
    inputs: &[Input],
    given: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Vec<String>> {
    let mut faults = Vec::new();
    for name in given
        .keys()
        .filter(|name| !inputs.iter().any(|input| input.name == **name))
    {
        let known: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
        faults.push(match known.is_empty() {
            true => format!("`{name}` is no input: the job file has none"),
            false => format!("`{name}` is no input of the job file; those are: {}", known.join(", ")),
        });
    }
    let mut values = BTreeMap::new();
    for input in inputs {
        match given.get(&input.name).or(input.default.as_ref()) {
            Some(value) => match input.kind.fault(value) {
                Some(fault) => faults.push(format!("input `{}`: {fault}", input.name)),
                None => {
                    values.insert(input.name.clone(), value.clone());
                }
            },
            None if input.required => faults.push(format!("input `{}` must be given", input.name)),
            None => {
                values.insert(input.name.clone(), String::new());
            }
        }
    }
    if faults.is_empty() { Ok(values) } else { Err(faults) }
}

impl InputKind {
    /// Why a value is not taken.
    pub fn fault(&self, value: &str) -> Option<String> {
        match self {
            InputKind::Text => None,
            InputKind::Flag => {
                (!matches!(value, "true" | "false")).then(|| format!("`{value}` is neither true nor false"))
            }
            InputKind::Number => {
                let number = value.parse::<f64>().ok().filter(|number| number.is_finite());
                number.is_none().then(|| format!("`{value}` is not a number"))
            }
            InputKind::Choice(words) => {
                (!words.iter().any(|word| word == value)).then(|| format!("`{value}` is none of {}", words.join(", ")))
            }
        }
    }
}
