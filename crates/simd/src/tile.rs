//! The accumulators of a microkernel.

/// A block of `ROWS`×`VECTORS` vectors that lives in registers.
///
/// Loops over it have constant bounds, so that they unroll and each accumulator becomes a register of its own.
pub trait RegisterTile<V: Copy>: Copy {
    /// One row of the tile.
    type Row: Copy + AsRef<[V]> + AsMut<[V]>;

    /// Rows.
    const ROWS: usize;
    /// Vectors a row.
    const VECTORS: usize;

    /// Every vector `v`.
    fn filled(v: V) -> Self;
    /// A row of `v`.
    fn row_of(v: V) -> Self::Row;
    /// Row `r`.
    fn row(&self, r: usize) -> &Self::Row;
    /// Row `r`, to write.
    fn row_mut(&mut self, r: usize) -> &mut Self::Row;
}

impl<V: Copy, const ROWS: usize, const VECTORS: usize> RegisterTile<V> for [[V; VECTORS]; ROWS] {
    type Row = [V; VECTORS];

    const ROWS: usize = ROWS;
    const VECTORS: usize = VECTORS;

    #[inline(always)]
    fn filled(v: V) -> Self {
        [[v; VECTORS]; ROWS]
    }

    #[inline(always)]
    fn row_of(v: V) -> Self::Row {
        [v; VECTORS]
    }

    #[inline(always)]
    fn row(&self, r: usize) -> &Self::Row {
        &self[r]
    }

    #[inline(always)]
    fn row_mut(&mut self, r: usize) -> &mut Self::Row {
        &mut self[r]
    }
}
