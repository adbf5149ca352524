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
    /// Packs k \[keys, d_k\] and v \[keys, d_v\], keys ≤ [`BLOCK`], into `lines`, whatever they hold.
    #[inline(always)]
    pub(crate) fn pack<I: Isa, E: Element>(
        isa: I,
        k: ArrayView2<E>,
        v: ArrayView2<E>,
        mut lines: Vec<Line>,
    ) -> KvBlock {
        let (keys, d_k) = k.dim();
        let of_keys = lines_for(keys) * d_k;
        lines.resize(of_keys + lines_for(v.ncols()) * keys, Line::ZERO);
        pack_keys(isa, k, &mut lines[..of_keys]);
        let finite = pack_values(isa, v, &mut lines[of_keys..]);
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

/// Writes k \[keys, d_k\] as `[keys/16 rounded up][d_k][16]`, 0 beyond the last key.
#[inline(always)]
pub(crate) fn pack_keys<I: Isa, E: Element>(isa: I, k: ArrayView2<E>, lines: &mut [Line]) {
    let (keys, d_k) = k.dim();
    let k = Rows::new(k);
    for (panel, lines) in lines.chunks_exact_mut(d_k).enumerate() {
        let first = panel * Line::LEN;
        let mut rows: [&[E]; 16] = [&[]; 16];
        for (t, row) in rows.iter_mut().enumerate().take(keys - first) {
            *row = k.row(first + t);
        }
        // Sixteen rows side by side are more than the processor foresees.
        for row in first + Line::LEN..(first + 2 * Line::LEN).min(keys) {
            isa.prefetch(k.row(row));
        }
        let (whole, rest) = lines.as_chunks_mut::<{ Line::LEN }>();
        for (column, block) in whole.iter_mut().enumerate() {
            turn(isa, &rows, column * Line::LEN, block);
        }
        if !rest.is_empty() {
            let mut block = [Line::ZERO; 16];
            turn(isa, &rows, d_k - rest.len(), &mut block);
            rest.copy_from_slice(&block[..rest.len()]);
        }
    }
}

/// The columns `column`, …, `column + 15` of sixteen rows, a line each; 0 for an empty row and beyond the last column.
#[inline(always)]
fn turn<I: Isa, E: Element>(isa: I, rows: &[&[E]; 16], column: usize, block: &mut [Line; 16]) {
    for t in 0..16 {
        block[t] = match rows[t] {
            [] => Line::ZERO,
            row => widen(isa, &row[column..]),
        };
    }
    isa.transpose(block);
}

/// Writes v \[keys, d_v\] as `[d_v/16 rounded up][keys][16]`; whether every value is finite.
#[inline(always)]
pub(crate) fn pack_values<I: Isa, E: Element>(
    isa: I,
    v: ArrayView2<E>,
    lines: &mut [Line],
) -> bool {
    /// Rows that are asked for before they are read.
    const AHEAD: usize = 16;
    let (keys, d_v) = v.dim();
    let v = Rows::new(v);
    // 0 · x is 0 for finite x and NaN for others.
    let mut zeros = isa.splat(0.0);
    for key in 0..keys {
        if key + AHEAD < keys {
            isa.prefetch(v.row(key + AHEAD));
        }
        let row = v.row(key);
        // A chain for each row, so that rows do not wait for each other.
        let mut of_row = isa.splat(0.0);
        for panel in 0..lines_for(d_v) {
            let line = &mut lines[panel * keys + key];
            let values = &row[panel * Line::LEN..];
            if values.len() < Line::LEN {
                *line = widen(isa, values);
            }
            for part in 0..Line::LEN / I::LANES {
                let part_of_line = line.part_mut(part, I::LANES);
                let x = match values.len() < Line::LEN {
                    true => isa.load(part_of_line),
                    false => E::load(isa, &values[part * I::LANES..]),
                };
                isa.store(x, part_of_line);
                of_row = isa.mul_add(x, isa.splat(0.0), of_row);
            }
        }
        zeros = isa.add(zeros, of_row);
    }
    isa.sum(zeros) == 0.0
}
