//! What keys and values may be stored as.

use half::{bf16, f16};

/// A storage type of keys and values; all arithmetic is in f32.
pub trait Element: Copy + Send + Sync + sealed::Sealed + 'static {
    /// The value as f32, exactly.
    fn to_f32(self) -> f32;
}

impl Element for f32 {
    #[inline(always)]
    fn to_f32(self) -> f32 {
        self
    }
}

impl Element for f16 {
    #[inline(always)]
    fn to_f32(self) -> f32 {
        f16::to_f32(self)
    }
}

impl Element for bf16 {
    #[inline(always)]
    fn to_f32(self) -> f32 {
        bf16::to_f32(self)
    }
}

/// Keeps [`Element`] closed: the kernels rely on the conversions above.
mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for half::f16 {}
    impl Sealed for half::bf16 {}
}
