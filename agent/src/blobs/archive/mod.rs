//! Archives of caches and artifacts: a tar stream in zstd, named by the SHA-256 of its bytes. Packing and unpacking go
//! through open folders, one component at a time, and never follow a link: a step may have put one anywhere, and an
//! archive may come from anybody.
//!
//! # Layout
//! `walk` which files there are · `pack` files to bytes · `unpack` bytes to files by `rules` ·
//! `names` what a name may be, pure · `pipe` between blocking and async code.

mod names;
mod pack;
mod pipe;
mod rules;
mod unpack;
mod walk;

pub use pack::{PackError, Packed, pack};
pub use pipe::{ByteReader, ByteWriter, byte_pipe, chunks};
pub use rules::{Limits, Links, Modes, Rules, UnpackError, UnpackTarget, Unpacked};
pub use unpack::{discard, unpack};
pub use walk::{FileList, PackSource, WalkError, walk};
