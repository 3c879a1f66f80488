//! How much one reading may hold. Each limit has its own code; the YAML tree's own limits stand in `yaml::tree`, the
//! matrix's in `matrix`.

/// Bytes of one file.
pub(crate) const MAX_FILE_BYTES: usize = 256 * 1024;
/// Files of one reading.
pub(crate) const MAX_FILES: usize = 100;
/// Jobs over all files.
pub const MAX_JOBS: usize = 100;
/// Steps of a job.
pub(crate) const MAX_STEPS: usize = 100;
/// Services of a job.
pub(crate) const MAX_SERVICES: usize = 30;
/// Cells over all jobs.
pub(crate) const MAX_ALL_CELLS: usize = 1024;
/// Names of one matrix, those of `include` too.
pub(crate) const MAX_AXES: usize = 24;
/// Entries of `include`, and of `exclude`.
pub(crate) const MAX_ENTRIES: usize = 256;
/// Bytes of one matrix value.
pub(crate) const MAX_VALUE_BYTES: usize = 256;
/// Files of the repository that job files may refer to.
pub(crate) const MAX_IMPORTED_FILES: usize = 100;
/// Bytes of all those files.
pub(crate) const MAX_IMPORTED_BYTES: usize = 4 * 1024 * 1024;
/// Services that one Compose file may define; a job takes fewer.
pub(crate) const MAX_DEFINED_SERVICES: usize = 200;
/// Compose files inside each other (`include`, `extends`).
pub(crate) const MAX_IMPORT_DEPTH: usize = 16;
/// Values read over all cells of all jobs.
pub(crate) const MAX_READ_NODES: usize = 600_000;
/// Bytes of text read over all cells of all jobs.
pub(crate) const MAX_READ_BYTES: usize = 32 * 1024 * 1024;
