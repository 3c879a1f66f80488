//! Plan to request, pure.
