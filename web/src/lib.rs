//! View structs to HTML pages, pure: a page is a function of its view, so a page is a test of its input. Separate so
//! that nothing here can read a database or wait for anything, and so that the coordinator decides who may see what
//! before a view is made.
//!
//! - [`views`]: what each page shows, as plain data. The coordinator fills them.
//! - [`pages`]: one function per page, and one per live fragment of a page.
//! - [`assets`]: the style sheet and the ES modules, embedded; [`badge`]: the badge as SVG.
//! - [`routes`]: every address that a page links to or posts to.
//!
//! Everything that a page says came from outside at some time. Templates escape it, log text becomes nodes and never
//! markup, and the pages need no inline script or style, so the policy [`CONTENT_SECURITY_POLICY`] holds for all.

pub mod ansi;
pub mod assets;
pub mod badge;
pub mod common;
mod format;
mod log;
mod look;
mod matrix;
pub mod pages;
pub mod routes;
mod ruler;
mod source;
mod ui;
pub mod views;

/// The `Content-Security-Policy` that every page is served with.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
