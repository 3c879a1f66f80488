//! What has been read of a job file before there are cells, and services before they are checked together: the model's
//! parts with the places that messages point at. Reading makes it; checks, expansion and templates use it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::events::Trigger;
use crate::matrix::{Cell, Matrix};
use crate::model::{self, AxisValue, Dependency, DependencyCondition, ServiceSpec};
use crate::source::Location;
use crate::triggers::{Input, Schedule};
use crate::yaml::{Entry, Node};

/// Events of a file without `on`: all but the schedule.
const DEFAULT_EVENTS: [&str; 4] = ["push", "pull_request", "tag", "manual"];

/// What `on` of one file says.
#[derive(Debug, Clone, Default)]
pub(crate) struct On {
    /// The events, each perhaps several times: one of them is enough.
    pub(crate) triggers: Vec<Trigger>,
    pub(crate) schedules: Vec<LocatedSchedule>,
    pub(crate) inputs: Vec<LocatedInput>,
    /// Where it names the schedule.
    pub(crate) schedule_location: Option<Location>,
}

impl On {
    /// What a file without `on` wants.
    pub(crate) fn by_default() -> On {
        On {
            triggers: DEFAULT_EVENTS.into_iter().map(Trigger::any).collect(),
            ..On::default()
        }
    }
}

/// A schedule and the places of its inputs, which other files may declare.
#[derive(Debug, Clone)]
pub(crate) struct LocatedSchedule {
    pub(crate) schedule: Schedule,
    /// Places of key and value of each of its `inputs`.
    pub(crate) inputs: BTreeMap<String, (Location, Location)>,
}

/// An input and where it is declared.
#[derive(Debug, Clone)]
pub(crate) struct LocatedInput {
    pub(crate) input: Input,
    pub(crate) location: Location,
}

/// A job, read as far as it can be without a cell.
#[derive(Debug, Clone)]
pub(crate) struct JobSource {
    pub(crate) name: String,
    /// Its key.
    pub(crate) location: Location,
    pub(crate) node: Arc<Node>,
    pub(crate) needs: Vec<Need>,
    pub(crate) matrix: Matrix,
    /// The matrix could not be read; there is one cell, and nothing is known about it.
    pub(crate) matrix_is_wrong: bool,
    /// The matrix is an output of another job; there is one cell, and nothing is known about it yet.
    pub(crate) matrix_from: Option<OutputName>,
    /// One for each `JobSpec`; a job without a matrix has one empty cell.
    pub(crate) cells: Vec<Cell>,
    /// Every name that a cell can have.
    pub(crate) axes: Vec<String>,
    /// For each of them the values that the cells have.
    pub(crate) values: Vec<Vec<String>>,
}

impl JobSource {
    pub(crate) fn new(name: String, entry: &Entry) -> JobSource {
        JobSource {
            name,
            location: entry.key.location,
            node: Arc::clone(&entry.node),
            needs: Vec::new(),
            matrix: Matrix::default(),
            matrix_is_wrong: false,
            matrix_from: None,
            cells: vec![Cell::default()],
            axes: Vec::new(),
            values: Vec::new(),
        }
    }

    pub(crate) fn set_matrix(&mut self, matrix: Matrix) {
        self.cells = matrix.cells();
        self.axes = matrix.names();
        self.values = self.axes.iter().map(|axis| values_of(&self.cells, axis)).collect();
        self.matrix = matrix;
        self.matrix_from = None;
    }

    /// The same, of which nothing is to run.
    pub(crate) fn without_cells(&self) -> JobSource {
        JobSource {
            cells: Vec::new(),
            matrix_from: None,
            ..self.clone()
        }
    }

    /// Whether any axis may have any value.
    pub(crate) fn axes_unknown(&self) -> bool {
        self.matrix_is_wrong || self.matrix_from.is_some()
    }
}

fn values_of(cells: &[Cell], axis: &str) -> Vec<String> {
    let mut values: Vec<String> = Vec::new();
    for value in cells.iter().filter_map(|cell| cell.value(axis)) {
        if !values.iter().any(|known| known == value) {
            values.push(value.to_owned());
        }
    }
    values
}

/// One item of `needs`.
#[derive(Debug, Clone)]
pub(crate) struct Need {
    pub(crate) name: String,
    pub(crate) location: Location,
    /// The cells that count, with the places of axis and value.
    pub(crate) cell: Vec<(AxisValue, Location, Location)>,
    /// Where it asks for artifacts.
    pub(crate) artifacts: Option<Location>,
}

/// An output of another job, as a template names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OutputName {
    pub(crate) job: String,
    pub(crate) output: String,
    pub(crate) location: Location,
}

impl Need {
    /// For the job itself.
    pub(crate) fn spec(&self) -> model::Need {
        model::Need {
            job: self.name.clone(),
            cell: self.cell.iter().map(|(value, ..)| value.clone()).collect(),
            artifacts: self.artifacts.is_some(),
        }
    }

    /// The cells that count, without places.
    pub(crate) fn values(&self) -> Vec<&AxisValue> {
        self.cell.iter().map(|(value, ..)| value).collect()
    }
}

/// A service with the places that its checks point at.
#[derive(Debug, Clone)]
pub(crate) struct LocatedService {
    pub(crate) spec: ServiceSpec,
    pub(crate) location: Location,
    pub(crate) depends_on: Vec<LocatedDependency>,
    /// Its aliases and its host name, when it is not its key.
    pub(crate) hosts: Vec<(String, Location)>,
    /// Compose's `links`.
    pub(crate) links: Vec<Link>,
    /// The first port that Compose would publish on the host, and where that is written.
    pub(crate) published: Option<(u16, Location)>,
}

/// One of `links`.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) target: String,
    /// A further name of the target.
    pub(crate) alias: Option<String>,
    pub(crate) location: Location,
}

impl LocatedService {
    /// Gives it a further host name.
    pub(crate) fn answers_to(&mut self, name: String, location: Location) {
        if name != self.spec.name && !self.spec.aliases.contains(&name) {
            self.hosts.push((name.clone(), location));
            self.spec.aliases.push(name);
        }
    }
}

/// An edge of `depends_on` and where it is written.
#[derive(Debug, Clone)]
pub(crate) struct LocatedDependency {
    pub(crate) dependency: Dependency,
    pub(crate) location: Location,
    pub(crate) condition_location: Location,
}

impl LocatedDependency {
    /// On a service that must run.
    pub(crate) fn started(service: String, location: Location) -> LocatedDependency {
        LocatedDependency {
            dependency: Dependency {
                service,
                condition: DependencyCondition::ServiceStarted,
                required: true,
            },
            location,
            condition_location: location,
        }
    }
}
