//! The archive: the program, its documents and the units in one folder, in the order of their names, all of root and of
//! one time.

use super::Product;
use super::files::{DOCUMENTS, UNITS, archive_name};
use anyhow::Context;
use flate2::{Compression, GzBuilder};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use tar::{Builder, EntryType, Header};

/// Writes it into `folder`; gives its path.
///
/// # Errors
/// When a file cannot be read or written.
pub fn write(product: &Product, folder: &Path) -> anyhow::Result<PathBuf> {
    let name = archive_name();
    let path = folder.join(format!("{name}.tar.gz"));
    let mut files = BTreeMap::from([("drover".to_owned(), (0o755, product.program.clone()))]);
    for (source, installed) in DOCUMENTS {
        files.insert(format!("doc/{installed}"), (0o644, product.read(source)?));
    }
    for file in UNITS.iter().chain(&["coordinator.toml", "drover-agent.default"]) {
        files.insert(format!("systemd/{file}"), (0o644, product.ours(file)?));
    }
    let file = File::create(&path).with_context(|| format!("make {}", path.display()))?;
    // Neither name nor time stands in the head of the compressed file.
    let mut tar = Builder::new(GzBuilder::new().write(file, Compression::best()));
    for folder in ["", "doc/", "systemd/"] {
        append(&mut tar, &format!("{name}/{folder}"), 0o755, product.epoch, None)?;
    }
    for (file, (mode, content)) in &files {
        append(&mut tar, &format!("{name}/{file}"), *mode, product.epoch, Some(content))?;
    }
    let gzip = tar.into_inner().context("end the archive")?;
    gzip.finish().context("end the archive")?;
    Ok(path)
}

/// Appends a file, or without content a folder.
fn append(
    tar: &mut Builder<impl std::io::Write>,
    path: &str,
    mode: u32,
    epoch: u64,
    content: Option<&[u8]>,
) -> anyhow::Result<()> {
    let content = content.map_or((EntryType::Directory, &[][..]), |content| (EntryType::Regular, content));
    let mut header = Header::new_ustar();
    header.set_entry_type(content.0);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(epoch);
    header.set_size(content.1.len() as u64);
    tar.append_data(&mut header, path, content.1)
        .with_context(|| format!("append {path}"))
}
