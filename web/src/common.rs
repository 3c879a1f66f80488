//! What the failing cells of a matrix have in common, pure: the page, the API and the command line say the same.

use job_specs::model::AxisValue;
use job_specs::status::JobStatus;

/// One cell: its values and how it ended.
pub type Ended<'a> = (&'a [AxisValue], JobStatus);

/// "All 3 failures have postgres=17, and no job with it passed.": values that every failing cell has and no passing
/// cell. When no single value is like that, two together may be. `None`: less than two failed, none passed, or they
/// share nothing.
pub fn in_common(cells: &[Ended<'_>]) -> Option<String> {
    let failed: Vec<&[AxisValue]> = with(cells, JobStatus::is_failure);
    let passed: Vec<&[AxisValue]> = with(cells, |status| status == JobStatus::Passed);
    let (first, rest) = failed.split_first()?;
    if rest.is_empty() || passed.is_empty() {
        return None;
    }
    let shared: Vec<&AxisValue> = first
        .iter()
        .filter(|value| rest.iter().all(|cell| cell.contains(value)))
        .collect();
    let singles: Vec<&AxisValue> = shared
        .iter()
        .copied()
        .filter(|value| !passed.iter().any(|cell| cell.contains(value)))
        .collect();
    let told_apart = |a: &AxisValue, b: &AxisValue| !passed.iter().any(|cell| cell.contains(a) && cell.contains(b));
    let pair = || {
        let pairs = shared
            .iter()
            .enumerate()
            .flat_map(|(at, a)| shared[at + 1..].iter().map(move |b| (*a, *b)));
        pairs
            .into_iter()
            .find(|(a, b)| told_apart(a, b))
            .map(|(a, b)| vec![a, b])
    };
    let telling = if singles.is_empty() { pair()? } else { singles };
    let words: Vec<String> = telling.iter().map(|v| format!("{}={}", v.axis, v.value)).collect();
    let (count, it) = (failed.len(), if words.len() == 1 { "it" } else { "them" });
    Some(format!(
        "All {count} failures have {}, and no job with {it} passed.",
        words.join(" and ")
    ))
}

fn with<'a>(cells: &[Ended<'a>], wanted: impl Fn(JobStatus) -> bool) -> Vec<&'a [AxisValue]> {
    cells
        .iter()
        .filter(|(_, status)| wanted(*status))
        .map(|(cell, _)| *cell)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(text: &str) -> Vec<AxisValue> {
        let pairs = text.split_whitespace().filter_map(|pair| pair.split_once('='));
        pairs
            .map(|(axis, value)| AxisValue {
                axis: axis.into(),
                value: value.into(),
            })
            .collect()
    }

    fn said(failed: &[&str], passed: &[&str]) -> String {
        let failed: Vec<_> = failed.iter().map(|text| (cell(text), JobStatus::Failed)).collect();
        let passed: Vec<_> = passed.iter().map(|text| (cell(text), JobStatus::Passed)).collect();
        let cells: Vec<Ended<'_>> = failed
            .iter()
            .chain(&passed)
            .map(|(cell, end)| (&cell[..], *end))
            .collect();
        in_common(&cells).unwrap_or("nothing".into())
    }

    #[test]
    fn values_that_tell_failures_from_passes_are_named() {
        let one = said(&["pg=17 os=a", "pg=17 os=b"], &["pg=15 os=a", "pg=15 os=b"]);
        let pair = said(
            &["pg=17 os=a x=1", "pg=17 os=a x=2"],
            &["pg=17 os=b x=1", "pg=15 os=a x=1"],
        );
        let nothing = said(&["pg=17 os=a", "pg=15 os=b"], &["pg=15 os=a"]);
        let all_failed = said(&["pg=17", "pg=15"], &[]);
        insta::assert_snapshot!([one, pair, nothing, all_failed, said(&["pg=17"], &["pg=15"])].join("\n"), @"
        All 2 failures have pg=17, and no job with it passed.
        All 2 failures have pg=17 and os=a, and no job with them passed.
        nothing
        nothing
        nothing
        ");
    }
}
