//! Tests of the job language as its users see it: files in, jobs or diagnostics out.

mod examples;
mod gallery;
mod language;
mod limits;
mod properties;
mod schema;
mod story;
