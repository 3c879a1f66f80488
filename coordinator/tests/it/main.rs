//! Tests of the coordinator from outside, in one binary: the store's conformance suite on SQLite and on PostgreSQL,
//! and the log store on real files.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod logs;
mod postgres;
mod store;
