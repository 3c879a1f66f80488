//! Secrets in a stream without lines to wait for: what could be the beginning of one waits for the next bytes, but only
//! for a moment, because somebody watches.

use crate::logs::mask::Masker;

/// Masks a stream, piece by piece.
pub struct MaskBuffer<'a> {
    masker: &'a Masker,
    /// Not decided yet.
    held: Vec<u8>,
}

impl<'a> MaskBuffer<'a> {
    /// Nothing has come yet.
    pub fn new(masker: &'a Masker) -> MaskBuffer<'a> {
        MaskBuffer {
            masker,
            held: Vec::new(),
        }
    }

    /// Takes more; what can be shown of all there is.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(bytes);
        let after_line = memchr::memrchr(b'\n', &self.held).map_or(0, |end| end + 1); // no secret goes over a line's end
        let safe = self.held.len().saturating_sub(self.masker.longest()).max(after_line);
        let mut out = Vec::new();
        let done = self.masker.mask_until(&self.held, safe, &mut out);
        self.held.drain(..done);
        out
    }

    /// Something waits.
    pub fn waits(&self) -> bool {
        !self.held.is_empty()
    }

    /// No more comes soon: all that waits.
    pub fn flush(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        self.masker.mask_whole(&self.held, &mut out);
        self.held.clear();
        out
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_secret_passes_however_it_is_cut(
            pieces in proptest::collection::vec(proptest::sample::select(vec!["s3cr3t-t0ken", "s3cr3", "t-t0ken", "\n", "x", "é"]), 1..20),
            cuts in proptest::collection::vec(1..9_usize, 1..9),
        ) {
            let masker = Masker::new([("S", "s3cr3t-t0ken")]);
            let text = pieces.concat();
            let mut mask_buffer = MaskBuffer::new(&masker);
            let (mut rest, mut out) = (text.as_bytes(), Vec::new());
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                out.extend(mask_buffer.push(now));
                rest = later;
            }
            out.extend(mask_buffer.flush());
            prop_assert!(!mask_buffer.waits());
            prop_assert_eq!(String::from_utf8(out).unwrap(), masker.mask(&text));
        }
    }
}
