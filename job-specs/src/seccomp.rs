//! A seccomp profile that a service may have: one that allows nothing which the engine's own does not allow. Pure, and
//! apart from the reading of services, because it is a comparison with a fixed list.

use serde::Deserialize;
use serde_json::Value;

/// What a Docker-compatible engine's own profile allows every container (those of `io_uring` not, as in newer ones).
const ALLOWED: &str = "\
_llseek _newselect accept accept4 access adjtimex alarm arch_prctl arm_fadvise64_64 arm_sync_file_range \
bind breakpoint brk cacheflush cachestat capget capset chdir chmod chown chown32 clock_adjtime \
clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep \
clock_nanosleep_time64 close close_range connect copy_file_range creat dup dup2 dup3 epoll_create \
epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 \
execve execveat exit exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate fanotify_mark fchdir \
fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr flistxattr flock fork \
fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futex \
futex_time64 futex_waitv futimesat get_robust_list get_thread_area getcpu getcwd getdents getdents64 \
getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getitimer getpeername getpgid \
getpgrp getpid getppid getpriority getrandom getresgid getresgid32 getresuid getresuid32 getrlimit \
getrusage getsid getsockname getsockopt gettid gettimeofday getuid getuid32 getxattr inotify_add_watch \
inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents \
io_pgetevents_time64 io_setup io_submit ioctl ioprio_get ioprio_set ipc kill landlock_add_rule \
landlock_create_ruleset landlock_restrict_self lchown lchown32 lgetxattr link linkat listen listxattr \
llistxattr lremovexattr lseek lsetxattr lstat lstat64 madvise map_shadow_stack membarrier memfd_create \
memfd_secret mincore mkdir mkdirat mknod mknodat mlock mlock2 mlockall mmap mmap2 modify_ldt mprotect \
mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 \
mq_unlink mremap msgctl msgget msgrcv msgsnd msync munlock munlockall munmap name_to_handle_at nanosleep \
newfstatat open openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc pkey_free \
pkey_mprotect poll ppoll ppoll_time64 prctl pread64 preadv preadv2 prlimit64 process_mrelease \
process_vm_readv process_vm_writev pselect6 pselect6_time64 ptrace pwrite64 pwritev pwritev2 read readahead \
readlink readlinkat readv recv recvfrom recvmmsg recvmmsg_time64 recvmsg remap_file_pages removexattr \
rename renameat renameat2 restart_syscall riscv_flush_icache riscv_hwprobe rmdir rseq rt_sigaction \
rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait \
rt_sigtimedwait_time64 rt_tgsigqueueinfo s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr \
sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam \
sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr \
sched_setparam sched_setscheduler sched_yield seccomp select semctl semget semop semtimedop \
semtimedop_time64 send sendfile sendfile64 sendmmsg sendmsg sendto set_robust_list set_thread_area \
set_tid_address set_tls setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 \
setitimer setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid \
setreuid32 setrlimit setsid setsockopt setuid setuid32 setxattr shmat shmctl shmdt shmget shutdown \
sigaltstack signalfd signalfd4 sigprocmask sigreturn socketcall socketpair splice stat stat64 statfs \
statfs64 statx swapcontext symlink symlinkat sync sync_file_range sync_file_range2 syncfs sysinfo tee \
tgkill time timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime \
timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times \
tkill truncate truncate64 ugetrlimit umask uname unlink unlinkat utime utimensat utimensat_time64 utimes \
vfork vmsplice wait4 waitid waitpid write writev";

/// What it allows beyond that to containers with a capability.
const WITH_A_CAPABILITY: &[(&str, &[&str])] = &[
    ("CAP_SYS_CHROOT", &["chroot"]),
    ("CAP_SYS_PACCT", &["acct"]),
    ("CAP_SYS_PTRACE", &["kcmp", "pidfd_getfd", "process_madvise"]),
    ("CAP_SYS_TTY_CONFIG", &["vhangup"]),
    (
        "CAP_SYS_NICE",
        &["get_mempolicy", "mbind", "set_mempolicy", "set_mempolicy_home_node"],
    ),
];

/// No service is given these, so what a profile allows for them alone is never allowed.
const NEVER_GIVEN: &[&str] = &[
    "CAP_BPF",
    "CAP_DAC_READ_SEARCH",
    "CAP_PERFMON",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_TIME",
    "CAP_SYSLOG",
];

/// The flags of `clone` that make a namespace.
const NEW_NAMESPACES: u64 = 0x7E02_0000;
/// `AF_VSOCK`, the one family of sockets that is not allowed.
const VSOCK: u64 = 40;
/// What `personality` may be set to.
const PERSONALITIES: [u64; 5] = [0, 8, 0x2_0000, 0x2_0008, 0xFFFF_FFFF];

/// The keys of a profile, all that an engine knows.
const KEYS: [&str; 23] = [
    "action",
    "archMap",
    "architecture",
    "architectures",
    "arches",
    "args",
    "caps",
    "comment",
    "defaultAction",
    "defaultErrnoRet",
    "errnoRet",
    "excludes",
    "flags",
    "includes",
    "index",
    "minKernel",
    "name",
    "names",
    "op",
    "subArchitectures",
    "syscalls",
    "value",
    "valueTwo",
];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    default_action: String,
    #[serde(default)]
    syscalls: Option<Vec<Rule>>,
}

#[derive(Deserialize)]
struct Rule {
    #[serde(default)]
    name: String,
    #[serde(default)]
    names: Option<Vec<String>>,
    action: String,
    #[serde(default)]
    args: Option<Vec<Argument>>,
    #[serde(default)]
    includes: Option<Filter>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Argument {
    index: u32,
    value: u64,
    #[serde(default)]
    value_two: u64,
    op: String,
}

#[derive(Deserialize, Default)]
struct Filter {
    #[serde(default)]
    caps: Option<Vec<String>>,
    #[serde(default)]
    arches: Option<Vec<String>>,
}

/// Why a service may not have that profile, in a few words. `None`: it may.
pub(crate) fn fault(text: &str) -> Option<String> {
    let profile: Profile = match serde_json::from_str(text) {
        Ok(profile) => profile,
        Err(error) => return Some(format!("it cannot be read: {error}")),
    };
    if let Some(key) = serde_json::from_str::<Value>(text).ok().as_ref().and_then(almost_a_key) {
        return Some(format!("its key `{key}` is not spelt as engines spell it"));
    }
    if !denies(&profile.default_action) {
        let action = &profile.default_action;
        return Some(format!(
            "its `defaultAction` is `{action}`: what it does not name would be allowed"
        ));
    }
    profile.syscalls.iter().flatten().find_map(looser)
}

/// A key that we do not know and that an engine may take for one that it knows: engines do not mind capital letters, nor
/// letters that are other forms of ours.
fn almost_a_key(value: &Value) -> Option<String> {
    let is_almost = |key: &str| {
        !key.is_ascii()
            || KEYS
                .iter()
                .any(|known| known.eq_ignore_ascii_case(key) && *known != key)
    };
    match value {
        Value::Object(entries) => entries.iter().find_map(|(key, value)| match is_almost(key) {
            true => Some(key.clone()),
            false => almost_a_key(value),
        }),
        Value::Array(items) => items.iter().find_map(almost_a_key),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// What the rule allows and the engine's own profile does not.
fn looser(rule: &Rule) -> Option<String> {
    if denies(&rule.action) {
        return None;
    }
    let alone = Some(&rule.name).filter(|name| !name.is_empty());
    let mut names = rule.names.iter().flatten().chain(alone);
    let name = names.find(|name| !rule.may_allow(name))?;
    let action = &rule.action;
    Some(format!(
        "it says `{action}` to `{name}`, which the engine's own profile does not allow so"
    ))
}

impl Rule {
    fn may_allow(&self, name: &str) -> bool {
        let caps = self.includes.as_ref().and_then(|includes| includes.caps.as_deref());
        let needs = caps.unwrap_or_default();
        let needs_one_of = |caps: &[&str]| needs.iter().any(|need| caps.contains(&need.as_str()));
        if needs_one_of(NEVER_GIVEN) || ALLOWED.split_ascii_whitespace().any(|allowed| allowed == name) {
            return true;
        }
        let of_capability = |(cap, names): &(&str, &[&str])| names.contains(&name) && needs_one_of(&[cap]);
        if WITH_A_CAPABILITY.iter().any(of_capability) {
            return true;
        }
        match name {
            "clone" => self.has(|one| {
                one.op == "SCMP_CMP_MASKED_EQ"
                    && one.value == NEW_NAMESPACES
                    && one.value_two == 0
                    && one.index == u32::from(self.is_for_s390())
            }),
            "socket" => self.has(|one| {
                let equals = one.op == "SCMP_CMP_EQ" && one.value != VSOCK;
                one.index == 0 && (equals || one.op == "SCMP_CMP_NE" && one.value == VSOCK)
            }),
            "personality" => {
                self.has(|one| one.index == 0 && one.op == "SCMP_CMP_EQ" && PERSONALITIES.contains(&one.value))
            }
            _ => false,
        }
    }

    /// All conditions of a rule must be met, so one that is strict enough makes the rule so.
    fn has(&self, is_strict: impl Fn(&Argument) -> bool) -> bool {
        self.args.iter().flatten().any(is_strict)
    }

    /// There the flags of `clone` are its second argument.
    fn is_for_s390(&self) -> bool {
        let arches = self.includes.as_ref().and_then(|includes| includes.arches.as_deref());
        arches.is_some_and(|arches| !arches.is_empty() && arches.iter().all(|arch| arch.starts_with("s390")))
    }
}

/// The call is not made. Anything else makes it, if only to note it.
fn denies(action: &str) -> bool {
    const DENY: [&str; 5] = [
        "SCMP_ACT_ERRNO",
        "SCMP_ACT_KILL",
        "SCMP_ACT_KILL_PROCESS",
        "SCMP_ACT_KILL_THREAD",
        "SCMP_ACT_TRAP",
    ];
    DENY.contains(&action)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(rules: &str) -> Option<String> {
        fault(&format!(r#"{{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{rules}]}}"#))
    }

    #[test]
    fn a_profile_may_be_stricter() {
        for rules in [
            "",
            r#"{"names":["read","write","ptrace"],"action":"SCMP_ACT_ALLOW"}"#,
            r#"{"names":["mount","chmod"],"action":"SCMP_ACT_ERRNO","errnoRet":38}"#,
            r#"{"name":"socket","action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":40,"op":"SCMP_CMP_NE"}]}"#,
            r#"{"names":["clone"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":2114060288,"op":"SCMP_CMP_MASKED_EQ"}]}"#,
            r#"{"names":["clone"],"action":"SCMP_ACT_ALLOW","args":[{"index":1,"value":2114060288,"op":"SCMP_CMP_MASKED_EQ"}],"includes":{"arches":["s390","s390x"]}}"#,
            r#"{"names":["mount","unshare"],"action":"SCMP_ACT_ALLOW","includes":{"caps":["CAP_SYS_ADMIN"]}}"#,
            r#"{"names":["chroot"],"action":"SCMP_ACT_ALLOW","includes":{"caps":["CAP_SYS_CHROOT"]},"args":null}"#,
            r#"{"names":["personality"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":8,"op":"SCMP_CMP_EQ"}]}"#,
        ] {
            assert_eq!(with(rules), None, "{rules}");
        }
    }

    #[test]
    fn whatever_it_would_loosen_is_named() {
        let looser = [
            r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#.to_owned(),
            r#"{"defaultAction":"SCMP_ACT_LOG"}"#.to_owned(),
            r#"{"defaultAction":7}"#.to_owned(),
            r#"{"defaultAction":"SCMP_ACT_ERRNO","DefaultAction":"SCMP_ACT_ALLOW"}"#.to_owned(),
            r#"{"defaultAction":"SCMP_ACT_ERRNO","defaultAction":"SCMP_ACT_ALLOW"}"#.to_owned(),
            r#"{"defaultAction":"SCMP_ACT_ERRNO","Syscalls":[{"names":["mount"],"action":"SCMP_ACT_ALLOW"}]}"#
                .to_owned(),
            "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"\u{17f}yscalls\":[]}".to_owned(),
            "{}".to_owned(),
        ];
        for text in looser {
            assert!(fault(&text).is_some(), "{text}");
        }
        for (rules, name) in [
            (r#"{"names":["read","unshare"],"action":"SCMP_ACT_ALLOW"}"#, "unshare"),
            (r#"{"name":"mount","action":"SCMP_ACT_LOG"}"#, "mount"),
            (
                r#"{"names":["mount"],"action":"SCMP_ACT_ERRNO","Action":"SCMP_ACT_ALLOW"}"#,
                "Action",
            ),
            (r#"{"names":["setns"],"action":"SCMP_ACT_TRACE"}"#, "setns"),
            (r#"{"names":["bpf"],"action":"SCMP_ACT_NOTIFY"}"#, "bpf"),
            (
                r#"{"names":["mount"],"action":"SCMP_ACT_ALLOW","includes":{"caps":["CAP_CHOWN"]}}"#,
                "mount",
            ),
            (
                r#"{"names":["mount"],"action":"SCMP_ACT_ALLOW","excludes":{"caps":["CAP_SYS_ADMIN"]}}"#,
                "mount",
            ),
            (r#"{"names":["clone"],"action":"SCMP_ACT_ALLOW"}"#, "clone"),
            (
                r#"{"names":["clone"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":0,"op":"SCMP_CMP_GE"}]}"#,
                "clone",
            ),
            (
                r#"{"names":["clone"],"action":"SCMP_ACT_ALLOW","args":[{"index":1,"value":2114060288,"op":"SCMP_CMP_MASKED_EQ"}]}"#,
                "clone",
            ),
            (r#"{"names":["clone3"],"action":"SCMP_ACT_ALLOW"}"#, "clone3"),
            (
                r#"{"names":["socket"],"action":"SCMP_ACT_ALLOW","args":null}"#,
                "socket",
            ),
            (
                r#"{"names":["io_uring_setup"],"action":"SCMP_ACT_ALLOW"}"#,
                "io_uring_setup",
            ),
        ] {
            assert!(
                with(rules).is_some_and(|why| why.contains(&format!("`{name}`"))),
                "{rules}"
            );
        }
    }
}
