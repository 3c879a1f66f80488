//! Terminal colours to data, the same reading as `assets/ansi.js`.
