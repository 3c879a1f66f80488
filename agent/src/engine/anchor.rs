//! The gate as a file and as an image.
