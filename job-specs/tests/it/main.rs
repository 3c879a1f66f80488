//! Tests of the job language as its users see it: files in, jobs or diagnostics out.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

mod codes;
mod compose;
mod compose_keys;
mod compose_limits;
mod compose_mistakes;
mod compose_properties;
mod conditions;
mod corpus;
mod examples;
mod files;
mod fix;
mod gallery;
mod gallery_jobs;
mod kept;
mod language;
mod limits;
mod outputs;
mod properties;
mod reference;
mod schema;
mod service_keys;
mod service_mistakes;
mod services;
mod story;
mod triggers;
