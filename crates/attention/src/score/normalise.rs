//! The reference of an online softmax, and its end.

/// How far, in log₂ units, a score may pass the reference before that is raised: weights stay below 2⁸, sums far from overflow.
pub(crate) const HEADROOM: f32 = 8.0;

/// What a row's sums are multiplied by, and its LSE in natural units.
///
/// The denominator is `sum · 2^reference + 2^sink`; a row without any key has factor 0, and without a sink LSE −∞.
pub(crate) fn normaliser(reference: f64, sum: f64, sink: f64) -> (f32, f32) {
    if sum == 0.0 {
        return (0.0, (sink * std::f64::consts::LN_2) as f32);
    }
    if sink == f64::NEG_INFINITY {
        let lse = (reference + sum.log2()) * std::f64::consts::LN_2;
        return ((1.0 / sum) as f32, lse as f32);
    }
    let top = reference.max(sink);
    let denominator = sum * (reference - top).exp2() + (sink - top).exp2();
    let factor = (reference - top).exp2() / denominator;
    (
        factor as f32,
        ((top + denominator.log2()) * std::f64::consts::LN_2) as f32,
    )
}
