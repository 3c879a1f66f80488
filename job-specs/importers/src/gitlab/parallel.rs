//! `parallel` of GitLab as a matrix. Scripts find the values under the names that they know.

use job_specs::yaml::Node;

use super::job::Importer;
use crate::draft::Job;
use crate::out::{Map, Out};

impl Importer<'_> {
    pub(super) fn parallel(&mut self, job: &mut Job, node: &Node) {
        let Some(parallel) = self.file.get(node, "parallel") else {
            return;
        };
        let count = parallel.text().and_then(|count| count.parse::<usize>().ok());
        if let Some(count) = count.filter(|count| *count <= 200) {
            let indexes = (1..=count).map(|index| index.to_string());
            job.matrix = Some(Out::Map(Map::default().with("part", Out::texts(indexes))));
            let index = ("CI_NODE_INDEX".to_owned(), "${{ matrix.part }}".to_owned());
            job.env.extend([index, ("CI_NODE_TOTAL".to_owned(), count.to_string())]);
            self.axes.push("part".to_owned());
            return;
        }
        let entries = parallel.items_of("matrix");
        let mut matrix = Map::default();
        let mut cells = Vec::new();
        for entry in &entries {
            let axes = entry.entries().unwrap_or_default().iter();
            let axes = axes.map(|axis| (axis.key.text.to_string(), axis.node.texts()));
            let axes: Vec<(String, Vec<String>)> = axes.collect();
            for (axis, values) in &axes {
                if entries.len() == 1 {
                    matrix.put(axis, Out::texts(values.iter().cloned()));
                }
                if !self.axes.contains(axis) {
                    self.axes.push(axis.clone());
                }
            }
            if entries.len() > 1 {
                cells.extend(product(&axes).into_iter().map(Out::Flow));
            }
        }
        matrix.put_list("include", cells);
        if matrix.is_empty() {
            self.notes.add(parallel.location, "this `parallel` is not understood");
            return;
        }
        job.matrix = Some(Out::Map(matrix));
        let variable = |axis: &String| (axis.clone(), format!("${{{{ matrix.{axis} }}}}"));
        job.env.extend(self.axes.iter().map(variable));
    }
}

/// Every combination, at most as many as a matrix may have.
fn product(axes: &[(String, Vec<String>)]) -> Vec<Map> {
    let mut cells = vec![Map::default()];
    for (axis, values) in axes {
        let longer = |cell: &Map| {
            let with = values.iter().map(|value| cell.clone().with(axis, Out::text(value)));
            with.collect::<Vec<_>>()
        };
        cells = cells.iter().flat_map(longer).take(256).collect();
    }
    cells
}
