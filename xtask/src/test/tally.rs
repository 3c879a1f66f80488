//! Counting: reads what Cargo and the test binaries print, so that one line can say how it went, and a binary that
//! died before its result is a failure and not a silence.

/// How many passed and failed so far.
#[derive(Debug, Default)]
pub struct Tally {
    /// Tests and checks that passed.
    pub passed: u64,
    /// Tests and checks that failed.
    pub failed: u64,
    /// Their names.
    pub broken: Vec<String>,
    /// The binary that runs now and gave no result yet.
    running: Option<String>,
    /// Its tests that have run for long, and have not ended.
    slow: Vec<String>,
}

/// What a line of output is.
#[derive(Debug, PartialEq, Eq)]
pub enum Seen {
    /// Something to show as it is.
    Other,
    /// Something that says nothing.
    Noise,
    /// The end of a binary, in our words.
    Result(String),
}

impl Tally {
    /// Counts one check.
    pub fn record(&mut self, name: &str, passed: bool) {
        if passed {
            self.passed += 1;
        } else {
            self.failed += 1;
            self.broken.push(name.to_owned());
        }
    }

    /// Reads one line of output.
    pub fn read(&mut self, line: &str) -> Seen {
        let trimmed = line.trim();
        if let Some(binary) = trimmed
            .strip_prefix("Running ")
            .or_else(|| trimmed.strip_prefix("Doc-tests "))
        {
            self.died();
            self.running = Some(binary.to_owned());
            return Seen::Other;
        }
        if let Some(result) = trimmed.strip_prefix("test result: ") {
            return self.result(result);
        }
        if let Some(test) = trimmed.strip_prefix("test ") {
            self.test(test);
        }
        let is_noise = trimmed.is_empty() || (trimmed.starts_with("running ") && trimmed.contains(" test"));
        if is_noise { Seen::Noise } else { Seen::Other }
    }

    /// `name ... ok`, or what else the harness says of one.
    fn test(&mut self, line: &str) {
        if let Some((name, _)) = line.split_once(" has been running for over") {
            self.slow.push(name.to_owned());
        } else if let Some((name, how)) = line.split_once(" ... ") {
            self.slow.retain(|slow| slow != name);
            if how == "FAILED" {
                self.broken.push(name.to_owned());
            }
        }
    }

    /// The tests that run now will not end: each is a failure with a name.
    pub fn hangs(&mut self) {
        for name in std::mem::take(&mut self.slow) {
            self.record(&format!("{name} did not end"), false);
        }
    }

    /// The output is over; `success` is what Cargo's exit code says.
    pub fn close(&mut self, success: bool) {
        self.died();
        if !success && self.failed == 0 {
            self.record("cargo test", false);
        }
    }

    /// `ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.03s`
    fn result(&mut self, result: &str) -> Seen {
        let count = |word: &str| {
            let part = result
                .split([';', '.'])
                .map(str::trim)
                .find_map(|part| part.strip_suffix(word));
            part.and_then(|number| number.trim().parse::<u64>().ok()).unwrap_or(0)
        };
        let (passed, failed, ignored) = (count(" passed"), count(" failed"), count(" ignored"));
        self.running = None;
        self.slow.clear();
        self.passed += passed;
        self.failed += failed;
        if passed + failed + ignored == 0 {
            return Seen::Noise;
        }
        let time = result.rsplit("finished in ").next().unwrap_or("");
        Seen::Result(match (failed, ignored) {
            (0, 0) => format!("all {passed} are well ({time})"),
            (0, _) => format!("{passed} are well, {ignored} were left out ({time})"),
            _ => format!("{failed} of {} are not well ({time})", passed + failed),
        })
    }

    /// A binary that began and gave no result has crashed.
    fn died(&mut self) {
        if let Some(binary) = self.running.take() {
            self.record(&format!("{binary} ended without a result"), false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(output: &str, success: bool) -> Tally {
        let mut tally = Tally::default();
        for line in output.lines() {
            tally.read(line);
        }
        tally.close(success);
        tally
    }

    #[test]
    fn results_of_all_binaries_are_added() {
        let output = "\
     Running unittests src/lib.rs (target/debug/deps/a-1)

running 2 tests
test one ... ok
test two ... FAILED

test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s

   Doc-tests a
test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 1.01s
";
        let tally = tally(output, false);
        assert_eq!((tally.passed, tally.failed), (4, 1));
        assert_eq!(tally.broken, ["two"]);
    }

    #[test]
    fn a_binary_that_dies_is_a_failure() {
        let output = "     Running unittests src/lib.rs (a-1)\ntest one ... ok\n     Running tests/it/main.rs (b-2)\n\
                      test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n";
        let tally = tally(output, false);
        assert_eq!((tally.passed, tally.failed), (5, 1));
        assert_eq!(tally.broken, ["unittests src/lib.rs (a-1) ended without a result"]);
    }

    #[test]
    fn a_test_that_hangs_is_named() {
        let mut tally = Tally::default();
        let output = "     Running tests/it/main.rs (b-2)\ntest a::one has been running for over 60 seconds\n\
                      test a::two has been running for over 60 seconds\ntest a::one ... ok\n";
        for line in output.lines() {
            tally.read(line);
        }
        tally.hangs();
        tally.close(false);
        let broken = ["a::two did not end", "tests/it/main.rs (b-2) ended without a result"];
        assert_eq!(tally.broken, broken);
    }

    #[test]
    fn a_cargo_that_says_no_without_a_result_is_a_failure() {
        assert_eq!(tally("error: could not compile `a`\n", false).failed, 1);
        assert_eq!(tally("", true).failed, 0);
    }

    #[test]
    fn a_result_is_reported_in_other_words_than_the_last_line() {
        let mut tally = Tally::default();
        let seen =
            tally.read("test result: ok. 7 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 2.50s");
        assert_eq!(seen, Seen::Result("all 7 are well (2.50s)".to_owned()));
        assert_eq!(tally.read("running 7 tests"), Seen::Noise);
        assert_eq!(tally.read("test a ... ok"), Seen::Other);
    }
}
