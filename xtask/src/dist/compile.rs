//! The static program: compiled for musl, so that it needs nothing of the machine but its kernel, and with the same bytes
//! wherever source, libraries and target folder lie.

use crate::process;
use crate::setup::musl::TARGET;
use anyhow::{Context, bail};
use std::path::{Path, PathBuf};

/// The names of the parts of an ELF file that matter here.
const PROGRAM_HEADERS_AT: usize = 32;
const PROGRAM_HEADER_SIZE_AT: usize = 54;
const INTERPRETER: u32 = 3;

/// Compiles `drover` from the source in `root` into `target`; gives its bytes.
///
/// # Errors
/// When it does not compile, or is not static.
pub fn program(root: &Path, target: &Path) -> anyhow::Result<Vec<u8>> {
    let mut cargo = process::cargo();
    cargo
        .current_dir(root)
        .args([
            "build",
            "--quiet",
            "--locked",
            "--release",
            "--package",
            "drover",
            "--target",
            TARGET,
        ])
        .arg("--target-dir")
        .arg(target);
    let paths = [
        (home(), "/cargo"),
        (root.to_owned(), "/drover"),
        (target.to_owned(), "/target"),
    ];
    let map = |flag: &str| {
        paths
            .iter()
            .map(|(path, to)| format!("{flag}{}={to}", path.display()))
            .collect::<Vec<_>>()
    };
    cargo
        .env("CARGO_ENCODED_RUSTFLAGS", map("--remap-path-prefix=").join("\u{1f}"))
        .env("CFLAGS_x86_64_unknown_linux_musl", map("-ffile-prefix-map=").join(" "))
        .env_remove("RUSTFLAGS");
    process::run(&mut cargo)?;
    let path = target.join(TARGET).join("release/drover");
    let program = std::fs::read(&path).with_context(|| format!("read {}", path.display()))?;
    if needs_a_loader(&program).with_context(|| format!("read {} as ELF", path.display()))? {
        bail!("{} is not static", path.display());
    }
    Ok(program)
}

/// Cargo's home, where the sources of libraries are.
fn home() -> PathBuf {
    let set = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    set.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cargo"))
}

/// Whether a 64-bit ELF file names a dynamic loader; none when it is no such file.
fn needs_a_loader(elf: &[u8]) -> Option<bool> {
    if !elf.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let short = |at: usize| Some(u16::from_le_bytes(elf.get(at..at + 2)?.try_into().ok()?) as usize);
    let begin = elf.get(PROGRAM_HEADERS_AT..PROGRAM_HEADERS_AT + 8)?;
    let begin = usize::try_from(u64::from_le_bytes(begin.try_into().ok()?)).ok()?;
    let (size, count) = (short(PROGRAM_HEADER_SIZE_AT)?, short(PROGRAM_HEADER_SIZE_AT + 2)?);
    let mut found = false;
    for number in 0..count {
        let at = begin.checked_add(number * size)?;
        found |= u32::from_le_bytes(elf.get(at..at.checked_add(4)?)?.try_into().ok()?) == INTERPRETER;
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_with_a_loader_is_not_static() {
        // This test is linked as the system does it.
        let ours = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(needs_a_loader(&ours), Some(true));
        assert_eq!(needs_a_loader(b"#!/bin/sh\n"), None);
        assert_eq!(needs_a_loader(&ours[..60]), None);
        let mut none = ours[..64].to_vec();
        none[56..58].copy_from_slice(&[0, 0]);
        assert_eq!(needs_a_loader(&none), Some(false));
    }
}
