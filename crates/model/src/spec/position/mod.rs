//! How positions come into a model: rotary embedding, learned rows, or a penalty of the distance.

mod rope;
mod scaling;

pub use rope::Rope;
pub use scaling::RopeScaling;

/// A table of learned position embeddings, added to the tokens' (Vaswani et al. 2017, <https://arxiv.org/abs/1706.03762>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LearnedPositions {
    /// Rows of the table.
    pub rows: usize,
    /// The row of position 0; RoBERTa's rows before it stand for padding.
    pub first: usize,
}

/// The slopes of ALiBi for `heads` heads (Press et al. 2021, <https://arxiv.org/abs/2108.12409>): a geometric sequence from
/// 2^(−8/n) for n heads, a power of two; for other numbers, every second one of the next power of two's besides.
///
/// ```
/// assert_eq!(lookback_model::spec::alibi_slopes(8)[..2], [0.5, 0.25]);
/// ```
#[must_use]
pub fn alibi_slopes(heads: usize) -> Vec<f32> {
    let slope = |n: usize, i: usize| 2.0_f64.powf(-8.0 * i as f64 / n as f64) as f32;
    let whole = match heads.is_power_of_two() {
        true => heads,
        false => heads.next_power_of_two() / 2,
    };
    let first = (1..=whole).map(|i| slope(whole, i));
    let rest = (1..).step_by(2).map(|i| slope(2 * whole, i));
    first.chain(rest).take(heads).collect()
}
