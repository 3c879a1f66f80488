//! The pages as a whole: nothing from outside becomes markup, every page is complete, and a matrix is a real table.

mod samples;
