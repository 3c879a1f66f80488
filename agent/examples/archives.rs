//! How fast archives of caches and artifacts are, beside `tar` and `zstd` on the same tree in the same minute. Prints one
//! JSON object. `cargo run --release --package agent --example archives -- FOLDER [MEGABYTES]`

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use agent::blobs::archive::{self, Links, Modes, PackSource, Rules, UnpackTarget};
use anyhow::{Context, ensure};
use serde_json::json;

/// Bytes of a file of the tree.
const FILE_LEN: usize = 4 << 20;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().context("a folder to work in")?);
    let megabytes: usize = arguments.next().map_or(Ok(1000), |text| text.parse())?;
    let tree = folder.join("tree");
    make_tree(&tree, megabytes)?;
    // Once to warm the page cache, for both.
    shell("cat tree/* > /dev/null", &folder)?;
    let by_hand_ms = timed(|| shell("tar -cf - -C tree . | zstd -q -f -T0 -o hand.tar.zst", &folder))?;
    let archive = folder.join("ours.tar.zst");
    let pack_ms = timed(|| pack(&tree, &archive))?;
    let unpacked = folder.join("unpacked");
    fs::create_dir_all(folder.join("by-hand"))?;
    let hand_back_ms = timed(|| shell("zstd -q -dc hand.tar.zst | tar -xf - -C by-hand", &folder))?;
    let unpack_ms = timed(|| unpack(&archive, &unpacked))?;
    let report = json!({
        "megabytes": megabytes,
        "archive_bytes": fs::metadata(&archive)?.len(),
        "hand_archive_bytes": fs::metadata(folder.join("hand.tar.zst"))?.len(),
        "pack_ms": pack_ms,
        "tar_zstd_ms": by_hand_ms,
        "pack_ratio": pack_ms / by_hand_ms,
        "unpack_ms": unpack_ms,
        "zstd_tar_ms": hand_back_ms,
        "unpack_ratio": unpack_ms / hand_back_ms,
        "peak_memory_mb": peak_memory_mb()?,
    });
    println!("{report}");
    Ok(())
}

fn timed(work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let begin = Instant::now();
    work()?;
    Ok(begin.elapsed().as_secs_f64() * 1000.0)
}

/// Files like those of a build: half of each is noise.
fn make_tree(tree: &Path, megabytes: usize) -> anyhow::Result<()> {
    fs::create_dir_all(tree)?;
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for number in 0..megabytes.div_ceil(4) {
        let mut bytes = Vec::with_capacity(FILE_LEN);
        while bytes.len() < FILE_LEN {
            for _ in 0..64 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                bytes.extend_from_slice(&state.to_le_bytes());
            }
            let line = format!(
                "{number} a line as logs and sources have it, again and again {}\n",
                state % 97
            );
            (0..8).for_each(|_| bytes.extend_from_slice(line.as_bytes()));
        }
        fs::write(tree.join(format!("{number:05}")), &bytes[..FILE_LEN])?;
    }
    Ok(())
}

fn pack(tree: &Path, to: &Path) -> anyhow::Result<()> {
    let sources = [PackSource::Path {
        root: tree.to_owned(),
        at: PathBuf::new(),
        name: PathBuf::new(),
    }];
    let found = archive::walk(&sources)?;
    let mut file = BufWriter::with_capacity(256 * 1024, File::create(to)?);
    archive::pack(&sources, &found, u64::MAX, &mut file)?;
    Ok(file.flush()?)
}

fn unpack(from: &Path, folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder)?;
    let into = UnpackTarget::all_into(folder.to_owned());
    let rules = Rules::of(Links::Inside, Modes::Own);
    archive::unpack(File::open(from)?, &[into], rules)?;
    Ok(())
}

fn shell(script: &str, folder: &Path) -> anyhow::Result<()> {
    let status = Command::new("sh").args(["-ec", script]).current_dir(folder).status()?;
    ensure!(status.success(), "`{script}` failed");
    Ok(())
}

/// The most that this process ever held.
fn peak_memory_mb() -> anyhow::Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes: f64 = line
        .and_then(|line| line.split_whitespace().next())
        .context("read VmHWM")?
        .parse()?;
    Ok(kibibytes * 1024.0 / 1e6)
}
