//! What one input costs: processor time, which does not depend on what else the machine does, and the most bytes that
//! were allocated at once; and whether it panicked.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;

use cpu_time::ProcessTime;
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// An input is at work: panics are its.
static MEASURING: AtomicBool = AtomicBool::new(false);
/// What the last panic said, and where it was.
static PANIC: Mutex<Option<String>> = Mutex::new(None);

/// What one input may cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Of processor time.
    pub time: Duration,
    /// Bytes at once, beyond those that were there before.
    pub memory: usize,
}

/// The limits of issue and documentation.
pub const LIMITS: Limits = Limits {
    time: Duration::from_secs(1),
    memory: 200 << 20,
};

/// What one input did cost.
#[derive(Debug, Clone, Default)]
pub struct Cost {
    /// Of processor time.
    pub time: Duration,
    /// Bytes at once, beyond those that were there before.
    pub memory: usize,
    /// What the panic said, if there was one.
    pub panic: Option<String>,
}

/// Why an input is a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It panicked: what was said.
    Panic(String),
    /// It took too long.
    Slow(Duration),
    /// It took too many bytes.
    Heavy(usize),
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Fault::Panic(said) => write!(f, "a panic: {said}"),
            Fault::Slow(time) => write!(f, "it took {time:?}"),
            Fault::Heavy(bytes) => write!(f, "it took {} MiB", bytes >> 20),
        }
    }
}

impl Cost {
    /// What is wrong with it, if anything.
    #[must_use]
    pub fn fault(&self, limits: Limits) -> Option<Fault> {
        if let Some(said) = &self.panic {
            return Some(Fault::Panic(said.clone()));
        }
        if self.memory > limits.memory {
            return Some(Fault::Heavy(self.memory));
        }
        (self.time > limits.time).then_some(Fault::Slow(self.time))
    }
}

/// Does it and measures.
pub fn measured(work: impl FnOnce()) -> Cost {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !MEASURING.load(Ordering::Relaxed) {
                return usual(panic);
            }
            *PANIC.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic.to_string());
        }));
    });
    MEMORY.reset_peak_usage();
    // Of all threads.
    let (before, begun) = (MEMORY.current_usage(), ProcessTime::now());
    MEASURING.store(true, Ordering::Relaxed);
    let went = catch_unwind(AssertUnwindSafe(work));
    MEASURING.store(false, Ordering::Relaxed);
    let said = PANIC.lock().unwrap_or_else(PoisonError::into_inner).take();
    Cost {
        time: begun.elapsed(),
        memory: MEMORY.peak_usage().saturating_sub(before),
        // A panic in a thread of the work counts as well.
        panic: said.or_else(|| went.is_err().then(|| "without words".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_wrong_is_seen() {
        let fine = measured(|| ());
        assert_eq!(fine.fault(LIMITS), None);
        let panic = measured(|| panic!("no such thing"));
        assert!(matches!(panic.fault(LIMITS), Some(Fault::Panic(said)) if said.contains("no such thing")));
        // Twice as much as it may: other tests give memory back meanwhile.
        let heavy = measured(|| drop(std::hint::black_box(vec![1_u8; 400 << 20])));
        assert!(matches!(heavy.fault(LIMITS), Some(Fault::Heavy(bytes)) if bytes > LIMITS.memory));
        let busy = measured(|| {
            let begun = ProcessTime::now();
            while begun.elapsed() < Duration::from_millis(2) {}
        });
        let limits = Limits {
            time: Duration::from_millis(1),
            ..LIMITS
        };
        assert!(matches!(busy.fault(limits), Some(Fault::Slow(_))));
    }
}
