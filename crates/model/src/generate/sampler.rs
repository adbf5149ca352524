//! Choosing a token from logits.

use ndarray::ArrayView1;

use crate::Error;

/// How a token is chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// 0 takes the likeliest token (greedy); otherwise logits are divided by it before the softmax.
    pub temperature: f32,
    /// Only the likeliest tokens that together reach this probability can be drawn (nucleus sampling,
    /// Holtzman et al. 2020, <https://arxiv.org/abs/1904.09751>); 1 keeps all.
    pub top_p: f32,
    /// Seed of the random numbers: the same seed, model and prompt give the same text.
    pub seed: u64,
}

impl Default for Sampling {
    /// Greedy.
    fn default() -> Self {
        Self {
            temperature: 0.0,
            top_p: 1.0,
            seed: 0,
        }
    }
}

/// Draws tokens.
pub struct Sampler {
    sampling: Sampling,
}

impl Sampler {
    /// A sampler at the start of its random numbers.
    ///
    /// # Errors
    /// [`Error::Sampling`] where temperature or `top_p` is out of range.
    pub fn new(sampling: Sampling) -> Result<Self, Error> {
        Ok(Self { sampling })
    }

    /// A token drawn from `logits` \[vocabulary\].
    pub fn sample(&mut self, logits: ArrayView1<f32>) -> u32 {
        let _ = (&self.sampling, logits);
        unimplemented!()
    }
}
