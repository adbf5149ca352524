//! How rotary frequencies are changed for contexts longer than a model was first trained on.

use std::f64::consts::TAU;

/// A change of the rotary frequencies.
#[derive(Debug, Clone, PartialEq)]
pub enum RopeScaling {
    /// Frequencies as they are.
    None,
    /// Every frequency divided by `factor` (position interpolation, Chen et al. 2023, <https://arxiv.org/abs/2306.15595>).
    Linear {
        /// The divisor.
        factor: f32,
    },
    /// A larger base for texts of more than `original_context_length` tokens, the larger the longer they are ("NTK-aware").
    Dynamic {
        /// How fast the base grows.
        factor: f32,
        /// Context length before scaling.
        original_context_length: usize,
    },
    /// Fast pairs kept, slow ones divided by `factor`, those between blended; and rotated vectors made longer
    /// (Peng et al. 2023, <https://arxiv.org/abs/2309.00071>).
    Yarn {
        /// Divisor of the low frequencies.
        factor: f32,
        /// Context length before scaling.
        original_context_length: usize,
        /// Pairs that turn more often than this in the original context are kept.
        beta_fast: f32,
        /// Pairs that turn less often than this are divided.
        beta_slow: f32,
        /// Whether the bounds of the blend are whole pairs.
        truncate: bool,
        /// What queries and keys are multiplied by.
        magnitude: f32,
    },
    /// Frequency c divided by entry c of one of two lists (Ding et al. 2024, <https://arxiv.org/abs/2402.13753>).
    LongRope {
        /// Divisors for texts of at most `original_context_length` tokens.
        short: Vec<f32>,
        /// Divisors for longer ones.
        long: Vec<f32>,
        /// Context length before scaling.
        original_context_length: usize,
        /// What queries and keys are multiplied by.
        magnitude: f32,
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
    /// Frequency c divided by entry c, dims/2 entries (a GGUF file's `rope_freqs.weight`).
    Factors(Vec<f32>),
}

impl RopeScaling {
    /// The base for a text of `tokens` tokens, `theta` without scaling.
    pub(super) fn theta(&self, theta: f64, dims: f64, tokens: usize) -> f64 {
        let RopeScaling::Dynamic {
            factor,
            original_context_length,
        } = self
        else {
            return theta;
        };
        let (factor, original) = (f64::from(*factor), *original_context_length as f64);
        let tokens = (tokens as f64).max(original);
        let grown = factor * tokens / original - (factor - 1.0);
        theta * grown.powf(dims / (dims - 2.0))
    }

    /// YaRN's first and last pair of the blend; (0, 0) for the others.
    pub(super) fn ramp(&self, theta: f64, dims: f64) -> (f64, f64) {
        let RopeScaling::Yarn {
            original_context_length,
            beta_fast,
            beta_slow,
            truncate,
            ..
        } = self
        else {
            return (0.0, 0.0);
        };
        let original = *original_context_length as f64;
        // The pair that turns `turns` times in the original context.
        let pair =
            |turns: f32| dims * (original / (f64::from(turns) * TAU)).ln() / (2.0 * theta.ln());
        let (low, high) = match truncate {
            true => (pair(*beta_fast).floor(), pair(*beta_slow).ceil()),
            false => (pair(*beta_fast), pair(*beta_slow)),
        };
        let (low, high) = (low.max(0.0), high.min(dims - 1.0));
        (low, if low == high { high + 0.001 } else { high })
    }

    /// Frequency `c`, which is `plain` without scaling.
    pub(super) fn apply(&self, plain: f64, c: usize, tokens: usize, ramp: (f64, f64)) -> f64 {
        match self {
            RopeScaling::None | RopeScaling::Dynamic { .. } => plain,
            RopeScaling::Linear { factor } => plain / f64::from(*factor),
            RopeScaling::Factors(factors) => plain / f64::from(factors[c]),
            RopeScaling::LongRope {
                short,
                long,
                original_context_length,
                ..
            } => {
                let factors = if tokens > *original_context_length {
                    long
                } else {
                    short
                };
                plain / f64::from(factors[c])
            }
            RopeScaling::Yarn { factor, .. } => {
                let stretched = ((c as f64 - ramp.0) / (ramp.1 - ramp.0)).clamp(0.0, 1.0);
                plain / f64::from(*factor) * stretched + plain * (1.0 - stretched)
            }
            RopeScaling::Llama3 {
                factor,
                low_freq_factor,
                high_freq_factor,
                original_context_length,
            } => {
                let (low, high) = (f64::from(*low_freq_factor), f64::from(*high_freq_factor));
                // How often the original context turns this pair: below `low` it is slow,
                // above `high` fast, and in between the two are blended.
                let turns = *original_context_length as f64 * plain / TAU;
                let kept = ((turns - low) / (high - low)).clamp(0.0, 1.0);
                (1.0 - kept) * plain / f64::from(*factor) + kept * plain
            }
        }
    }

    /// What rotated queries and keys are multiplied by.
    pub(super) fn magnitude(&self) -> f32 {
        match self {
            RopeScaling::Yarn { magnitude, .. } | RopeScaling::LongRope { magnitude, .. } => {
                *magnitude
            }
            _ => 1.0,
        }
    }
}
