//! Many inputs, made from real files by a seeded generator, so that a failure can be had again: none may panic. The
//! ordinary run takes ten thousand; `cargo xtask fuzz --inputs N` takes as many as asked, and then also holds every
//! input to one second and the whole run to 200 MB.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use job_specs::fix::fix;
use job_specs::import::{SCHEMA_URL, System, import};
use job_specs::{Look, NoRepository, expand, parse, render};

use crate::story::{file, push};

const ORDINARY: u64 = 10_000;
const SLOWEST: Duration = Duration::from_secs(1);
const MOST_KIB: u64 = 200 * 1024;
const SYSTEMS: [System; 5] = [
    System::Compose,
    System::Woodpecker,
    System::Gitlab,
    System::Github,
    System::Drone,
];

/// SplitMix64: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % (limit.max(1) as u64)).unwrap()
    }
}

/// What mutations put in.
const PIECES: &[&str] = &[
    "${{ matrix.a }}",
    "${{",
    "}}",
    "*a",
    "&a ",
    "<<: *a",
    ": ",
    "- ",
    "\n",
    "\t",
    "|\n",
    ">-\n",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "'",
    "#",
    "!",
    "!reference [a, b]",
    "---\n",
    "\u{feff}",
    "\u{0}",
    "é",
    "𝄞",
    "matrix: ",
    "include: ",
    "exclude: ",
    "needs: ",
    "services: ",
    "steps: ",
    "jobs: ",
    "on: ",
    "when: ",
    "cron: ",
    "99999999999999999999",
    "-1",
    "3.10",
    "~",
    "true",
    "run: ",
    "depends_on: ",
    "extends: ",
    "hash('**')",
    "needs.a.outputs.b",
    "1e309",
    "0x",
    "\r\n",
    "    ",
    "? ",
    "%YAML 1.2\n",
];

fn seeds() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = [
        "examples",
        "tests/codes",
        "tests/import/compose",
        "tests/import/woodpecker",
        "tests/import/gitlab",
        "tests/import/github",
        "tests/import/drone",
    ];
    let mut paths: Vec<_> = folders
        .iter()
        .flat_map(|folder| {
            std::fs::read_dir(root.join(folder))
                .unwrap()
                .map(|entry| entry.unwrap().path())
        })
        .filter(|path| path.is_file())
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect()
}

fn mutated(random: &mut Random, seeds: &[String]) -> String {
    let mut text = seeds[random.below(seeds.len())].clone();
    for _ in 0..=random.below(6) {
        let mut from = random.below(text.len() + 1);
        let mut to = (from + random.below(40)).min(text.len());
        while !text.is_char_boundary(from) {
            from -= 1;
        }
        while !text.is_char_boundary(to) {
            to += 1;
        }
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        match random.below(7) {
            0 => text.replace_range(from..to, ""),
            1 => text.insert_str(from, PIECES[random.below(PIECES.len())]),
            2 => text.replace_range(from..to, PIECES[random.below(PIECES.len())]),
            3 => text = text[..to].to_owned(),
            4 => {
                let line = lines
                    .get(random.below(lines.len()))
                    .copied()
                    .unwrap_or_default()
                    .to_owned();
                text.insert_str(from, &line);
            }
            5 => {
                let other = &seeds[random.below(seeds.len())];
                let line = other
                    .lines()
                    .nth(random.below(other.lines().count()))
                    .unwrap_or_default();
                text.insert_str(from, &format!("{line}\n"));
            }
            _ => {
                let part = text[from..to].to_owned();
                text.insert_str(to, &part.repeat(random.below(20)));
            }
        }
    }
    text
}

/// Everything that can be done with a text.
fn use_it(text: &str, number: u64) {
    let files = file(text);
    let parsed = parse(&files);
    assert!(parsed.diagnostics.len() <= 201);
    for found in &parsed.diagnostics {
        for edit in &found.fixes {
            assert!(
                text.get(edit.span.start..edit.span.end).is_some(),
                "an edit cuts a character"
            );
        }
    }
    render(
        &parsed.diagnostics,
        &files,
        Look {
            colour: number.is_multiple_of(2),
            width: 80,
        },
    );
    if let Some(parsed) = &parsed.file {
        let _ = expand(parsed, &push());
    }
    if number.is_multiple_of(4) {
        let fixed = fix(&files, &NoRepository);
        assert_eq!(fixed.changes.is_empty(), fixed.files == files);
    }
    let system = SYSTEMS[usize::try_from(number % 5).unwrap()];
    let _ = import(system, &files[0], &[], SCHEMA_URL);
}

/// The most memory that this process ever had.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let digits = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    digits.unwrap_or(0)
}

/// The biggest and nastiest that is still read: 256 KiB each.
fn worst() -> Vec<(&'static str, String)> {
    let fill = |head: &str, one: &dyn Fn(usize) -> String, tail: &str| {
        let mut text = head.to_owned();
        let mut at = 0;
        while text.len() + tail.len() < 255 * 1024 {
            text.push_str(&one(at));
            at += 1;
        }
        text + tail
    };
    let job = "jobs:\n  t:\n    image: a\n    steps: [x]\n";
    vec![
        ("lists inside lists", fill("jobs: ", &|_| "[".into(), "")),
        ("maps inside maps", fill("", &|_| "{a: ".into(), "")),
        (
            "keys below keys",
            fill("", &|n| format!("{}a:\n", " ".repeat(n.min(500))), ""),
        ),
        (
            "jobs",
            fill("jobs:\n", &|n| format!("  j{n}: {{image: a, steps: [x]}}\n"), ""),
        ),
        (
            "steps",
            fill(&job.replace("[x]", "\n"), &|n| format!("      - s{n}\n"), ""),
        ),
        (
            "services",
            fill(
                &format!("{job}    services:\n"),
                &|n| format!("      s{n}: {{image: a}}\n"),
                "",
            ),
        ),
        (
            "values of one axis",
            fill(&format!("{job}    matrix:\n      a: ["), &|n| format!("v{n}, "), "]\n"),
        ),
        (
            "axes",
            fill(&format!("{job}    matrix:\n"), &|n| format!("      a{n}: [x, y]\n"), ""),
        ),
        (
            "excludes",
            fill(
                &format!("{job}    matrix:\n      a: [x]\n      exclude:\n"),
                &|n| format!("        - {{a: v{n}}}\n"),
                "",
            ),
        ),
        ("unknown keys", fill(job, &|n| format!("    zz{n}: 1\n"), "")),
        ("aliases", fill("a: &a [x]\nb:\n", &|_| "  - *a\n".into(), "")),
        ("merges", fill("a: &a {k: v}\nb:\n  <<: [*a", &|_| ", *a".into(), "]\n")),
        ("one long text", fill("jobs: \"", &|_| "long ".into(), "\"\n")),
        ("one long key", fill("", &|_| "k".into(), ": 1\n")),
        (
            "templates",
            fill(&format!("{job}    env: {{A: \""), &|_| "${{ git.sha }}".into(), "\"}\n"),
        ),
        (
            "broken templates",
            fill(&format!("{job}    env: {{A: \""), &|_| "${{ ".into(), "\"}\n"),
        ),
        ("anchors", fill("", &|n| format!("k{n}: &a{n} x\n"), "")),
        ("tabs", fill("jobs:\n", &|n| format!("\tj{n}:\n"), "")),
        (
            "a circle of needs",
            fill(
                "jobs:\n",
                &|n| {
                    format!(
                        "  j{}: {{image: a, needs: [j{}], steps: [x]}}\n",
                        n % 100,
                        (n + 1) % 100
                    )
                },
                "",
            ),
        ),
        (
            "documents",
            fill("", &|n| format!("---\nkind: pipeline\nname: p{n}\n"), ""),
        ),
        (
            "globs",
            fill("on: {push: {branches: [", &|n| format!("'**/a{n}*{{b,c}}', "), "]}}\n"),
        ),
        (
            "inputs",
            fill(
                "on: {manual: {inputs: {",
                &|n| format!("i{n}: {{type: flag}}, "),
                "}}}\n",
            ),
        ),
        ("comments", fill(job, &|n| format!("# {n}\n"), "")),
    ]
}

#[test]
fn no_input_makes_the_reader_panic() {
    let asked = std::env::var("DROVER_FUZZ_INPUTS")
        .ok()
        .and_then(|count| count.parse().ok());
    let seed: u64 = std::env::var("DROVER_FUZZ_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(1);
    let (seeds, mut random) = (seeds(), Random(seed));
    let (mut slowest, mut slow_text) = (Duration::ZERO, String::new());
    for number in 0..asked.unwrap_or(ORDINARY) {
        let text = mutated(&mut random, &seeds);
        let begun = Instant::now();
        let went = catch_unwind(AssertUnwindSafe(|| use_it(&text, number)));
        assert!(went.is_ok(), "input {number} of seed {seed}:\n{text}");
        if begun.elapsed() > slowest {
            (slowest, slow_text) = (begun.elapsed(), text);
        }
    }
    if asked.is_some() {
        println!(
            "{} inputs, slowest {slowest:?}, peak {} MiB",
            asked.unwrap_or(0),
            peak_kib() / 1024
        );
        assert!(slowest < SLOWEST, "{slowest:?} for:\n{slow_text}");
        assert!(peak_kib() < MOST_KIB, "{} KiB", peak_kib());
    }
}

#[test]
fn the_worst_files_are_read_to_their_end() {
    let asked = std::env::var("DROVER_FUZZ_INPUTS").is_ok();
    for (at, (what, text)) in (0_u64..).zip(worst()) {
        assert!(text.len() <= 256 * 1024, "{what}");
        for number in if asked { 0..5 } else { at..at + 1 } {
            let begun = Instant::now();
            // Whether and how it is refused is for other tests; here the reading must end, and the list be bounded.
            use_it(&text, number);
            let took = begun.elapsed();
            println!("{what} ({number}): {took:?}");
            assert!(!asked || took < SLOWEST, "{what} ({number}) took {took:?}");
        }
    }
}
