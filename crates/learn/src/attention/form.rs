//! How an operand's memory is looked at as \[B, H, N, d\].

use candle_core::{Layout, Storage, Tensor, WithDType};
use ndarray::{ArrayView4, ArrayViewMut4, ShapeBuilder as _};

/// Which axes an operand has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// \[B, H, N, d\].
    HeadsFirst,
    /// \[B·N, H·d\].
    Rows { batch: usize, heads: usize },
}

/// Lengths and strides of the axes B, H, N and d.
type Axes = ([usize; 4], [usize; 4]);

impl Form {
    /// The four axes in a layout.
    fn axes(self, layout: &Layout) -> candle_core::Result<Axes> {
        match (self, layout.dims(), layout.stride()) {
            (Self::HeadsFirst, &[b, h, n, d], &[sb, sh, sn, sd]) => {
                Ok(([b, h, n, d], [sb, sh, sn, sd]))
            }
            (Self::Rows { batch, heads }, &[rows, columns], &[down, across])
                if rows % batch.max(1) == 0 && columns % heads.max(1) == 0 =>
            {
                let (n, d) = (rows / batch.max(1), columns / heads.max(1));
                Ok(([batch, heads, n, d], [n * down, d * across, down, across]))
            }
            (Self::HeadsFirst, dims, _) => {
                candle_core::bail!("fused attention takes [B, H, N, d], not {dims:?}")
            }
            (Self::Rows { batch, heads }, dims, _) => candle_core::bail!(
                "fused attention takes rows of {batch} texts and columns of {heads} heads, not {dims:?}"
            ),
        }
    }

    /// Values as an array of four axes; a stride of 0, as broadcasting makes it, is kept.
    pub(super) fn view<'a, T>(
        self,
        values: &'a [T],
        layout: &Layout,
    ) -> candle_core::Result<ArrayView4<'a, T>> {
        let (shape, strides) = self.axes(layout)?;
        ArrayView4::from_shape(shape.strides(strides), &values[layout.start_offset()..])
            .map_err(candle_core::Error::msg)
    }

    /// The same of values that may be written, which stand as a contiguous tensor of `shape` has them.
    pub(super) fn view_mut<'a, T>(
        self,
        values: &'a mut [T],
        shape: &candle_core::Shape,
    ) -> candle_core::Result<ArrayViewMut4<'a, T>> {
        let (shape, strides) = self.axes(&Layout::contiguous(shape))?;
        ArrayViewMut4::from_shape(shape.strides(strides), values).map_err(candle_core::Error::msg)
    }

    /// Shape of what attention gives in this form for B, H, N and d_v.
    pub(super) fn output(self, [b, h, n, d]: [usize; 4]) -> candle_core::Shape {
        match self {
            Self::HeadsFirst => (b, h, n, d).into(),
            Self::Rows { .. } => (b * n, h * d).into(),
        }
    }
}

/// Calls `f` with a tensor's values.
pub(super) fn with_view<T: WithDType, R>(
    (tensor, form): (&Tensor, Form),
    f: impl FnOnce(ArrayView4<T>) -> candle_core::Result<R>,
) -> candle_core::Result<R> {
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(values) => f(form.view(T::cpu_storage_as_slice(values)?, layout)?),
        _ => candle_core::bail!("fused attention: a tensor on the CPU was expected"),
    }
}
