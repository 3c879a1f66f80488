//! What the container's cgroup knows: peak memory and the number of processes ended for too much of it. Both versions
//! of cgroups; outside a container (tests) these files speak of the whole machine, so they are not asked there.

use std::fs;

/// Peak memory of this container in bytes.
pub fn peak_memory_bytes() -> Option<u64> {
    let files = [
        "/sys/fs/cgroup/memory/memory.max_usage_in_bytes",
        "/sys/fs/cgroup/memory.peak",
    ];
    in_container(&files)?.trim().parse().ok()
}

/// How many processes of this container were ended for using too much memory; 0 when unknown.
pub fn oom_kills() -> u64 {
    let files = [
        "/sys/fs/cgroup/memory/memory.oom_control",
        "/sys/fs/cgroup/memory.events",
    ];
    in_container(&files).and_then(|text| oom_kill_line(&text)).unwrap_or(0)
}

/// The first of these files that can be read.
fn in_container(files: &[&str]) -> Option<String> {
    if std::process::id() != 1 {
        return None;
    }
    files.iter().find_map(|file| fs::read_to_string(file).ok())
}

fn oom_kill_line(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("oom_kill "))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::oom_kill_line;

    #[test]
    fn both_versions_are_understood() {
        assert_eq!(oom_kill_line("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"), Some(2));
        assert_eq!(
            oom_kill_line("low 0\nhigh 0\nmax 9\noom 3\noom_kill 1\noom_group_kill 0\n"),
            Some(1)
        );
        assert_eq!(
            oom_kill_line("oom_kill_disable 0\nunder_oom 0\n"),
            None,
            "kernels before 4.13"
        );
    }
}
