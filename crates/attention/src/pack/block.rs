//! Keys and values as panels.

use ndarray::ArrayView2;

use super::rows::Rows;
use crate::Element;
use crate::element::widen;
use crate::isa::{Isa, Line, lines_for};

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
    /// Packs k \[keys, d_k\] and v \[keys, d_v\], keys ≤ [`BLOCK`].
    #[inline(always)]
    pub(crate) fn pack<I: Isa, E: Element>(isa: I, k: ArrayView2<E>, v: ArrayView2<E>) -> KvBlock {
        let (keys, d_k) = k.dim();
        let mut lines = Vec::with_capacity(lines_for(keys) * d_k + lines_for(v.ncols()) * keys);
        pack_keys(isa, k, &mut lines);
        let finite = pack_values(isa, v, &mut lines);
        KvBlock {
            lines,
            keys,
            d_k,
            finite,
        }
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

    /// `[keys][16]`: columns `16·panel` to `16·panel + 15` of the values; 0 beyond d_v.
    #[inline(always)]
    pub(crate) fn value_panel(&self, panel: usize) -> &[Line] {
        &self.lines[lines_for(self.keys) * self.d_k + panel * self.keys..][..self.keys]
    }
}

/// Appends k \[keys, d_k\] as `[keys/16 rounded up][d_k][16]`.
#[inline(always)]
pub(crate) fn pack_keys<I: Isa, E: Element>(isa: I, k: ArrayView2<E>, lines: &mut Vec<Line>) {
    let (keys, d_k) = k.dim();
    let k = Rows::new(k);
    for first in (0..keys).step_by(Line::LEN) {
        let mut rows: [&[E]; 16] = [&[]; 16];
        for (t, row) in rows.iter_mut().enumerate().take(keys - first) {
            *row = k.row(first + t);
        }
        for column in (0..d_k).step_by(Line::LEN) {
            let mut block = [Line::ZERO; 16];
            for t in 0..16 {
                if !rows[t].is_empty() {
                    block[t] = widen(isa, &rows[t][column..]);
                }
            }
            isa.transpose(&mut block);
            lines.extend_from_slice(&block[..(d_k - column).min(16)]);
        }
    }
}

/// Appends v \[keys, d_v\] as `[d_v/16 rounded up][keys][16]`; whether every value is finite.
#[inline(always)]
pub(crate) fn pack_values<I: Isa, E: Element>(
    isa: I,
    v: ArrayView2<E>,
    lines: &mut Vec<Line>,
) -> bool {
    let (keys, d_v) = v.dim();
    let v = Rows::new(v);
    // 0 · x is 0 for finite x and NaN for others.
    let mut zeros = isa.splat(0.0);
    for column in (0..d_v).step_by(Line::LEN) {
        for key in 0..keys {
            let line = widen(isa, &v.row(key)[column..]);
            for part in 0..Line::LEN / I::LANES {
                zeros = isa.mul_add(isa.load(line.part(part, I::LANES)), isa.splat(0.0), zeros);
            }
            lines.push(line);
        }
    }
    isa.sum(zeros) == 0.0
}
