//! Tests of the coordinator from outside, in one binary: the store's conformance suite on SQLite and on PostgreSQL, the
//! log store on real files, and stories over HTTP with real Git repositories and agents that speak the protocol.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod blobs;
mod forges;
mod http;
mod logs;
mod postgres;
mod store;
