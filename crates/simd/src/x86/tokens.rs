//! The proofs that the processor has an instruction set: their only constructors ask it.

use crate::isa::sealed;

/// Proof that the processor has AVX2, FMA, F16C and POPCNT.
#[derive(Debug, Clone, Copy)]
pub struct Avx2 {
    _detected: (),
}

impl Avx2 {
    /// The proof, if the processor has all of it.
    pub fn new() -> Option<Avx2> {
        let has = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            // Miri cannot run F16C; `load_f16` does without it there.
            && (is_x86_feature_detected!("f16c") || cfg!(miri))
            && is_x86_feature_detected!("popcnt");
        has.then_some(Avx2 { _detected: () })
    }
}

/// Proof that the processor has AVX-512F, with AVX2, FMA, F16C and POPCNT beside it.
#[derive(Debug, Clone, Copy)]
pub struct Avx512 {
    _detected: (),
}

impl Avx512 {
    /// The proof, if the processor has all of it.
    pub fn new() -> Option<Avx512> {
        let has = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c")
            && is_x86_feature_detected!("popcnt");
        has.then_some(Avx512 { _detected: () })
    }
}

impl sealed::Sealed for Avx2 {}
impl sealed::Sealed for Avx512 {}
