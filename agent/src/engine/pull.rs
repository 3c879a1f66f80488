//! One pull: its progress over all layers, and what its errors mean.

/// Where a pull stands, over all layers that are known so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PullProgress {
    /// Bytes that are here.
    pub bytes: u64,
    /// Bytes of the layers whose size is known.
    pub total_bytes: u64,
    /// Layers that are complete.
    pub layers_done: usize,
    /// Layers in all.
    pub layers: usize,
}
