//! What rounding can make of a weight.

/// The largest number that rounding can make of a true weight when it is computed again under this LSE (natural units).
///
/// Scores are of the LSE's size, and each is off by some units in its last place (6·10⁻⁸ of it, times the terms of its sum), which
/// the exponential turns into a factor. A weight above this belongs to another LSE: whoever finds one knows of damage.
///
/// ```
/// use lookback_attention::weights::highest_weight;
/// assert!(highest_weight(10.0) < 1.011);
/// assert_eq!(highest_weight(f32::NEG_INFINITY), 0.0); // a query that sees no key has no weights
/// ```
pub fn highest_weight(lse: f32) -> f32 {
    match lse.is_finite() {
        true => 1.01 * (1e-5 * lse.abs()).exp(),
        false => 0.0,
    }
}

/// A weight that came out above 1 by rounding alone as 1; any other number as it is, so that damage is still seen.
#[inline(always)]
pub(crate) fn at_most_1(weight: f32, highest: f32) -> f32 {
    match weight > 1.0 && weight <= highest {
        true => 1.0,
        false => weight,
    }
}
