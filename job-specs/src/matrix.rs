//! A job's matrix and its cells: the product of the axes in the order of the file, less `exclude`, plus `include` by
//! GitHub's rules (an entry extends the cells that it fits without changing an axis; one that fits none is a cell of
//! its own).

use std::collections::HashSet;

use crate::model::{AxisValue, cell_title};
use crate::source::Location;

/// Cells that one job may have.
pub(crate) const MAX_CELLS: usize = 256;
/// Cells that a product may have before `exclude`.
pub(crate) const MAX_PRODUCT: usize = 4096;

/// A matrix, as read; everything in it is written out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Matrix {
    pub(crate) axes: Vec<Axis>,
    pub(crate) exclude: Vec<Exclude>,
    pub(crate) include: Vec<Include>,
    pub(crate) fail_fast: bool,
    pub(crate) max_parallel: Option<u32>,
}

/// One axis.
#[derive(Debug, Clone)]
pub(crate) struct Axis {
    pub(crate) name: String,
    pub(crate) values: Vec<String>,
}

/// One entry of `exclude`.
#[derive(Debug, Clone)]
pub(crate) struct Exclude {
    pub(crate) location: Location,
    pub(crate) values: Vec<AxisValue>,
}

/// One entry of `include`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Include {
    pub(crate) values: Vec<AxisValue>,
    pub(crate) allow_failure: bool,
}

/// One cell. The default is the only cell of a job without a matrix.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cell {
    /// Axes in the order of the file, then what `include` brought.
    pub(crate) values: Vec<AxisValue>,
    pub(crate) allow_failure: bool,
}

impl Cell {
    /// The value of an axis.
    pub(crate) fn value(&self, axis: &str) -> Option<&str> {
        let found = self.values.iter().find(|value| value.axis == axis)?;
        Some(&found.value)
    }

    /// `postgres=15, kafka=3.9.0`
    pub(crate) fn title(&self) -> String {
        cell_title(&self.values)
    }

    fn set(&mut self, new: &AxisValue) {
        match self.values.iter_mut().find(|value| value.axis == new.axis) {
            Some(value) => value.value.clone_from(&new.value),
            None => self.values.push(new.clone()),
        }
    }
}

impl Matrix {
    /// How many cells the axes make before `exclude`, if a number can say it.
    pub(crate) fn product(&self) -> Option<usize> {
        let mut lengths = self.axes.iter().map(|axis| axis.values.len());
        let first = lengths.next().unwrap_or(0);
        lengths.try_fold(first, usize::checked_mul)
    }

    /// The cells, in order; none when the product is over [`MAX_PRODUCT`].
    pub(crate) fn cells(&self) -> Vec<Cell> {
        if self.product().is_none_or(|product| product > MAX_PRODUCT) {
            return Vec::new();
        }
        let mut cells = self.combinations();
        cells.retain(|cell| !self.exclude.iter().any(|entry| fits(cell, &entry.values)));
        let from_axes = cells.len();
        for entry in &self.include {
            self.add(&mut cells, from_axes, entry);
        }
        cells
    }

    /// The entries of `exclude` that match no cell.
    pub(crate) fn idle_excludes(&self) -> Vec<&Exclude> {
        if self.product().is_none_or(|product| product > MAX_PRODUCT) {
            return Vec::new();
        }
        let all = self.combinations();
        let is_idle = |entry: &&Exclude| !all.iter().any(|cell| fits(cell, &entry.values));
        self.exclude.iter().filter(is_idle).collect()
    }

    /// A cell that is there twice.
    pub(crate) fn repeated_cell(&self) -> Option<Cell> {
        let mut seen = HashSet::new();
        self.cells().into_iter().find(|cell| !seen.insert(cell.values.clone()))
    }

    /// Every name that a cell of this matrix can have, axes first.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.axes.iter().map(|axis| axis.name.clone()).collect();
        for value in self.include.iter().flat_map(|entry| &entry.values) {
            if !names.contains(&value.axis) {
                names.push(value.axis.clone());
            }
        }
        names
    }

    fn combinations(&self) -> Vec<Cell> {
        if self.axes.is_empty() {
            return Vec::new();
        }
        self.axes.iter().fold(vec![Cell::default()], |cells, axis| {
            let longer = |cell: &Cell, value: &String| {
                let mut cell = cell.clone();
                let (axis, value) = (axis.name.clone(), value.clone());
                cell.values.push(AxisValue { axis, value });
                cell
            };
            let longer_each = |cell| axis.values.iter().map(move |value| longer(cell, value));
            cells.iter().flat_map(longer_each).collect()
        })
    }

    fn add(&self, cells: &mut Vec<Cell>, from_axes: usize, entry: &Include) {
        let mut on_axes = entry.values.clone();
        on_axes.retain(|value| self.axes.iter().any(|axis| axis.name == value.axis));
        let mut extended = false;
        for cell in &mut cells[..from_axes] {
            if fits(cell, &on_axes) {
                entry.values.iter().for_each(|value| cell.set(value));
                cell.allow_failure |= entry.allow_failure;
                extended = true;
            }
        }
        if !extended {
            cells.push(self.own_cell(entry));
        }
    }

    /// A cell of an `include` entry alone, its axes in the order of the file.
    fn own_cell(&self, entry: &Include) -> Cell {
        let mut values = entry.values.clone();
        let position = |value: &AxisValue| self.axes.iter().position(|axis| axis.name == value.axis);
        values.sort_by_key(|value| position(value).unwrap_or(usize::MAX));
        Cell {
            values,
            allow_failure: entry.allow_failure,
        }
    }
}

fn fits(cell: &Cell, values: &[AxisValue]) -> bool {
    let has = |wanted: &AxisValue| cell.value(&wanted.axis) == Some(&wanted.value);
    values.iter().all(has)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(pairs: &[(&str, &str)]) -> Vec<AxisValue> {
        let value = |(axis, value): &(&str, &str)| AxisValue {
            axis: (*axis).to_owned(),
            value: (*value).to_owned(),
        };
        pairs.iter().map(value).collect()
    }

    fn matrix() -> Matrix {
        let axis = |name: &str, values: [&str; 2]| Axis {
            name: name.to_owned(),
            values: values.map(str::to_owned).to_vec(),
        };
        Matrix {
            axes: vec![axis("pg", ["15", "17"]), axis("kafka", ["3.7", "3.9"])],
            ..Matrix::default()
        }
    }

    fn include(pairs: &[(&str, &str)], allow_failure: bool) -> Include {
        Include {
            values: values(pairs),
            allow_failure,
        }
    }

    fn titles(matrix: &Matrix) -> Vec<String> {
        let mark = |cell: &Cell| if cell.allow_failure { " (may fail)" } else { "" };
        matrix.cells().iter().map(|cell| cell.title() + mark(cell)).collect()
    }

    #[test]
    fn cells_come_in_the_order_of_the_axes() {
        assert_eq!(
            titles(&matrix()),
            [
                "pg=15, kafka=3.7",
                "pg=15, kafka=3.9",
                "pg=17, kafka=3.7",
                "pg=17, kafka=3.9"
            ]
        );
    }

    #[test]
    fn include_extends_what_it_fits_and_else_adds_a_cell() {
        let mut matrix = matrix();
        matrix.include = vec![
            include(&[("kafka", "3.9"), ("pg", "18")], true),
            include(&[("pg", "17")], true),
            include(&[("pg", "15"), ("extra", "yes")], false),
        ];
        assert_eq!(
            titles(&matrix),
            [
                "pg=15, kafka=3.7, extra=yes",
                "pg=15, kafka=3.9, extra=yes",
                "pg=17, kafka=3.7 (may fail)",
                "pg=17, kafka=3.9 (may fail)",
                "pg=18, kafka=3.9 (may fail)",
            ]
        );
    }

    #[test]
    fn an_include_without_axes_is_a_list_of_cells() {
        let matrix = Matrix {
            include: vec![
                include(&[("os", "a")], false),
                include(&[("os", "b"), ("x", "1")], false),
            ],
            ..Matrix::default()
        };
        assert_eq!(titles(&matrix), ["os=a", "os=b, x=1"]);
    }

    #[test]
    fn exclude_needs_all_of_its_values() {
        let mut matrix = matrix();
        let location = Location {
            file: 0,
            span: crate::diagnostics::Span {
                line: 1,
                column: 1,
                start: 0,
                end: 0,
            },
        };
        let exclude = |pairs: &[(&str, &str)]| Exclude {
            location,
            values: values(pairs),
        };
        matrix.exclude = vec![exclude(&[("pg", "15"), ("kafka", "3.9")]), exclude(&[("pg", "16")])];
        assert_eq!(titles(&matrix).len(), 3);
        assert_eq!(matrix.idle_excludes().len(), 1);
    }
}
