//! Rotary position embedding.

use super::RopeScaling;

/// Rotary position embedding (Su et al. 2021, <https://arxiv.org/abs/2104.09864>), half-split:
/// of the first `dims` entries of a head, entry c turns together with entry c + dims/2; those behind stay as they are.
#[derive(Debug, Clone, PartialEq)]
pub struct Rope {
    /// θ, the base of the frequencies θ^(−2c/dims).
    pub theta: f32,
    /// How many entries of a head turn; even, at most d_k.
    pub dims: usize,
    /// How the frequencies are changed for longer contexts.
    pub scaling: RopeScaling,
}

impl Rope {
    /// Without any scaling.
    #[must_use]
    pub fn plain(theta: f32, dims: usize) -> Self {
        Self {
            theta,
            dims,
            scaling: RopeScaling::None,
        }
    }

    /// The angles by which neighbouring positions differ in a text of `tokens` tokens: entry c belongs to entries c and
    /// c + dims/2 of a head. `dims / 2` entries, computed in f64 and rounded once. Most do not depend on the length.
    ///
    /// ```
    /// use lookback_model::spec::{Rope, RopeScaling};
    /// let rope = Rope { theta: 10_000.0, dims: 4, scaling: RopeScaling::Linear { factor: 2.0 } };
    /// assert_eq!(rope.frequencies(100), [0.5, 0.005]);
    /// ```
    ///
    /// # Panics
    /// Where the scaling has factors for another number of entries. Those of an open checkpoint fit.
    #[must_use]
    pub fn frequencies(&self, tokens: usize) -> Vec<f32> {
        let dims = self.dims as f64;
        let theta = self.scaling.theta(f64::from(self.theta), dims, tokens);
        let ramp = self.scaling.ramp(theta, dims);
        (0..self.dims / 2)
            .map(|c| {
                let plain = theta.powf(-2.0 * c as f64 / dims);
                self.scaling.apply(plain, c, tokens, ramp) as f32
            })
            .collect()
    }

    /// What rotated queries and keys are multiplied by; 1 but for YaRN and LongRoPE.
    #[must_use]
    pub fn magnitude(&self) -> f32 {
        self.scaling.magnitude()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frequencies(scaling: RopeScaling, tokens: usize) -> Vec<f32> {
        let rope = Rope {
            scaling,
            ..Rope::plain(10_000.0, 64)
        };
        rope.frequencies(tokens)
    }

    #[test]
    fn scaling_changes_the_frequencies_it_says() {
        let plain = frequencies(RopeScaling::None, 1);
        let linear = frequencies(RopeScaling::Linear { factor: 4.0 }, 1);
        let llama3 = RopeScaling::Llama3 {
            factor: 8.0,
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_context_length: 8192,
        };
        let llama3 = frequencies(llama3, 1);
        let quarter = |(p, l): (&f32, &f32)| (p / 4.0 - l).abs() <= f32::EPSILON * p;
        assert!(plain.iter().zip(&linear).all(quarter));
        // The fastest pair turns over a thousand times in 8,192 positions, the slowest not once.
        assert_eq!(llama3[0], plain[0]);
        assert!((llama3[31] - plain[31] / 8.0).abs() <= f32::EPSILON * plain[31]);
        assert!(llama3.windows(2).all(|pair| pair[0] > pair[1]));
    }

    #[test]
    fn yarn_keeps_fast_pairs_and_stretches_slow_ones() {
        let yarn = RopeScaling::Yarn {
            factor: 4.0,
            original_context_length: 4096,
            beta_fast: 32.0,
            beta_slow: 1.0,
            truncate: true,
            magnitude: 1.1,
        };
        let (plain, scaled) = (frequencies(RopeScaling::None, 1), frequencies(yarn, 1));
        assert_eq!(plain[0], scaled[0]);
        assert!((plain[31] / 4.0 - scaled[31]).abs() <= f32::EPSILON * plain[31]);
    }

    #[test]
    fn lengths_matter_only_beyond_the_original_context() {
        let dynamic = RopeScaling::Dynamic {
            factor: 2.0,
            original_context_length: 100,
        };
        let plain = frequencies(RopeScaling::None, 1);
        assert_eq!(frequencies(dynamic.clone(), 100), plain);
        let longer = frequencies(dynamic, 200);
        assert!(longer[0] == plain[0] && longer[31] < plain[31]);
        let long = RopeScaling::LongRope {
            short: vec![1.0; 32],
            long: vec![2.0; 32],
            original_context_length: 100,
            magnitude: 1.0,
        };
        assert_eq!(frequencies(long.clone(), 100), plain);
        assert_eq!(frequencies(long, 101)[0], plain[0] / 2.0);
    }
}
