//! Tests of the coordinator from outside, in one binary: the store's conformance suite on SQLite and on PostgreSQL,
//! and the log store on real files.

mod logs;
mod postgres;
mod store;
