//! Keys and values as panels, packed once for a key/value head and shared by the query heads of its group.

use lookback_simd::pack::{pack_panels, pack_transposed};
use lookback_simd::{Isa, Kernel, Line, Widen, lines_for};
use ndarray::ArrayView2;

/// Keys of a block. With d = 64 its K and V panels take 128 KB, which a second-level cache of 512 KB
/// holds beside a task's queries and sums; a strip of six rows of its weights takes 6 KB of the first level.
pub(crate) const BLOCK: usize = 256;

/// Up to [`BLOCK`] consecutive keys of one key/value head with their values, packed.
pub(crate) struct KvBlock {
    /// K panels, then V panels.
    lines: Vec<Line>,
    /// Keys in this block.
    keys: usize,
    d_k: usize,
    /// Whether every value is finite. Weights of 0 hide a value only then.
    finite: bool,
}

impl KvBlock {
    /// Packs k \[keys, d_k\] and v \[keys, d_v\], keys ≤ [`BLOCK`], into `lines`, whatever they hold.
    #[inline(always)]
    pub(crate) fn pack<I: Isa, E: Widen>(
        isa: I,
        k: ArrayView2<E>,
        v: ArrayView2<E>,
        mut lines: Vec<Line>,
    ) -> KvBlock {
        let (keys, d_k) = k.dim();
        let of_keys = lines_for(keys) * d_k;
        lines.resize(of_keys + lines_for(v.ncols()) * keys, Line::ZERO);
        pack_transposed(isa, k, &mut lines[..of_keys]);
        let finite = pack_panels(isa, v, &mut lines[of_keys..]);
        KvBlock {
            lines,
            keys,
            d_k,
            finite,
        }
    }

    /// The memory, for another block.
    pub(crate) fn into_memory(self) -> Vec<Line> {
        self.lines
    }

    /// Keys in this block.
    #[inline(always)]
    pub(crate) fn keys(&self) -> usize {
        self.keys
    }

    /// Whether every value is finite.
    #[inline(always)]
    pub(crate) fn finite(&self) -> bool {
        self.finite
    }

    /// `[d_k][16]`: keys `16·panel` to `16·panel + 15`; 0 beyond the block's last key.
    #[inline(always)]
    pub(crate) fn key_panel(&self, panel: usize) -> &[Line] {
        &self.lines[panel * self.d_k..][..self.d_k]
    }

    /// `[keys/16][d_k][16]`: all keys; 0 beyond the last.
    #[inline(always)]
    pub(crate) fn key_panels(&self) -> &[Line] {
        &self.lines[..lines_for(self.keys) * self.d_k]
    }

    /// `[keys][16]`: columns `16·panel` to `16·panel + 15` of the values; 0 beyond d_v.
    #[inline(always)]
    pub(crate) fn value_panel(&self, panel: usize) -> &[Line] {
        &self.lines[lines_for(self.keys) * self.d_k + panel * self.keys..][..self.keys]
    }
}

/// Packs one block.
pub(crate) struct PackBlock<'a, E> {
    pub(crate) k: ArrayView2<'a, E>,
    pub(crate) v: ArrayView2<'a, E>,
    pub(crate) memory: Vec<Line>,
}

impl<E: Widen> Kernel for PackBlock<'_, E> {
    type Output = KvBlock;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> KvBlock {
        KvBlock::pack(isa, self.k, self.v, self.memory)
    }
}

/// Packs the keys \[M, d_k\] of one head, `[M/16][d_k][16]`.
pub(crate) struct PackKeys<'a, E>(pub(crate) ArrayView2<'a, E>);

impl<E: Widen> Kernel for PackKeys<'_, E> {
    type Output = Vec<Line>;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> Vec<Line> {
        let (keys, d_k) = self.0.dim();
        let mut lines = vec![Line::ZERO; lines_for(keys) * d_k];
        pack_transposed(isa, self.0, &mut lines);
        lines
    }
}
