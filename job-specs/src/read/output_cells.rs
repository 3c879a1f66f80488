//! A matrix that is an output of a job that has ended: JSON, turned into the tree that the file would have had, so that
//! it is read and bounded by the same rules.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::codes;
use crate::limits::MAX_FILE_BYTES;
use crate::located::JobSource;
use crate::located::OutputName;
use crate::problems::Problems;
use crate::reader::{Reader, Slot, Spent};
use crate::source::Location;
use crate::sources::Sources;
use crate::substitute::Scope;
use crate::yaml::{Entry, Key, Node, Plain, Scalar};

/// Characters of an output that a message shows.
const MAX_SHOWN: usize = 200;
/// Values of one output.
const MAX_VALUES: usize = 20_000;

/// The job with the cells of this output, which may be none; what is wrong with it is said at the file's `matrix`.
pub(crate) fn cells_of_output(
    job: &JobSource,
    from: &OutputName,
    text: &str,
    sources: &Sources,
    problems: &mut Problems,
) -> Option<JobSource> {
    let owner = format!("job `{}`", job.name);
    let mut found = Problems::default();
    let cells = read(job, text, &owner, from.location, sources, &mut found);
    let found = found.into_diagnostics(|at| sources.get(at));
    let errors = found
        .iter()
        .filter(|found| found.severity == crate::diagnostics::Severity::Error);
    let errors: Vec<_> = errors.collect();
    if errors.is_empty() {
        return cells;
    }
    if errors.iter().all(|found| found.code == codes::EMPTY_MATRIX.id) {
        return Some(job.without_cells()); // there is nothing to do, which is no mistake of the file
    }
    let errors: Vec<&str> = errors.iter().map(|found| found.message.as_str()).take(3).collect();
    let shown: String = text.chars().take(MAX_SHOWN).collect();
    let more = if shown.len() < text.len() { "…" } else { "" };
    let message = format!(
        "output `{}` of job `{}` is no matrix: {}",
        from.output,
        from.job,
        errors.join("; ")
    );
    let problem = codes::BAD_CELLS.at(from.location, message);
    problems.add(problem.note(format!("the output was: {shown}{more}")));
    None
}

fn read(
    job: &JobSource,
    text: &str,
    owner: &str,
    location: Location,
    sources: &Sources,
    problems: &mut Problems,
) -> Option<JobSource> {
    let mut bad = |words: String| problems.add(codes::BAD_CELLS.at(location, words));
    if text.len() > MAX_FILE_BYTES {
        let kib = text.len().div_ceil(1024);
        bad(format!("it has {kib} KiB; at most 256 are read"));
        return None;
    }
    let json: Json = match serde_json::from_str(text) {
        Ok(json) => json,
        Err(fault) => {
            bad(format!("it is not JSON: {fault}"));
            return None;
        }
    };
    if json.values() > MAX_VALUES {
        bad(format!("it has more than {MAX_VALUES} values"));
        return None;
    }
    let root = match json {
        Json::List(cells) => Json::Map(vec![("include".to_owned(), Json::List(cells))]),
        Json::Map(axes) => Json::Map(axes),
        Json::Scalar(_) => {
            bad("it is neither a list of cells nor a map of axes".to_owned());
            return None;
        }
    };
    let root = root.into_node(location);
    let mut spent = Spent::default();
    let mut reader = Reader::new(sources, Scope::default(), problems, &mut spent);
    owner.clone_into(&mut reader.owner);
    let matrix = reader.matrix(Slot::of("matrix", &root))?;
    let mut job = job.clone();
    job.set_matrix(matrix);
    Some(job)
}

/// JSON whose maps keep their order, which is the order of the axes.
enum Json {
    Scalar(Scalar),
    List(Vec<Json>),
    Map(Vec<(String, Json)>),
}

impl Json {
    fn values(&self) -> usize {
        match self {
            Json::Scalar(_) => 1,
            Json::List(items) => 1 + items.iter().map(Json::values).sum::<usize>(),
            Json::Map(entries) => 1 + entries.iter().map(|(_, value)| value.values()).sum::<usize>(),
        }
    }

    fn into_node(self, location: Location) -> Arc<Node> {
        Arc::new(match self {
            Json::Scalar(scalar) => Node::scalar(location, scalar),
            Json::List(items) => Node::list(
                location,
                items.into_iter().map(|item| item.into_node(location)).collect(),
            ),
            Json::Map(entries) => {
                let entry = |(key, value): (String, Json)| Entry {
                    key: Key {
                        text: key.into(),
                        location,
                    },
                    node: value.into_node(location),
                };
                Node::map(location, entries.into_iter().map(entry).collect())
            }
        })
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

fn plain<E>(text: String, plain: Plain) -> Result<Json, E> {
    Ok(Json::Scalar(Scalar { text, plain }))
}

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Json, E> {
        plain(value.to_string(), Plain::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Json, E> {
        plain(value.to_string(), Plain::Int(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Json, E> {
        match i64::try_from(value) {
            Ok(value) => self.visit_i64(value),
            Err(_) => plain(value.to_string(), Plain::Text),
        }
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Json, E> {
        plain(value.to_string(), Plain::Float(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Json, E> {
        plain(value.to_owned(), Plain::Text)
    }

    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        plain(String::new(), Plain::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut map: Vec<(String, Json)> = Vec::new();
        let mut seen = HashSet::new();
        while let Some((key, value)) = entries.next_entry::<String, Json>()? {
            if !seen.insert(key.clone()) {
                return Err(A::Error::custom(format!("the key `{key}` stands twice")));
            }
            map.push((key, value));
        }
        Ok(Json::Map(map))
    }
}
