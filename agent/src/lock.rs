//! Locks that outlive a panic: what they keep is whole after every statement.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, whether or not somebody has panicked meanwhile.
pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
