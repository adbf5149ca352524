//! What a decoder's mathematics depends on, read from either format.

/// A decoder's shape and constants, the same whichever file format they came from.
///
/// Sizes use the field's letters: d is the model dimension, H the query heads, H_kv the
/// key/value heads, d_k the head dimension.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The family whose mathematics this is, for example `llama`.
    pub architecture: &'static str,
    /// d, the model (embedding) dimension.
    pub d: usize,
    /// Number of decoder layers.
    pub layers: usize,
    /// H, query heads a layer.
    pub heads: usize,
    /// H_kv, key/value heads a layer; it divides `heads`.
    pub kv_heads: usize,
    /// d_k = d_v, the head dimension; even, and not always d / H.
    pub head_dim: usize,
    /// The feed-forward layer's inner dimension.
    pub d_ff: usize,
    /// Rows of the embedding table, so one more than the largest token id.
    pub vocab: usize,
    /// The most positions the model was made for.
    pub context_length: usize,
    /// ε of the RMS norms.
    pub norm_eps: f32,
    /// Rotary position embedding.
    pub rope: Rope,
    /// Whether the output head is the embedding table.
    pub tied: bool,
    /// The feed-forward layer's activation.
    pub activation: Activation,
}

/// Activation of the gated feed-forward layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// x · sigmoid(x), the gate of SwiGLU (Shazeer 2020, <https://arxiv.org/abs/2002.05202>).
    Silu,
}

/// Rotary position embedding (Su et al. 2021, <https://arxiv.org/abs/2104.09864>), half-split:
/// entry c of a head turns together with entry c + d_k/2.
#[derive(Debug, Clone, PartialEq)]
pub struct Rope {
    /// θ, the base of the frequencies θ^(−2c/d_k).
    pub theta: f32,
    /// How the frequencies are changed for longer contexts.
    pub scaling: RopeScaling,
}

/// A change of the rotary frequencies.
#[derive(Debug, Clone, PartialEq)]
pub enum RopeScaling {
    /// Frequencies as they are.
    None,
    /// Every frequency divided by `factor` (position interpolation).
    Linear {
        /// The divisor.
        factor: f32,
    },
    /// Llama 3's: low frequencies divided by `factor`, high ones kept, those between blended.
    Llama3 {
        /// Divisor of the low frequencies.
        factor: f32,
        /// Wavelengths longer than original / this are low-frequency.
        low_freq_factor: f32,
        /// Wavelengths shorter than original / this are high-frequency.
        high_freq_factor: f32,
        /// Context length before scaling.
        original_context_length: usize,
    },
    /// Frequency c divided by entry c, d_k/2 entries (a GGUF file's `rope_freqs.weight`).
    Factors(Vec<f32>),
}

impl Rope {
    /// The angles by which neighbouring positions differ: entry c belongs to entries c and
    /// c + d_k/2 of a head. `head_dim / 2` entries, computed in f64 and rounded once.
    ///
    /// ```
    /// use lookback_model::checkpoint::{Rope, RopeScaling};
    /// let rope = Rope { theta: 10_000.0, scaling: RopeScaling::Linear { factor: 2.0 } };
    /// assert_eq!(rope.frequencies(4), [0.5, 0.005]);
    /// ```
    ///
    /// # Panics
    /// Where the scaling is [`RopeScaling::Factors`] of another head dimension. Those of an open
    /// checkpoint fit its own.
    #[must_use]
    pub fn frequencies(&self, head_dim: usize) -> Vec<f32> {
        let theta = f64::from(self.theta);
        (0..head_dim / 2)
            .map(|c| {
                let plain = theta.powf(-2.0 * c as f64 / head_dim as f64);
                self.scaling.apply(plain, c) as f32
            })
            .collect()
    }
}

impl RopeScaling {
    /// Frequency `c`, which is `plain` without scaling.
    fn apply(&self, plain: f64, c: usize) -> f64 {
        match self {
            RopeScaling::None => plain,
            RopeScaling::Linear { factor } => plain / f64::from(*factor),
            RopeScaling::Factors(factors) => plain / f64::from(factors[c]),
            RopeScaling::Llama3 {
                factor,
                low_freq_factor,
                high_freq_factor,
                original_context_length,
            } => {
                let (low, high) = (f64::from(*low_freq_factor), f64::from(*high_freq_factor));
                // How often the original context turns this pair: below `low` it is slow,
                // above `high` fast, and in between the two are blended.
                let turns = *original_context_length as f64 * plain / std::f64::consts::TAU;
                let kept = ((turns - low) / (high - low)).clamp(0.0, 1.0);
                (1.0 - kept) * plain / f64::from(*factor) + kept * plain
            }
        }
    }
}
