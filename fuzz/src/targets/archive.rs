//! Archives of caches and artifacts: what an agent unpacks, and what the coordinator browses. An input is a tar
//! stream; its headers get their right sums, so that more than the first is read, and it is compressed. What is compressed
//! already is taken as it is.

use std::io::Write;
use std::path::{Path, PathBuf};

use agent::blobs::archive::{Limits, Links, Modes, Rules, UnpackTarget, unpack};
use anyhow::Context;
use coordinator::blobs::{BlobStore, browse};
use tokio::runtime::{Builder, Runtime};

use super::{Target, filled};
use crate::mutate::Examples;
use crate::random::Random;

/// How compressed bytes begin.
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const BLOCK: usize = 512;
/// Where a header has its sum.
const SUM: std::ops::Range<usize> = 148..156;
/// An archive may unpack to 100 GiB, which takes longer than a second and is no fault.
const MOST_BYTES: u64 = 16 << 20;
/// Any name; the store asks for a SHA-256.
const NAME: &str = "aa00";
/// Files on a page.
const PAGE: usize = 1_000;

/// Where it is done.
struct Scratch {
    unpacked: PathBuf,
    blob: PathBuf,
    list: PathBuf,
    blobs: BlobStore,
    runtime: Runtime,
}

pub(super) fn target(scratch: &Path) -> anyhow::Result<Target> {
    let blobs = BlobStore::open(&coordinator::config::Blobs::default(), scratch)?;
    let folder = scratch.join("blobs/sha256/aa");
    std::fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    let place = Scratch {
        unpacked: scratch.join("unpacked"),
        blob: folder.join(NAME),
        list: folder.join(format!("{NAME}.list")),
        blobs,
        runtime: Builder::new_current_thread()
            .enable_all()
            .build()
            .context("make a runtime")?,
    };
    Ok(Target {
        name: "archive",
        examples: Examples::new(vec![
            tree()?,
            long_names()?,
            links()?,
            zstd::encode_all(&tree()?[..], 1)?,
        ]),
        worst: Box::new(worst),
        read: Box::new(move |bytes| place.read(bytes)),
    })
}

impl Scratch {
    fn read(&self, bytes: &[u8]) {
        let mut random = Random::of_bytes(bytes);
        let archive = if bytes.starts_with(&ZSTD) {
            bytes.to_vec()
        } else {
            zstd::encode_all(&summed(bytes)[..], 1).expect("memory is written")
        };
        self.unpack(&archive, &mut random);
        self.browse(&archive, &mut random);
    }

    fn unpack(&self, archive: &[u8], random: &mut Random) {
        std::fs::create_dir_all(&self.unpacked).expect("the scratch folder is ours");
        let into = UnpackTarget {
            root: self.unpacked.clone(),
            at: PathBuf::new(),
            name: PathBuf::new(),
        };
        let rules = Rules {
            links: random.pick(&[Links::Inside, Links::Anywhere]),
            modes: random.pick(&[Modes::Own, Modes::OpenToAll, Modes::OwnWithOwners]),
            limits: Limits {
                bytes: MOST_BYTES,
                ..Limits::default()
            },
        };
        let _ = unpack(archive, &[into], rules);
        std::fs::remove_dir_all(&self.unpacked).expect("what was unpacked stays in its folder");
    }

    fn browse(&self, archive: &[u8], random: &mut Random) {
        std::fs::write(&self.blob, archive).expect("the scratch folder is ours");
        let _ = std::fs::remove_file(&self.list);
        // The first read goes through the archive, the second through the list that it left.
        for after in [0, random.below(4)] {
            drop(self.runtime.block_on(browse::page(&self.blobs, NAME, after, PAGE)));
        }
    }
}

/// The stream with the sum of each header that can be found by its sizes.
fn summed(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let mut at = 0;
    while at + BLOCK <= bytes.len() {
        let header = &mut bytes[at..at + BLOCK];
        if header.iter().all(|byte| *byte == 0) {
            break;
        }
        header[SUM].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[SUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let size = tar::Header::from_byte_slice(header).entry_size().unwrap_or(0);
        let blocks = usize::try_from(size).unwrap_or(usize::MAX).div_ceil(BLOCK);
        at = at.saturating_add(BLOCK).saturating_add(blocks.saturating_mul(BLOCK));
    }
    bytes
}

/// Files and folders.
fn tree() -> anyhow::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    file(&mut tar, "target/app", b"#!/bin/sh\necho hello\n", 0o755)?;
    file(&mut tar, "target/notes.txt", &b"text ".repeat(150), 0o644)?;
    let mut header = header(tar::EntryType::Directory, 0, 0o755);
    tar.append_data(&mut header, "target/empty", &[][..])?;
    file(&mut tar, "target/b\u{e9}", b"", 0o600)?;
    Ok(tar.into_inner()?)
}

/// Names that do not fit into a header.
fn long_names() -> anyhow::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    file(&mut tar, &format!("a/{}/end", "long/".repeat(40)), b"x", 0o644)?;
    let mut header = header(tar::EntryType::Symlink, 0, 0o777);
    tar.append_link(&mut header, "a/link", "far/".repeat(40))?;
    file(&mut tar, "a/short", b"y", 0o644)?;
    Ok(tar.into_inner()?)
}

/// Links of both kinds.
fn links() -> anyhow::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    file(&mut tar, "b/real", b"real", 0o644)?;
    for (kind, name, target) in [
        (tar::EntryType::Symlink, "b/soft", "real"),
        (tar::EntryType::Link, "b/hard", "b/real"),
        (tar::EntryType::Symlink, "b/up", "../b/real"),
    ] {
        let mut header = header(kind, 0, 0o644);
        tar.append_link(&mut header, name, target)?;
    }
    let mut pipe = header(tar::EntryType::Fifo, 0, 0o644);
    tar.append_data(&mut pipe, "b/pipe", &[][..])?;
    Ok(tar.into_inner()?)
}

fn header(kind: tar::EntryType, size: u64, mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(mode);
    header.set_mtime(1_700_000_000);
    header
}

fn file(tar: &mut tar::Builder<impl Write>, name: &str, content: &[u8], mode: u32) -> std::io::Result<()> {
    let mut header = header(tar::EntryType::Regular, content.len() as u64, mode);
    tar.append_data(&mut header, name, content)
}

fn worst() -> anyhow::Result<Vec<(&'static str, Vec<u8>)>> {
    let mut many = tar::Builder::new(Vec::new());
    for number in 0..20_000 {
        file(&mut many, &format!("f{number}"), b"", 0o644)?;
    }
    let mut deep = tar::Builder::new(Vec::new());
    file(&mut deep, &"d/".repeat(2_000), b"", 0o644)?;
    // 200 MB before they are compressed.
    let mut names = tar::Builder::new(zstd::Encoder::new(Vec::new(), 1)?);
    let folder = "long/".repeat(11_600);
    for number in 0..4_000 {
        file(&mut names, &format!("{folder}{number}"), b"", 0o644)?;
    }
    let mut size = self::header(tar::EntryType::Regular, u64::MAX >> 1, 0o644);
    size.set_path("big")?;
    let mut bomb = zstd::Encoder::new(Vec::new(), 1)?;
    let zeros = vec![0; 1 << 20];
    let mut header = self::header(tar::EntryType::Regular, 512 << 20, 0o644);
    header.set_path("zeros")?;
    header.set_cksum();
    bomb.write_all(header.as_bytes())?;
    for _ in 0..512 {
        bomb.write_all(&zeros)?;
    }
    Ok(vec![
        ("many files", many.into_inner()?),
        ("folders inside folders", deep.into_inner()?),
        ("long names", names.into_inner()?.finish()?),
        ("a size that is not there", size.as_bytes().to_vec()),
        ("much of nothing", bomb.finish()?),
        ("zeros", filled(8 << 20, "", &|_| "\0".repeat(BLOCK), "")),
    ])
}
