//! What calls share.

use lookback_simd::Line;

/// Memory that decoding needs beside its operands, kept from call to call: about (H·d_k + H·d_v·M/256)·N·B f32.
///
/// It grows when a call needs more than any before it, and never shrinks.
#[derive(Debug, Clone, Default)]
pub struct Workspace {
    /// `[B][H_kv][rows][d_k/16]`: the queries, times the factor of the scores.
    pub(super) q: Vec<Line>,
    /// `[B][H_kv][chunks][rows]`
    pub(super) states: Vec<ChunkSoftmax>,
    /// `[B][H_kv][chunks][rows][d_v/16]`: sums of weight times value.
    pub(super) o: Vec<Line>,
}

impl Workspace {
    /// Holds nothing yet.
    pub fn new() -> Workspace {
        Workspace::default()
    }
}

/// The softmax of one query over the keys of one chunk.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChunkSoftmax {
    /// What the exponents are taken against; `f32::MIN` before the first finite score.
    pub(super) reference: f32,
    /// Sums of the weights, the lanes of a vector not yet added.
    pub(super) sums: Line,
}

impl ChunkSoftmax {
    /// No key seen yet.
    pub(super) const EMPTY: ChunkSoftmax = ChunkSoftmax {
        reference: f32::MIN,
        sums: Line::ZERO,
    };
}
