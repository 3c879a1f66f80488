//! The coordinator from outside, in one binary: the store's conformance suite on SQLite and on PostgreSQL, the log store
//! on real files, and HTTP on a real listener with real Git repositories and agents that speak the protocol.

mod http;
mod logs;
mod postgres;
mod store;
