//! The dimensions of one call, checked once.

use std::ops::Range;

use crate::Error;

/// The dimensions that q \[B, H, N, d_k\], k \[B, H_kv, M, d_k\] and v \[B, H_kv, M, d_v\] agree on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) b: usize,
    pub(crate) h: usize,
    pub(crate) h_kv: usize,
    pub(crate) n: usize,
    pub(crate) m: usize,
    pub(crate) d_k: usize,
    pub(crate) d_v: usize,
}

type Dim4 = (usize, usize, usize, usize);

impl Shape {
    /// Checks the operands' dimensions against each other.
    pub(crate) fn new(q: Dim4, k: Dim4, v: Dim4) -> Result<Shape, Error> {
        non_zero("q", q, ["B", "H", "N", "d_k"])?;
        non_zero("k", k, ["B", "H_kv", "M", "d_k"])?;
        non_zero("v", v, ["B", "H_kv", "M", "d_v"])?;
        same("B", ("q", q.0), ("k", k.0))?;
        same("B", ("q", q.0), ("v", v.0))?;
        same("d_k", ("q", q.3), ("k", k.3))?;
        same("H_kv", ("k", k.1), ("v", v.1))?;
        same("M", ("k", k.2), ("v", v.2))?;
        if !q.1.is_multiple_of(k.1) {
            return Err(Error::UnevenGroups {
                heads: q.1,
                kv_heads: k.1,
            });
        }
        Ok(Shape {
            b: q.0,
            h: q.1,
            h_kv: k.1,
            n: q.2,
            m: k.2,
            d_k: q.3,
            d_v: v.3,
        })
    }

    /// How many query heads share one key/value head.
    pub(crate) fn group(&self) -> usize {
        self.h / self.h_kv
    }
}

/// Rejects an operand with a dimension of 0.
pub(crate) fn non_zero(
    operand: &'static str,
    dim: Dim4,
    names: [&'static str; 4],
) -> Result<(), Error> {
    for (dimension, len) in names.into_iter().zip([dim.0, dim.1, dim.2, dim.3]) {
        if len == 0 {
            return Err(Error::ZeroSize { dimension, operand });
        }
    }
    Ok(())
}

/// Rejects two operands that disagree about a dimension.
pub(crate) fn same(
    dimension: &'static str,
    (left_name, left): (&'static str, usize),
    (right_name, right): (&'static str, usize),
) -> Result<(), Error> {
    if left == right {
        Ok(())
    } else {
        Err(Error::ShapeMismatch {
            dimension,
            left_name,
            left,
            right_name,
            right,
        })
    }
}

/// Rejects two operands that disagree about any of the dimensions `names`.
pub(crate) fn same_dims(
    names: &[&'static str],
    (left_name, left): (&'static str, &[usize]),
    (right_name, right): (&'static str, &[usize]),
) -> Result<(), Error> {
    for (&dimension, (&left, &right)) in names.iter().zip(left.iter().zip(right)) {
        same(dimension, (left_name, left), (right_name, right))?;
    }
    Ok(())
}

/// Rejects f32 of so many dimensions that there is no memory for: a view that repeats a row by a stride of 0 may have
/// more rows than anything can hold.
pub(crate) fn room(operand: &'static str, dims: &[usize]) -> Result<(), Error> {
    // Also where one of the others is 0, an array's dimensions must not multiply to more than can be counted.
    let len = dims
        .iter()
        .try_fold(1usize, |len, &d| len.checked_mul(d.max(1)));
    let len = len.filter(|&len| isize::try_from(len).is_ok());
    let empty = dims.contains(&0);
    let fits = |len| empty || Vec::<f32>::new().try_reserve_exact(len).is_ok();
    len.filter(|&len| fits(len))
        .map(drop)
        .ok_or(Error::TooLarge { operand })
}

/// Rejects a range that reaches beyond `len` or ends before it starts.
pub(crate) fn validate_range(
    what: &'static str,
    range: &Range<usize>,
    len: usize,
) -> Result<(), Error> {
    if range.start <= range.end && range.end <= len {
        Ok(())
    } else {
        Err(Error::RangeOutOfBounds {
            what,
            start: range.start,
            end: range.end,
            len,
        })
    }
}

/// Rejects an index that is not below `len`.
pub(crate) fn validate_index(what: &'static str, at: usize, len: usize) -> Result<(), Error> {
    validate_range(what, &(at..at.saturating_add(1)), len)
}
