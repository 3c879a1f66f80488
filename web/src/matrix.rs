//! How a matrix is laid out. One axis stays a list; two axes span a table; of three or more the two with the most
//! values span it and every combination of the others is a facet, a table of its own. Places without a job were left
//! out by `exclude`.

use crate::common::in_common;
use crate::views::{Exclusion, JobRow};

/// The jobs of one name, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group<'a> {
    /// The job's key in the file.
    pub name: &'a str,
    /// Its cells; one job without a matrix.
    pub jobs: Vec<&'a JobRow>,
    /// Its tables; empty for no matrix or one axis.
    pub tables: Vec<Table<'a>>,
    /// What all failures have in common, in one sentence.
    pub pattern: Option<String>,
}

/// One facet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table<'a> {
    /// `os=linux, arch=arm64`; empty when the two axes are all there are.
    pub facet: String,
    /// Name of the axis whose values are rows.
    pub row_axis: &'a str,
    /// Name of the axis whose values are columns.
    pub column_axis: &'a str,
    /// Column headers.
    pub columns: Vec<Head<'a>>,
    /// Rows, each as wide as `columns`.
    pub rows: Vec<(Head<'a>, Vec<TableCell<'a>>)>,
}

/// Header of a row or column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head<'a> {
    /// The axis' value.
    pub value: &'a str,
    /// Failures in it.
    pub failed: usize,
    /// Jobs in it.
    pub total: usize,
}

/// One place of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableCell<'a> {
    /// A job.
    Job(&'a JobRow),
    /// Left out, by this rule when it is known.
    Excluded(Option<&'a str>),
}

/// What stands for the value of an axis that a cell does not have (an `include` may leave one out).
const NO_VALUE: &str = "—";

struct Axis<'a> {
    name: &'a str,
    values: Vec<&'a str>,
}

/// The jobs by name, each with its tables.
pub fn groups<'a>(jobs: &'a [JobRow], exclusions: &'a [Exclusion]) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for job in jobs {
        match groups.iter_mut().find(|group| group.name == job.name) {
            Some(group) => group.jobs.push(job),
            None => groups.push(Group {
                name: &job.name,
                jobs: vec![job],
                tables: Vec::new(),
                pattern: None,
            }),
        }
    }
    for group in &mut groups {
        let left_out: Vec<&Exclusion> = exclusions
            .iter()
            .filter(|exclusion| exclusion.job == group.name)
            .collect();
        group.tables = tables(&group.jobs, &left_out);
        let cells: Vec<_> = group.jobs.iter().map(|job| (&job.cell[..], job.status)).collect();
        group.pattern = in_common(&cells);
    }
    groups
}

fn tables<'a>(jobs: &[&'a JobRow], exclusions: &[&'a Exclusion]) -> Vec<Table<'a>> {
    let mut others = axes(jobs, exclusions);
    if others.len() < 2 {
        return Vec::new();
    }
    let rows = take_largest(&mut others);
    let columns = take_largest(&mut others);
    facets(&others)
        .into_iter()
        .filter_map(|facet| {
            let here = |job: &&&JobRow| facet.iter().all(|(axis, value)| value_of(job, axis) == *value);
            let jobs: Vec<&JobRow> = jobs.iter().filter(here).copied().collect();
            (!jobs.is_empty()).then(|| table(&facet, (&rows, &columns), &jobs, exclusions))
        })
        .collect()
}

fn table<'a>(
    facet: &[(&'a str, &'a str)],
    (rows, columns): (&Axis<'a>, &Axis<'a>),
    jobs: &[&'a JobRow],
    exclusions: &[&'a Exclusion],
) -> Table<'a> {
    let place = |row: &'a str, column: &'a str| {
        let job = jobs
            .iter()
            .find(|job| value_of(job, rows.name) == row && value_of(job, columns.name) == column);
        let mut wanted = facet.to_vec();
        wanted.extend([(rows.name, row), (columns.name, column)]);
        match job {
            Some(job) => TableCell::Job(job),
            None => TableCell::Excluded(exclusions.iter().find(|e| is_cell(e, &wanted)).map(|e| e.rule.as_str())),
        }
    };
    let head = |axis: &'a str, value: &'a str| {
        let mine: Vec<_> = jobs.iter().filter(|job| value_of(job, axis) == value).collect();
        let failed = mine.iter().filter(|job| job.status.is_failure()).count();
        Head {
            value,
            failed,
            total: mine.len(),
        }
    };
    let words: Vec<String> = facet.iter().map(|(axis, value)| format!("{axis}={value}")).collect();
    Table {
        facet: words.join(", "),
        row_axis: rows.name,
        column_axis: columns.name,
        columns: columns.values.iter().map(|value| head(columns.name, value)).collect(),
        rows: rows
            .values
            .iter()
            .map(|row| {
                (
                    head(rows.name, row),
                    columns.values.iter().map(|column| place(row, column)).collect(),
                )
            })
            .collect(),
    }
}

/// Every axis with its values, in the order in which the cells name them.
fn axes<'a>(jobs: &[&'a JobRow], exclusions: &[&'a Exclusion]) -> Vec<Axis<'a>> {
    let cells = || {
        jobs.iter()
            .map(|job| &job.cell)
            .chain(exclusions.iter().map(|exclusion| &exclusion.cell))
    };
    let mut axes: Vec<Axis<'a>> = Vec::new();
    for part in cells().flatten() {
        let at = axes.iter().position(|axis| axis.name == part.axis).unwrap_or_else(|| {
            axes.push(Axis {
                name: &part.axis,
                values: Vec::new(),
            });
            axes.len() - 1
        });
        if !axes[at].values.contains(&part.value.as_str()) {
            axes[at].values.push(&part.value);
        }
    }
    for axis in &mut axes {
        if jobs.iter().any(|job| value_of(job, axis.name) == NO_VALUE) {
            axis.values.push(NO_VALUE);
        }
    }
    axes
}

/// The axis with the most values; of equals the first in the file.
fn take_largest<'a>(axes: &mut Vec<Axis<'a>>) -> Axis<'a> {
    let most = axes.iter().map(|axis| axis.values.len()).max().unwrap_or(0);
    let at = axes
        .iter()
        .position(|axis| axis.values.len() == most)
        .expect("called with axes left");
    axes.remove(at)
}

/// Every combination of the axes' values; one empty combination without axes.
fn facets<'a>(axes: &[Axis<'a>]) -> Vec<Vec<(&'a str, &'a str)>> {
    let mut facets = vec![Vec::new()];
    for axis in axes {
        facets = facets
            .into_iter()
            .flat_map(|facet: Vec<(&str, &str)>| {
                axis.values
                    .iter()
                    .map(move |value| [facet.as_slice(), &[(axis.name, *value)]].concat())
            })
            .collect();
    }
    facets
}

fn value_of<'a>(job: &'a JobRow, axis: &str) -> &'a str {
    job.cell
        .iter()
        .find(|part| part.axis == axis)
        .map_or(NO_VALUE, |part| part.value.as_str())
}

fn is_cell(exclusion: &Exclusion, wanted: &[(&str, &str)]) -> bool {
    wanted.iter().all(|(axis, value)| {
        exclusion
            .cell
            .iter()
            .any(|part| part.axis == *axis && part.value == *value)
    })
}
