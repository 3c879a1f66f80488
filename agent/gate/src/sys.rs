//! System calls that the standard library does not offer, behind safe functions: the only place with `unsafe`.

use std::ffi::{CStr, CString};
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;
use std::time::Duration;

/// Signals are numbered from 1 to this.
const LAST_SIGNAL: i32 = 64;
/// The kernel's `struct sigaction` for the default action; larger than it is on any machine.
const DEFAULT_ACTION: [u64; 8] = [0; 8];

/// Turns the -1 of a system call into its error.
fn check(result: i32) -> io::Result<i32> {
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// Blocks every signal and returns the descriptor (not blocking, closed on exec) from which they are read instead.
pub fn signals_as_descriptor() -> io::Result<OwnedFd> {
    let mut all = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigfillset initialises the set; the other calls only read it, and signalfd returns a new descriptor
    // that nobody else owns.
    unsafe {
        check(libc::sigfillset(all.as_mut_ptr()))?;
        check(libc::sigprocmask(libc::SIG_SETMASK, all.as_ptr(), ptr::null_mut()))?;
        let fd = check(libc::signalfd(-1, all.as_ptr(), libc::SFD_NONBLOCK | libc::SFD_CLOEXEC))?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// Has orphans handed to this process although it is not PID 1 (outside a container).
pub fn become_subreaper() -> io::Result<()> {
    // SAFETY: prctl with plain numbers touches no memory of ours.
    check(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }).map(drop)
}

/// Makes reads and writes of this end return at once.
pub fn set_nonblocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: fcntl on an open descriptor with plain numbers touches no memory of ours.
    unsafe {
        let flags = check(libc::fcntl(fd.as_raw_fd(), libc::F_GETFL))?;
        check(libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK)).map(drop)
    }
}

/// Asks for a larger pipe; the kernel may refuse, which costs only speed.
pub fn widen_pipe(fd: BorrowedFd<'_>, bytes: i32) {
    // SAFETY: as in `set_nonblocking`.
    unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETPIPE_SZ, bytes) };
}

/// Bytes that can be read from a pipe right now.
pub fn readable_bytes(fd: BorrowedFd<'_>) -> usize {
    let mut bytes: libc::c_int = 0;
    // SAFETY: FIONREAD writes one int to the place we own.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONREAD, &raw mut bytes) };
    if result == 0 {
        usize::try_from(bytes).unwrap_or(0)
    } else {
        0
    }
}

/// Has a pipe no writer any more? It may still have bytes.
pub fn is_hung_up(fd: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd {
        fd: fd.as_raw_fd(),
        events: 0,
        revents: 0,
    }];
    poll(&mut fds, Some(Duration::ZERO)).is_ok() && fds[0].revents & libc::POLLHUP != 0
}

/// What to wait for: see [`poll`].
pub type PollFd = libc::pollfd;

/// Waits for any of these or the time (`None`: for ever). A signal that interrupts it looks like the time.
pub fn poll(fds: &mut [PollFd], timeout: Option<Duration>) -> io::Result<()> {
    let timeout = timeout.map(|timeout| libc::timespec {
        tv_sec: timeout.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_nsec: timeout.subsec_nanos().into(),
    });
    let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
    let count = fds.len() as libc::nfds_t;
    // SAFETY: the slice gives `count` valid entries, the timeout is null or lives until the call returns, and a null
    // mask is allowed.
    let result = check(unsafe { libc::ppoll(fds.as_mut_ptr(), count, timeout, ptr::null()) });
    match result {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => {
            fds.iter_mut().for_each(|fd| fd.revents = 0);
            Ok(())
        }
        other => other.map(drop),
    }
}

/// A program with all it gets.
pub struct Program<'a> {
    /// Path of the file, not looked up.
    pub file: &'a CStr,
    /// Its arguments, the first is its name.
    pub argv: &'a [CString],
    /// `NAME=value`.
    pub env: &'a [CString],
    /// Standard input, output and error.
    pub stdio: [BorrowedFd<'a>; 3],
}

/// Starts the program in a new session with every signal unblocked and at its default; its process id. The error is
/// that of the exec. (glibc's `posix_spawn` would leave its two internal signals ignored.)
pub fn spawn(program: &Program<'_>) -> io::Result<i32> {
    let argv = pointers(program.argv);
    let env = pointers(program.env);
    let (mut failure, report) = io::pipe()?;
    // SAFETY: no other thread runs in a gate that starts children, so the child of fork may do what this process may;
    // `become_program` does not return.
    let pid = unsafe {
        match check(libc::fork())? {
            0 => become_program(program, (&argv, &env), report.as_fd()),
            pid => pid,
        }
    };
    drop(report);
    let mut errno = [0; 4];
    match failure.read_exact(&mut errno) {
        // The exec has closed the pipe.
        Err(_) => Ok(pid),
        Ok(()) => {
            // SAFETY: waitpid on our own child with no place for its status.
            unsafe { libc::waitpid(pid, ptr::null_mut(), 0) };
            Err(io::Error::from_raw_os_error(i32::from_ne_bytes(errno)))
        }
    }
}

/// The child of fork: becomes the program, or says why not and ends.
///
/// # Safety
/// Only in the child of a fork. The arrays end with null, and what they point to is alive.
unsafe fn become_program(
    program: &Program<'_>,
    (argv, env): (&[*mut libc::c_char], &[*mut libc::c_char]),
    report: BorrowedFd<'_>,
) -> ! {
    let mut none = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: system calls on descriptors that are open, on a set that sigemptyset initialises, and on arrays as exec
    // wants them (the caller's promise); nothing here allocates. `report` is above 2, so dup2 does not hit it.
    unsafe {
        libc::setsid();
        for signal in 1..=LAST_SIGNAL {
            // Not by `signal`, which refuses two that glibc keeps for itself.
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                DEFAULT_ACTION.as_ptr(),
                ptr::null::<u64>(),
                8,
            );
        }
        libc::sigemptyset(none.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), ptr::null_mut());
        for (target, fd) in (0..).zip(program.stdio) {
            libc::dup2(fd.as_raw_fd(), target);
        }
        libc::execve(program.file.as_ptr(), argv.as_ptr().cast(), env.as_ptr().cast());
        let errno = (*libc::__errno_location()).to_ne_bytes();
        libc::write(report.as_raw_fd(), errno.as_ptr().cast(), errno.len());
        libc::_exit(127)
    }
}

/// The array that exec wants: a pointer to each string, then null.
fn pointers(strings: &[CString]) -> Vec<*mut libc::c_char> {
    strings
        .iter()
        .map(|string| string.as_ptr().cast_mut())
        .chain([ptr::null_mut()])
        .collect()
}

/// A process that is over.
pub struct ReapedProcess {
    /// Which.
    pub pid: i32,
    /// Its exit code, or the signal that ended it.
    pub how: Result<i32, i32>,
    /// Processor time of it and of all it waited for, microseconds.
    pub cpu_us: u64,
    /// Largest resident memory of one of these, bytes.
    pub max_rss_bytes: u64,
}

/// Takes one dead child, if there is one.
pub fn reap() -> Option<ReapedProcess> {
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: wait4 writes to the two places we own; a zeroed rusage is a valid value.
    let (pid, usage) = unsafe {
        let pid = libc::wait4(-1, &raw mut status, libc::WNOHANG, usage.as_mut_ptr());
        (pid, usage.assume_init())
    };
    if pid <= 0 {
        return None;
    }
    let micros = |time: libc::timeval| {
        u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000 + u64::try_from(time.tv_usec).unwrap_or(0)
    };
    let exited = libc::WIFEXITED(status);
    Some(ReapedProcess {
        pid,
        how: if exited {
            Ok(libc::WEXITSTATUS(status))
        } else {
            Err(libc::WTERMSIG(status))
        },
        cpu_us: micros(usage.ru_utime) + micros(usage.ru_stime),
        max_rss_bytes: u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024,
    })
}

/// Sends a signal to a process group; one that is gone does not matter.
pub fn signal_group(group: i32, signal: i32) {
    // SAFETY: kill with plain numbers touches no memory of ours.
    unsafe { libc::kill(-group, signal) };
}

/// Ends every process of the container but this one. Only for PID 1: elsewhere it would reach far too far.
pub fn kill_everything() {
    assert_eq!(std::process::id(), 1, "only PID 1 has a container to itself");
    // SAFETY: as in `signal_group`.
    unsafe { libc::kill(-1, libc::SIGKILL) };
}

/// Ends one other process of the container.
pub fn kill(pid: i32) {
    assert!(pid > 1, "not a group, not everybody, not the gate");
    // SAFETY: as in `signal_group`.
    unsafe { libc::kill(pid, libc::SIGKILL) };
}

/// Makes an open folder the working directory of this process.
pub fn change_dir(folder: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: fchdir on an open descriptor touches no memory of ours.
    check(unsafe { libc::fchdir(folder.as_raw_fd()) }).map(drop)
}

/// Takes one signal that came, if there is one.
pub fn read_signal(signals: BorrowedFd<'_>) -> Option<i32> {
    let mut info = MaybeUninit::<libc::signalfd_siginfo>::zeroed();
    let size = size_of::<libc::signalfd_siginfo>();
    // SAFETY: read writes at most `size` bytes to the place we own; a zeroed signalfd_siginfo is a valid value.
    let (count, info) = unsafe {
        let count = libc::read(signals.as_raw_fd(), info.as_mut_ptr().cast(), size);
        (count, info.assume_init())
    };
    let whole = usize::try_from(count).is_ok_and(|count| count == size);
    if whole {
        i32::try_from(info.ssi_signo).ok()
    } else {
        None
    }
}

/// Is this a signal that somebody sends to a program, as opposed to what the kernel says about the gate itself?
pub fn is_for_the_child(signal: i32) -> bool {
    let own = [
        libc::SIGCHLD,
        libc::SIGPIPE,
        libc::SIGXFSZ,
        libc::SIGXCPU,
        libc::SIGTTIN,
        libc::SIGTTOU,
        libc::SIGURG,
    ];
    !own.contains(&signal)
}
