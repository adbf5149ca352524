//! Where keys and values are stored.

use lookback_simd::Widen;
use ndarray::{ArrayView1, ArrayView2, ArrayView3, ArrayView4, Axis, Ix4};

use crate::shape::{Shape, non_zero, same};
use crate::{Error, Scoring};

/// Keys and values of the tokens read so far.
///
/// Any strides; where the columns of a row are not adjacent, each call copies the whole cache first.
#[derive(Debug, Clone, Copy)]
pub enum Cache<'a, E> {
    /// One array each. A view of the first M positions of a longer array will do.
    Contiguous {
        /// \[B, H_kv, M, d_k\]
        k: ArrayView4<'a, E>,
        /// \[B, H_kv, M, d_v\]
        v: ArrayView4<'a, E>,
    },
    /// Pages of S positions, of which a table says where each stands (Kwon et al., "Efficient Memory Management for Large
    /// Language Model Serving with PagedAttention", 2023).
    ///
    /// M is S times the table's columns; [`Scoring::key_lengths`] says how many of these positions are real. Position j of
    /// batch element b is row j mod S of page `table[b, j / S]`. Entries beyond an element's length are not read.
    Paged {
        /// \[pages, H_kv, S, d_k\]
        k: ArrayView4<'a, E>,
        /// \[pages, H_kv, S, d_v\]
        v: ArrayView4<'a, E>,
        /// \[B, M/S\]: numbers of pages.
        table: ArrayView2<'a, u32>,
    },
}

impl<'a, E: Widen> Cache<'a, E> {
    /// Checks the cache against q \[B, H, N, d_k\] and the options.
    pub(super) fn validate(&self, q: Ix4, scoring: &Scoring) -> Result<Shape, Error> {
        let q = (q[0], q[1], q[2], q[3]);
        let shape = match self {
            Cache::Contiguous { k, v } => Shape::new(q, k.dim(), v.dim())?,
            Cache::Paged { k, v, table } => {
                let (k, v) = (k.dim(), v.dim());
                non_zero("k", k, ["pages", "H_kv", "S", "d_k"])?;
                non_zero("v", v, ["pages", "H_kv", "S", "d_v"])?;
                same("pages", ("k", k.0), ("v", v.0))?;
                same("S", ("k", k.2), ("v", v.2))?;
                let (b, columns) = table.dim();
                same("B", ("q", q.0), ("table", b))?;
                let m = columns.checked_mul(k.2).ok_or(Error::TooLarge {
                    operand: "the table",
                })?;
                Shape::new(q, (b, k.1, m, k.3), (b, v.1, m, v.3))?
            }
        };
        scoring.validate(&shape)?;
        if let Cache::Paged { k, table, .. } = self {
            for (b, row) in table.outer_iter().enumerate() {
                let used = scoring.key_length(b, shape.m).div_ceil(k.dim().2);
                for &page in row.iter().take(used) {
                    let (start, len) = (page as usize, k.dim().0);
                    if start >= len {
                        let end = start.saturating_add(1);
                        return Err(Error::RangeOutOfBounds {
                            what: "pages",
                            start,
                            end,
                            len,
                        });
                    }
                }
            }
        }
        Ok(shape)
    }

    /// Whether every row is a slice.
    pub(super) fn rows_are_slices(&self) -> bool {
        let (Cache::Contiguous { k, v } | Cache::Paged { k, v, .. }) = self;
        [k, v].iter().all(|x| {
            let row = x.index_axis(Axis(0), 0);
            let row = row.index_axis(Axis(0), 0).index_axis_move(Axis(0), 0);
            row.to_slice().is_some()
        })
    }

    /// Keys and values of one head of one batch element.
    pub(super) fn head(&self, b: usize, kv: usize) -> [HeadRows<'a, E>; 2] {
        match *self {
            Cache::Contiguous { k, v } => [k, v].map(|x| {
                let of_batch = x.index_axis_move(Axis(0), b);
                HeadRows::Whole(of_batch.index_axis_move(Axis(0), kv))
            }),
            Cache::Paged { k, v, table } => [k, v].map(|x| HeadRows::Pages {
                pages: x.index_axis_move(Axis(1), kv),
                table: table.index_axis_move(Axis(0), b),
            }),
        }
    }
}

/// Keys, or values, of one head.
#[derive(Clone, Copy)]
pub(super) enum HeadRows<'a, E> {
    /// \[M, d\]
    Whole(ArrayView2<'a, E>),
    /// The same without gaps between the rows of so many columns.
    Flat(&'a [E], usize),
    Pages {
        /// \[pages, S, d\]
        pages: ArrayView3<'a, E>,
        /// \[M/S\]
        table: ArrayView1<'a, u32>,
    },
}

impl<'a, E: Widen> HeadRows<'a, E> {
    /// The same rows, in the form in which they are found fastest.
    #[inline(always)]
    pub(super) fn flatten(self) -> HeadRows<'a, E> {
        match self {
            HeadRows::Whole(all) => match all.to_slice() {
                Some(flat) => HeadRows::Flat(flat, all.ncols()),
                None => self,
            },
            _ => self,
        }
    }

    /// The rows `first`, `first + 1`, … of the head, as many as `rows` has places.
    #[inline(always)]
    pub(super) fn rows(&self, first: usize, rows: &mut [&'a [E]]) {
        match *self {
            HeadRows::Whole(all) => slices(all, first, rows),
            HeadRows::Flat(all, columns) => {
                for (slot, row) in rows
                    .iter_mut()
                    .zip(all[first * columns..].chunks_exact(columns))
                {
                    *slot = row;
                }
            }
            HeadRows::Pages { pages, table } => {
                let size = pages.len_of(Axis(1));
                let (mut key, mut rest) = (first, rows);
                while !rest.is_empty() {
                    let (page, at) = (table[key / size] as usize, key % size);
                    let (now, later) = rest.split_at_mut((size - at).min(rest.len()));
                    slices(pages.index_axis_move(Axis(0), page), at, now);
                    key += now.len();
                    rest = later;
                }
            }
        }
    }
}

/// The rows `first`, `first + 1`, … of `matrix`.
#[inline(always)]
fn slices<'a, E: Widen>(matrix: ArrayView2<'a, E>, first: usize, rows: &mut [&'a [E]]) {
    let columns = matrix.ncols();
    let part = matrix.slice_move(ndarray::s![first..first + rows.len(), ..]);
    if let Some(all) = part.to_slice() {
        for (slot, row) in rows.iter_mut().zip(all.chunks_exact(columns)) {
            *slot = row;
        }
    } else {
        for (j, slot) in rows.iter_mut().enumerate() {
            let row = part.index_axis_move(Axis(0), j).to_slice();
            *slot = row.expect("columns are adjacent: see `rows_are_slices`");
        }
    }
}
