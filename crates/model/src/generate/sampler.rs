//! Choosing a token from logits.

use ndarray::ArrayView1;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::Error;

/// How a token is chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// 0 takes the likeliest token (greedy); otherwise logits are divided by it before the softmax.
    pub temperature: f32,
    /// Only the likeliest tokens that together reach this probability can be drawn (nucleus sampling,
    /// Holtzman et al. 2020, <https://arxiv.org/abs/1904.09751>); 1 keeps all.
    pub top_p: f32,
    /// Seed of the random numbers: the same seed, model, prompt and version of this crate give the same text.
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
#[derive(Debug)]
pub struct Sampler {
    sampling: Sampling,
    random: StdRng,
}

impl Sampler {
    /// A sampler at the start of its random numbers.
    ///
    /// # Errors
    /// [`Error::Sampling`] where the temperature is negative or not finite, or `top_p` is not in (0, 1].
    ///
    /// ```
    /// use lookback_model::generate::{Sampler, Sampling};
    ///
    /// let logits = ndarray::array![0.5, 3.0, 1.0];
    /// let mut greedy = Sampler::new(Sampling::default())?;
    /// assert_eq!(greedy.sample(logits.view()), 1);
    ///
    /// let too_hot = Sampling { temperature: f32::INFINITY, ..Sampling::default() };
    /// assert!(Sampler::new(too_hot).is_err());
    /// # Ok::<(), lookback_model::Error>(())
    /// ```
    pub fn new(sampling: Sampling) -> Result<Self, Error> {
        let Sampling {
            temperature,
            top_p,
            seed,
        } = sampling;
        if !(temperature.is_finite() && temperature >= 0.0) {
            return Err(Error::Sampling {
                name: "temperature",
                value: temperature,
                expected: "0 (greedy) or a positive number",
            });
        }
        if !(top_p > 0.0 && top_p <= 1.0) {
            return Err(Error::Sampling {
                name: "top_p",
                value: top_p,
                expected: "more than 0 and at most 1",
            });
        }
        Ok(Self {
            sampling,
            random: StdRng::seed_from_u64(seed),
        })
    }

    /// A token drawn from `logits` \[vocabulary\], which must be finite. Of equal logits the lower token comes first.
    pub fn sample(&mut self, logits: ArrayView1<f32>) -> u32 {
        if self.sampling.temperature == 0.0 {
            return argmax(logits);
        }
        let candidates = self.nucleus(logits);
        let total: f64 = candidates.iter().map(|&(_, weight)| weight).sum();
        let mut left = self.random.random::<f64>() * total;
        for &(token, weight) in &candidates {
            left -= weight;
            if left < 0.0 {
                return token;
            }
        }
        // Rounding may leave a hair of probability after the last candidate.
        candidates.last().map_or(0, |&(token, _)| token)
    }

    /// The likeliest tokens that together reach `top_p`, with their unnormalised probabilities.
    fn nucleus(&self, logits: ArrayView1<f32>) -> Vec<(u32, f64)> {
        let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let temperature = f64::from(self.sampling.temperature);
        let weight = |logit: f32| ((f64::from(logit) - f64::from(largest)) / temperature).exp();
        let candidates: Vec<(u32, f64)> = (0..)
            .zip(logits.iter().map(|&logit| weight(logit)))
            .collect();
        if self.sampling.top_p == 1.0 {
            return candidates;
        }
        let total: f64 = candidates.iter().map(|&(_, weight)| weight).sum();
        likeliest(candidates, f64::from(self.sampling.top_p) * total)
    }
}

/// The fewest of `candidates` that together reach `mass`, the likeliest first. A nucleus is small beside the
/// vocabulary, so what is in it is selected before it is sorted.
fn likeliest(mut candidates: Vec<(u32, f64)>, mass: f64) -> Vec<(u32, f64)> {
    let order = |a: &(u32, f64), b: &(u32, f64)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    let mut selected = 64;
    while selected < candidates.len() {
        candidates.select_nth_unstable_by(selected, order);
        let first = &candidates[..selected];
        if first.iter().map(|&(_, weight)| weight).sum::<f64>() >= mass {
            candidates.truncate(selected);
            break;
        }
        selected *= 4;
    }
    candidates.sort_unstable_by(order);
    let mut reached = 0.0;
    let last = candidates.iter().position(|&(_, weight)| {
        reached += weight;
        reached >= mass
    });
    if let Some(last) = last {
        candidates.truncate(last + 1);
    }
    candidates
}

/// The likeliest token.
pub(crate) fn argmax(logits: ArrayView1<f32>) -> u32 {
    let best = logits
        .iter()
        .zip(0..)
        .fold((f32::NEG_INFINITY, 0), |best, (&logit, token)| {
            if logit > best.0 { (logit, token) } else { best }
        });
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array1, array};

    fn draws(sampling: Sampling, logits: &Array1<f32>, n: usize) -> Vec<u32> {
        let mut sampler = Sampler::new(sampling).unwrap();
        (0..n).map(|_| sampler.sample(logits.view())).collect()
    }

    #[test]
    fn frequencies_follow_the_softmax_at_the_temperature() {
        let logits = array![2.0, 1.0, 0.0, -40.0];
        let sampling = Sampling {
            temperature: 2.0,
            top_p: 1.0,
            seed: 7,
        };
        let drawn = draws(sampling, &logits, 40_000);
        let weights = logits.mapv(|logit| f64::from(logit / 2.0).exp());
        for token in 0..4 {
            let expected = weights[token] / weights.sum();
            let found = drawn.iter().filter(|&&t| t as usize == token).count() as f64 / 40_000.0;
            // Five standard deviations of a fraction of 40,000 draws are at most .0125.
            assert!(
                (found - expected).abs() < 0.0125,
                "{token}: {found} {expected}"
            );
        }
    }

    #[test]
    fn top_p_keeps_the_fewest_tokens_that_reach_it() {
        let logits = array![0.1_f32, 0.5, 0.3, 0.1].mapv(f32::ln);
        let sampling = |top_p| Sampling {
            temperature: 1.0,
            top_p,
            seed: 1,
        };
        let seen = |top_p| {
            let mut seen = draws(sampling(top_p), &logits, 2_000);
            seen.sort_unstable();
            seen.dedup();
            seen
        };
        assert_eq!(seen(0.4), [1]);
        assert_eq!(seen(0.7), [1, 2]);
        assert_eq!(seen(0.85), [0, 1, 2]);
        assert_eq!(seen(1.0), [0, 1, 2, 3]);
    }

    /// Selecting gives what sorting the whole vocabulary gives, also among equals.
    #[test]
    fn selected_candidates_are_those_of_a_full_sort() {
        let mut random = StdRng::seed_from_u64(4);
        for n in [1_u32, 63, 64, 65, 300, 5000] {
            for spread in [0.0, 1.0, 30.0] {
                // Rounded, so that many are equal.
                let weight = |r: f64| (spread * r).round().exp();
                let candidates: Vec<_> = (0..n)
                    .map(|token| (token, weight(random.random())))
                    .collect();
                let total: f64 = candidates.iter().map(|&(_, weight)| weight).sum();
                let mut sorted = candidates.clone();
                sorted.sort_by(|a, b| b.1.total_cmp(&a.1));
                for top_p in [0.01, 0.5, 0.9, 0.999] {
                    let mut reached = 0.0;
                    let expected: Vec<_> = sorted
                        .iter()
                        .copied()
                        .take_while(|&(_, weight)| {
                            let goes_on = reached < top_p * total;
                            reached += weight;
                            goes_on
                        })
                        .collect();
                    assert_eq!(likeliest(candidates.clone(), top_p * total), expected);
                }
            }
        }
    }

    #[test]
    fn a_seed_fixes_the_draws() {
        let logits = Array1::from_shape_fn(100, |i| (i as f32).sin());
        let sampling = |seed| Sampling {
            temperature: 1.0,
            top_p: 0.9,
            seed,
        };
        assert_eq!(
            draws(sampling(3), &logits, 50),
            draws(sampling(3), &logits, 50)
        );
        assert_ne!(
            draws(sampling(3), &logits, 50),
            draws(sampling(4), &logits, 50)
        );
    }

    #[test]
    fn tiny_temperatures_do_not_overflow() {
        let sampling = Sampling {
            temperature: f32::MIN_POSITIVE,
            top_p: 1.0,
            seed: 0,
        };
        assert_eq!(draws(sampling, &array![1e30, -1e30, 3e38], 3), [2, 2, 2]);
    }

    #[test]
    fn parameters_out_of_range_are_refused() {
        for (temperature, top_p) in [
            (-1.0, 1.0),
            (f32::NAN, 1.0),
            (1.0, 0.0),
            (1.0, 1.5),
            (1.0, f32::NAN),
        ] {
            let sampling = Sampling {
                temperature,
                top_p,
                seed: 0,
            };
            assert!(matches!(
                Sampler::new(sampling),
                Err(Error::Sampling { .. })
            ));
        }
    }
}
