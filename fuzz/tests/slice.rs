//! A slice of the run by hand in every run of the tests: some 12,000 inputs, always the same. Only panics count, since
//! this build is slow; time and memory are for the run by hand.

use fuzz::{Plan, run};

/// How many inputs of each target: fewer where one takes longer.
const SLICES: [(&str, u64); 7] = [
    ("job", 2_000),
    ("compose", 1_000),
    ("webhook", 3_000),
    ("report", 2_000),
    ("archive", 500),
    ("frame", 500),
    ("message", 3_000),
];

#[test]
fn no_input_of_the_slice_makes_a_reader_panic() {
    let keep = tempfile::tempdir().unwrap().keep();
    for (target, inputs) in SLICES {
        let plan = Plan {
            target: target.to_owned(),
            seed: 1,
            from: 0,
            inputs,
            limited: false,
            keep: keep.clone(),
        };
        let failures = run(&plan, |_| Ok(())).unwrap();
        assert!(failures.is_empty(), "{failures:#?}");
    }
    std::fs::remove_dir(&keep).unwrap();
}

#[test]
fn a_target_that_is_not_there_is_said() {
    let plan = Plan {
        target: "tapes".to_owned(),
        seed: 1,
        from: 0,
        inputs: 1,
        limited: false,
        keep: std::env::temp_dir(),
    };
    let error = run(&plan, |_| Ok(())).unwrap_err().to_string();
    assert_eq!(
        error,
        "no target is called `tapes`; there are all, job, compose, webhook, report, archive, frame, message"
    );
}
