//! How large a tile of weights is.

use lookback_simd::Line;

use crate::pack::BLOCK;

/// Lines of a tile's row: a block of keys.
pub(super) const LINES: usize = BLOCK / Line::LEN;

/// The most rows that a tile has: the height of the highest microkernel, rounded up.
pub(super) const MAX_ROWS: usize = 16;

/// Lines of a word: the 64 weights of a row whose places fit the bits of a number.
pub(super) const WORD: usize = 4;

/// Words of a tile's row.
pub(super) const WORDS: usize = LINES / WORD;
