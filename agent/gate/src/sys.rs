//! System calls that the standard library does not offer, behind safe functions: the only place with `unsafe`.

use std::ffi::{CStr, CString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;
use std::time::Duration;

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

/// Starts the program in a new session with every signal unblocked and at its default; its process id.
pub fn spawn(program: &Program<'_>) -> io::Result<i32> {
    let argv = pointers(program.argv);
    let env = pointers(program.env);
    let mut pid = 0;
    let mut attributes = MaybeUninit::<libc::posix_spawnattr_t>::uninit();
    let mut actions = MaybeUninit::<libc::posix_spawn_file_actions_t>::uninit();
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    let flags = libc::POSIX_SPAWN_SETSIGDEF | libc::POSIX_SPAWN_SETSIGMASK;
    // SAFETY: each object is initialised by its init function before use and destroyed once at the end (glibc's init
    // functions cannot fail); `argv` and `env` are arrays of C strings that end with null and live, with the strings,
    // until posix_spawn has returned, which is after the exec.
    let result = unsafe {
        let (attributes, actions, set) = (attributes.as_mut_ptr(), actions.as_mut_ptr(), set.as_mut_ptr());
        libc::posix_spawnattr_init(attributes);
        libc::sigfillset(set);
        libc::posix_spawnattr_setsigdefault(attributes, set);
        libc::sigemptyset(set);
        libc::posix_spawnattr_setsigmask(attributes, set);
        libc::posix_spawnattr_setflags(attributes, flags as libc::c_short | libc::POSIX_SPAWN_SETSID);
        libc::posix_spawn_file_actions_init(actions);
        for (target, fd) in (0..).zip(program.stdio) {
            libc::posix_spawn_file_actions_adddup2(actions, fd.as_raw_fd(), target);
        }
        let file = program.file.as_ptr();
        let result = libc::posix_spawn(&raw mut pid, file, actions, attributes, argv.as_ptr(), env.as_ptr());
        libc::posix_spawn_file_actions_destroy(actions);
        libc::posix_spawnattr_destroy(attributes);
        result
    };
    if result == 0 {
        Ok(pid)
    } else {
        Err(io::Error::from_raw_os_error(result))
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
pub struct Dead {
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
pub fn reap() -> Option<Dead> {
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
    Some(Dead {
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
