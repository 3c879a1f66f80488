//! A gate as PID 1 of real containers.
