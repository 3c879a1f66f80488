//! The four workloads, each twice: as a job file, and as the script that somebody would type with the docker CLI to do
//! the same work: a network and a volume of its own, a throwaway container for each step, everything removed at the end.

/// One workload.
pub struct Workload {
    /// `w1`
    pub name: &'static str,
    /// What it does.
    pub says: &'static str,
    /// The job file.
    pub file: &'static str,
    /// The script; it writes the moment its result is known to the file `$KNOWN`.
    pub script: &'static str,
    /// The most that a warm coordinator and agent may take, as a part of the script.
    pub warm_target: f64,
    /// The most that `drover run` may take, as a part of the script.
    pub cold_target: Option<f64>,
    /// Lines that must come back whole and in order.
    pub lines: usize,
}

/// The lines of W3.
const LINES: usize = 100_000;

/// All of them.
pub const WORKLOADS: [Workload; 4] = [
    Workload {
        name: "w1",
        says: "three steps `echo hi`",
        file: "\
on: [push, manual]
jobs:
  echo:
    image: busybox
    steps: [echo hi, echo hi, echo hi]
",
        script: r#"
network=$(docker network create "w1-$$")
volume=$(docker volume create)
for step in 1 2 3; do
    docker run --rm --network "$network" -v "$volume:/workspace" -w /workspace busybox sh -e -c 'echo hi'
done
date +%s%N >"$KNOWN"
docker volume rm "$volume"
docker network rm "$network"
"#,
        warm_target: 0.30,
        cold_target: Some(0.50),
        lines: 0,
    },
    Workload {
        name: "w2",
        says: "a redis service and a step that pings it until PONG",
        file: "\
on: [push, manual]
jobs:
  ping:
    image: redis:7
    services:
      cache: {image: redis:7}
    steps: ['until redis-cli -h cache ping | grep PONG; do sleep 0.02; done']
",
        script: r#"
network=$(docker network create "w2-$$")
volume=$(docker volume create)
service=$(docker run -d --network "$network" --network-alias cache redis:7)
docker run --rm --network "$network" -v "$volume:/workspace" -w /workspace redis:7 \
    sh -e -c 'until redis-cli -h cache ping | grep PONG; do sleep 0.02; done'
date +%s%N >"$KNOWN"
docker rm -f -v "$service"
docker volume rm "$volume"
docker network rm "$network"
"#,
        warm_target: 0.50,
        cold_target: Some(0.75),
        lines: 0,
    },
    Workload {
        name: "w3",
        says: "a step that prints 100,000 lines of 80 bytes",
        file: "\
on: [push, manual]
jobs:
  print:
    image: busybox
    steps: ['awk ''BEGIN { for (i = 1; i <= 100000; i++) printf \"%079d\\n\", i }''']
",
        script: r#"
network=$(docker network create "w3-$$")
volume=$(docker volume create)
docker run --rm --network "$network" -v "$volume:/workspace" -w /workspace busybox \
    sh -e -c "awk 'BEGIN { for (i = 1; i <= 100000; i++) printf \"%079d\\n\", i }'"
date +%s%N >"$KNOWN"
docker volume rm "$volume"
docker network rm "$network"
"#,
        warm_target: 0.50,
        cold_target: Some(0.80),
        lines: LINES,
    },
    Workload {
        name: "w4",
        says: "twenty one-step jobs, two at a time",
        file: "\
on: [push, manual]
jobs:
  cell:
    image: busybox
    matrix:
      number: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]
    steps: ['true']
",
        script: r#"
job='network=$(docker network create "w4-$$")
volume=$(docker volume create)
docker run --rm --network "$network" -v "$volume:/workspace" -w /workspace busybox sh -e -c true
date +%s%N >"$KNOWN"
docker volume rm "$volume"
docker network rm "$network"'
seq 20 | xargs -P 2 -I {} sh -e -c "$job"
"#,
        warm_target: 0.35,
        cold_target: None,
        lines: 0,
    },
];

/// Whether `text` has the numbers 1 to `count`, each once and in order, as lines of 79 digits; other lines are ignored.
///
/// # Errors
/// The first line that is not where it belongs.
pub fn in_order(text: &str, count: usize) -> anyhow::Result<()> {
    let is_number = |line: &&str| line.len() == 79 && line.bytes().all(|byte| byte.is_ascii_digit());
    let mut expected = 1;
    for line in text.lines().map(str::trim_end).filter(is_number) {
        let number: usize = line.trim_start_matches('0').parse().unwrap_or(0);
        anyhow::ensure!(number == expected, "line {number} came where line {expected} belongs");
        expected += 1;
    }
    anyhow::ensure!(expected == count + 1, "{} of {count} lines came", expected - 1);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::in_order;

    fn lines(numbers: &[usize]) -> String {
        numbers.iter().map(|number| format!("{number:079}\n")).collect()
    }

    #[test]
    fn a_lost_a_doubled_and_a_swapped_line_are_found() {
        assert!(in_order(&format!("$ awk\n{}bye\n", lines(&[1, 2, 3])), 3).is_ok());
        for wrong in [&[1, 3][..], &[1, 2, 2, 3], &[2, 1, 3], &[1, 2]] {
            assert!(in_order(&lines(wrong), 3).is_err(), "{wrong:?}");
        }
    }
}
