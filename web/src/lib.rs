//! View structs to HTML pages; pure, so that a page is a test of its input.
