//! Archives of caches and artifacts beside `tar` and `zstd`, by the agent's own example: a gigabyte packed, half of one
//! unpacked, and the memory that it took.

use super::table;
use crate::process;
use anyhow::Context;
use serde_json::{Value, json};

/// Megabytes of an artifact.
const ARTIFACT: &str = "1000";
/// Megabytes of a cache.
const CACHE: &str = "500";

/// Measures both.
///
/// # Errors
/// When the example cannot be built or breaks.
pub fn run() -> anyhow::Result<Value> {
    let artifact = measure(ARTIFACT)?;
    let cache = measure(CACHE)?;
    let number = |of: &Value, name: &str| of[name].as_f64();
    table::number(
        "artifact of 1 GB, beside `tar | zstd -T0`",
        number(&artifact, "pack_ratio"),
        "x",
        Some(1.2),
    );
    table::number(
        "cache of 500 MB, beside `zstd -d | tar`",
        number(&cache, "unpack_ratio"),
        "x",
        Some(1.2),
    );
    table::number(
        "memory that it took",
        number(&artifact, "peak_memory_mb"),
        "MB",
        Some(100.0),
    );
    Ok(json!({"artifact": artifact, "cache": cache}))
}

fn measure(megabytes: &str) -> anyhow::Result<Value> {
    let folder = tempfile::tempdir_in(process::scratch()?).context("make a folder")?;
    process::measure("agent", "archives", &[folder.path().as_ref(), megabytes.as_ref()])
}
