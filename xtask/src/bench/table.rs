//! The bench's words: a table of ratios with their targets for people, everything as JSON for programs.

use super::race::{Race, Times};
use super::samples::Samples;
use super::workloads::{WORKLOADS, Workload};
use crate::say;
use serde_json::{Map, Value, json};

/// Prints the race.
pub fn race(race: &Race) {
    say::heading("medians, and what they are beside the docker CLI script of the same rounds");
    say::line(
        "script: typed by hand, whole, from its start until everything it made is removed (known: until the last",
    );
    say::line(
        "        exit code is known). run: `drover run`, the whole process. warm: `drover up` that has run before,",
    );
    say::line(
        "        from queued to result known by the coordinator's clock; end to end: `trigger` until `watch` ends.",
    );
    println!();
    println!("         script    known      run  ratio              warm  ratio          end to end");
    for (workload, times) in WORKLOADS.iter().zip(&race.times) {
        println!("    {}  {}", workload.name.to_uppercase(), row(workload, times));
    }
    println!();
    for workload in &WORKLOADS {
        say::line(format_args!("{}  {}", workload.name.to_uppercase(), workload.says));
    }
}

fn row(workload: &Workload, times: &Times) -> String {
    let cold = ratio(&times.run, times);
    let warm = ratio(&times.warm, times);
    format!(
        "{} {} {} {} {} {} {}",
        millis(&times.script),
        millis(&times.script_known),
        millis(&times.run),
        judged(cold, workload.cold_target),
        millis(&times.warm),
        judged(warm, Some(workload.warm_target)),
        millis(&times.end_to_end),
    )
}

/// A part of the whole script's median.
fn ratio(samples: &Samples, times: &Times) -> Option<f64> {
    Some(samples.median()? / times.script.median()?)
}

fn millis(samples: &Samples) -> String {
    samples
        .median()
        .map_or_else(|| format!("{:>8}", "-"), |median| format!("{median:>5.0} ms"))
}

fn judged(ratio: Option<f64>, target: Option<f64>) -> String {
    match (ratio, target) {
        (None, _) => format!("{:>17}", "-"),
        (Some(ratio), None) => format!("{ratio:>6.2}{:11}", ""),
        (Some(ratio), Some(target)) => format!("{ratio:>6.2} {:>4} {target:.2}", verdict(ratio, target)),
    }
}

/// `ok` when it is not above the target.
pub fn verdict(value: f64, target: f64) -> &'static str {
    if value <= target { "ok" } else { "OVER" }
}

/// Prints one number beside its target.
pub fn number(name: &str, value: Option<f64>, unit: &str, target: Option<f64>) {
    let value_text = value.map_or_else(|| "not measured".to_owned(), |value| format!("{value:.1} {unit}"));
    match value.zip(target) {
        Some((value, target)) => {
            say::line(format_args!(
                "{name:<44} {value_text:>14}   {} {target} {unit}",
                verdict(value, target)
            ));
        }
        None => say::line(format_args!("{name:<44} {value_text:>14}")),
    }
}

/// The race as JSON.
pub fn race_json(race: &Race) -> Value {
    let workloads = WORKLOADS.iter().zip(&race.times).map(|(workload, times)| {
        let measured = json!({
            "says": workload.says,
            "script_ms": times.script.json(),
            "script_known_ms": times.script_known.json(),
            "run_ms": times.run.json(),
            "run_ratio": ratio(&times.run, times),
            "run_target": workload.cold_target,
            "warm_ms": times.warm.json(),
            "warm_ratio": ratio(&times.warm, times),
            "warm_target": workload.warm_target,
            "end_to_end_ms": times.end_to_end.json(),
        });
        (workload.name.to_owned(), measured)
    });
    Value::Object(workloads.collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_stands_beside_its_verdict() {
        assert_eq!(judged(Some(0.284), Some(0.30)), "  0.28   ok 0.30");
        assert_eq!(judged(Some(0.31), Some(0.30)), "  0.31 OVER 0.30");
        assert_eq!(judged(Some(0.31), None).trim(), "0.31");
    }
}
