//! The pages as a whole: nothing from outside becomes markup, every page is complete and keeps the strict policy, a
//! matrix is a real table, and a log's first screen is what the browser goes on with.

mod escaping;
mod html;
mod logs;
mod matrix;
mod policy;
mod reports;
mod samples;
