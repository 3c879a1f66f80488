//! Sharing tests out, pure: every item is in exactly one part, the same items always in the same parts, and the parts
//! take equally long as far as it is known how long each takes.

use std::collections::HashMap;

use crate::args::By;

/// How long tests take, by everything they may be called: suite, name, both, file.
#[derive(Debug, Default)]
pub struct Times {
    by_name: HashMap<String, u64>,
}

impl Times {
    /// Adds a test.
    pub fn add(&mut self, suite: &str, name: &str, file: Option<&str>, micros: u64) {
        let mut names: Vec<String> = ["::", ".", "/", "$", " "]
            .map(|between| format!("{suite}{between}{name}"))
            .into();
        names.push(name.to_owned());
        // `org.example.PoolTest` is also part of `org.example`: a folder of files.
        let ends = suite.match_indices(['.', '/', ':']).map(|(at, _)| &suite[..at]);
        names.extend(ends.chain([suite]).map(str::to_owned));
        names.extend(file.map(|file| file.trim_start_matches("./").to_owned()));
        names.sort_unstable();
        names.dedup();
        for name in names.into_iter().filter(|name| !name.is_empty()) {
            let sum = self.by_name.entry(name).or_default();
            *sum = sum.saturating_add(micros);
        }
    }

    /// Nothing is known.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// How long an item takes: by its own name, or, when it is a file, by the class or module that is in it.
    fn of(&self, item: &str) -> Option<u64> {
        let item = item.trim_start_matches("./");
        if let Some(micros) = self.by_name.get(item) {
            return Some(*micros);
        }
        let stem = item.rsplit_once('.').map_or(item, |(stem, _)| stem);
        let dotted = stem.replace('/', ".");
        let mut rest = dotted.as_str();
        loop {
            if let Some(micros) = self.by_name.get(rest) {
                return Some(*micros);
            }
            rest = rest.split_once('.')?.1;
        }
    }
}

/// The items of part `index` of `total`, in the order in which they came; and how many of all are of unknown time.
pub fn part(items: &[String], by: By, times: &Times, (index, total): (usize, usize)) -> (Vec<String>, usize) {
    let known: Vec<Option<u64>> = items.iter().map(|item| times.of(item)).collect();
    let unknown = known.iter().filter(|micros| micros.is_none()).count();
    let parts = match by {
        By::Count => (0..items.len()).map(|at| at * total / items.len().max(1)).collect(),
        By::Name => in_turn(items, total),
        By::Timings if unknown == items.len() => in_turn(items, total),
        By::Timings => balanced(items, &known, total),
    };
    let chosen = items.iter().zip(parts).filter(|(_, part)| *part == index);
    (chosen.map(|(item, _)| item.clone()).collect(), unknown)
}

/// Sorted by name, in turn.
fn in_turn(items: &[String], total: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by(|one, other| items[*one].cmp(&items[*other]));
    let mut parts = vec![0; items.len()];
    for (index, item) in order.into_iter().enumerate() {
        parts[item] = index % total;
    }
    parts
}

/// The longest first, each to the part that has least so far. What is unknown takes as long as the others in the mean.
fn balanced(items: &[String], known: &[Option<u64>], total: usize) -> Vec<usize> {
    let (sum, count) = known.iter().flatten().fold((0_u64, 0_u64), |(sum, count), micros| {
        (sum.saturating_add(*micros), count + 1)
    });
    let mean = sum / count.max(1);
    let time = |item: usize| known[item].unwrap_or(mean);
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by(|one, other| {
        time(*other)
            .cmp(&time(*one))
            .then_with(|| items[*one].cmp(&items[*other]))
    });
    let mut loads = vec![(0_u64, 0_usize); total];
    let mut parts = vec![0; items.len()];
    for item in order {
        // With equal times, the part with fewer items: tests of no time are shared out too.
        let least = (0..total).min_by_key(|part| (loads[*part], *part)).unwrap_or(0);
        loads[least] = (loads[least].0.saturating_add(time(item)), loads[least].1 + 1);
        parts[item] = least;
    }
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn parts(items: &str, by: By, times: &Times, total: usize) -> String {
        let items = words(items);
        let part = |index| part(&items, by, times, (index, total)).0.join(" ");
        (0..total).map(part).collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn parts_take_equally_long() {
        let mut times = Times::default();
        for (file, micros) in [("a.py", 60), ("b.py", 10), ("c.py", 20), ("d.py", 31)] {
            times.add("", "x", Some(file), micros);
        }
        assert_eq!(
            parts("./a.py b.py c.py d.py", By::Timings, &times, 2),
            "./a.py | b.py c.py d.py"
        );
        assert_eq!(
            parts("a.py b.py c.py new.py", By::Timings, &times, 2),
            "a.py | b.py c.py new.py"
        );
        assert_eq!(parts("d c b a", By::Name, &times, 2), "c a | d b");
        assert_eq!(parts("d c b a e", By::Count, &times, 2), "d c b | a e");
        assert_eq!(
            parts("q r s", By::Timings, &times, 2),
            "q s | r",
            "nothing is known of them"
        );
        assert_eq!(parts("a.py", By::Count, &times, 3), "a.py |  | ");
    }

    #[test]
    fn a_file_is_known_by_its_class_or_module() {
        let mut times = Times::default();
        times.add("org.example.PoolTest", "gives", None, 5);
        times.add("org.example.PoolTest", "takes", None, 6);
        times.add("tests.test_pool.TestPool", "test_get", None, 7);
        times.add("store::it", "leases::expire", None, 8);
        let known = |item: &str| times.of(item);
        assert_eq!(known("src/test/java/org/example/PoolTest.java"), Some(11));
        assert_eq!(known("org.example.PoolTest"), Some(11));
        assert_eq!(known("tests/test_pool.py"), Some(7));
        assert_eq!(known("leases::expire"), Some(8));
        assert_eq!(known("store::it"), Some(8));
        assert_eq!(known("src/other.py"), None);
    }

    proptest! {
        #[test]
        fn every_item_is_in_exactly_one_part(
            items in prop::collection::vec("[a-e]{1,2}", 0..40),
            micros in prop::collection::vec(0..100_u64, 0..10),
            total in 1..8_usize,
        ) {
            let mut times = Times::default();
            for (item, micros) in items.iter().step_by(2).zip(micros) {
                times.add("", item, None, micros);
            }
            for by in [By::Timings, By::Name, By::Count] {
                let mut all: Vec<String> = (0..total).flat_map(|index| part(&items, by, &times, (index, total)).0).collect();
                all.sort();
                let mut wanted = items.clone();
                wanted.sort();
                prop_assert_eq!(all, wanted);
                let counts: Vec<usize> = (0..total).map(|index| part(&items, by, &times, (index, total)).0.len()).collect();
                if by != By::Timings {
                    let (most, least) = (counts.iter().max(), counts.iter().min());
                    prop_assert!(most.zip(least).is_some_and(|(most, least)| most - least <= 1));
                }
            }
        }
    }
}
