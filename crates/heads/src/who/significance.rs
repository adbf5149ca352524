//! Whether an accuracy means anything: sign flips, bootstrap and leaving out, all over whole templates.
//!
//! The sentences of a set come in templates: variants of one another, which no head can be right on independently.
//! So every draw below flips, takes or leaves out a whole template, never a single sentence (clustered resampling:
//! Cameron, Gelbach & Miller 2008). And where the best of many heads is looked at, the null distribution is that of
//! the best of as many heads (the maximum statistic of Westfall & Young 1993), since one of 270 heads is right often
//! by luck alone.

use serde::Serialize;

use crate::random::SplitMix;

/// How many draws are made where there are too many flips to try them all.
pub const DRAWS: usize = 10_000;

/// The margins of some heads on some sentences: how much more weight the right candidate got than any other.
#[derive(Debug, Clone, PartialEq)]
pub struct Margins {
    /// \[heads\]\[sentences\]
    by_head: Vec<Vec<f64>>,
    /// The template of each sentence, numbered from 0 without gaps: \[sentences\].
    template: Vec<usize>,
    templates: usize,
}

/// What the best head's accuracy is worth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SignFlip {
    /// The 95th percentile of the best head's accuracy when the right answers are flipped at random.
    pub null95_accuracy: f64,
    /// The share of flips in which the best head stays below [`null95_accuracy`](Self::null95_accuracy): less than .95,
    /// and by as much as accuracies move in steps of one sentence.
    pub null95_below: f64,
    /// The share of flips under which some head does as well as the best one did.
    pub null_p: f64,
    /// How many flips were tried.
    pub flips: usize,
    /// Whether they are all that there are.
    pub exact: bool,
    /// The smallest p that so few templates can reach; above .05 the test cannot find anything.
    pub smallest_p: f64,
}

/// The right ones among some sentences; a margin of exactly 0 counts one half.
fn correct(margin: f64) -> f64 {
    match margin.total_cmp(&0.0) {
        _ if margin == 0.0 => 0.5,
        std::cmp::Ordering::Greater => 1.0,
        _ => 0.0,
    }
}

impl Margins {
    /// Margins \[heads\]\[sentences\], and the name of each sentence's template.
    ///
    /// # Panics
    /// Where a head has not one margin a sentence.
    #[must_use]
    pub fn new(by_head: Vec<Vec<f64>>, templates: &[String]) -> Self {
        assert!(by_head.iter().all(|m| m.len() == templates.len()));
        let mut names: Vec<&String> = Vec::new();
        let mut template = Vec::with_capacity(templates.len());
        for name in templates {
            let known = names.iter().position(|&known| known == name);
            template.push(known.unwrap_or_else(|| {
                names.push(name);
                names.len() - 1
            }));
        }
        Self {
            by_head,
            template,
            templates: names.len(),
        }
    }

    /// Of how many templates the sentences are.
    #[must_use]
    pub fn templates(&self) -> usize {
        self.templates
    }

    /// Each head's share of sentences in which the right candidate got most: \[heads\].
    #[must_use]
    pub fn accuracies(&self) -> Vec<f64> {
        self.by_head.iter().map(|m| accuracy(m)).collect()
    }

    /// Each head's mean margin: \[heads\].
    #[must_use]
    pub fn means(&self) -> Vec<f64> {
        let mean = |m: &Vec<f64>| m.iter().sum::<f64>() / m.len().max(1) as f64;
        self.by_head.iter().map(mean).collect()
    }

    /// The head of the greatest accuracy, and of the greatest mean margin among equals.
    #[must_use]
    pub fn best(&self) -> Option<usize> {
        let all: Vec<usize> = (0..self.template.len()).collect();
        self.best_on(&all)
    }

    /// Flips the right answers of whole templates: all 2^templates ways where these are at most `draws`, else `draws`
    /// random ones. The statistic is the best head's accuracy.
    #[must_use]
    pub fn sign_flip(&self, seed: u64, draws: usize) -> SignFlip {
        // Right answers per head and template; a flipped template has the others right.
        let mut right = vec![vec![0.0; self.templates]; self.by_head.len()];
        let mut sizes = vec![0.0; self.templates];
        for (sentence, &template) in self.template.iter().enumerate() {
            sizes[template] += 1.0;
            for (right, margins) in right.iter_mut().zip(&self.by_head) {
                right[template] += correct(margins[sentence]);
            }
        }
        let n = self.template.len().max(1) as f64;
        let best = |flipped: &dyn Fn(usize) -> bool| {
            let flipped: Vec<bool> = (0..sizes.len()).map(flipped).collect();
            let score = |right: &Vec<f64>| -> f64 {
                let each = right.iter().zip(&sizes).zip(&flipped);
                each.map(|((right, size), &flip)| if flip { size - right } else { *right })
                    .sum()
            };
            right.iter().map(score).fold(0.0, f64::max)
        };
        let observed = best(&|_| false);
        let exact = self.templates < 63 && (1_u64 << self.templates) <= draws as u64;
        let mut null: Vec<f64> = if exact {
            (0..1_u64 << self.templates)
                .map(|flips| best(&|template| flips >> template & 1 == 1))
                .collect()
        } else {
            let mut random = SplitMix::new(seed);
            (0..draws)
                .map(|_| {
                    let flips: Vec<bool> = (0..self.templates).map(|_| random.coin()).collect();
                    best(&|template| flips[template])
                })
                .collect()
        };
        null.sort_unstable_by(f64::total_cmp);
        let as_good = null.iter().filter(|&&score| score >= observed).count();
        // Random draws: the observed labelling is one of them (Phipson & Smyth 2010).
        let (extra, flips) = if exact { (0, null.len()) } else { (1, draws) };
        let null95 = percentile(&null, 0.95);
        let below = null.iter().filter(|&&score| score < null95).count();
        SignFlip {
            null95_accuracy: null95 / n,
            null95_below: below as f64 / null.len() as f64,
            null_p: (as_good + extra) as f64 / (flips + extra) as f64,
            flips,
            exact,
            smallest_p: 0.5_f64.powi(self.templates.min(1000) as i32).max(if exact {
                0.0
            } else {
                1.0 / (draws + 1) as f64
            }),
        }
    }

    /// The same sentences with each its own template: for comparison with tests that flip sentence by sentence.
    #[must_use]
    pub fn by_sentence(&self) -> Self {
        Self {
            by_head: self.by_head.clone(),
            template: (0..self.template.len()).collect(),
            templates: self.template.len(),
        }
    }

    /// The 95% interval of a head's accuracy: percentiles of the bootstrap over templates (Efron 1979).
    #[must_use]
    pub fn interval(&self, head: usize, seed: u64, draws: usize) -> (f64, f64) {
        let mut right = vec![(0.0, 0.0); self.templates];
        for (&template, &margin) in self.template.iter().zip(&self.by_head[head]) {
            right[template].0 += correct(margin);
            right[template].1 += 1.0;
        }
        if right.is_empty() {
            return (f64::NAN, f64::NAN);
        }
        let mut random = SplitMix::new(seed);
        let mut accuracies: Vec<f64> = (0..draws)
            .map(|_| {
                let (mut correct, mut count) = (0.0, 0.0);
                for _ in 0..right.len() {
                    let drawn = right[random.below(right.len())];
                    correct += drawn.0;
                    count += drawn.1;
                }
                correct / count
            })
            .collect();
        accuracies.sort_unstable_by(f64::total_cmp);
        (
            percentile(&accuracies, 0.025),
            percentile(&accuracies, 0.975),
        )
    }

    /// The accuracy of choosing the best head on all templates but one and asking it about that one, over all
    /// templates; none with fewer than two.
    #[must_use]
    pub fn leave_one_template_out(&self) -> Option<f64> {
        if self.templates < 2 {
            return None;
        }
        let mut right = 0.0;
        for left_out in 0..self.templates {
            let (out, rest): (Vec<usize>, Vec<usize>) =
                (0..self.template.len()).partition(|&s| self.template[s] == left_out);
            let head = self.best_on(&rest)?;
            right += out
                .iter()
                .map(|&s| correct(self.by_head[head][s]))
                .sum::<f64>();
        }
        Some(right / self.template.len() as f64)
    }

    /// The best head on some of the sentences; the first among equals.
    fn best_on(&self, sentences: &[usize]) -> Option<usize> {
        let score = |margins: &Vec<f64>| {
            let right: f64 = sentences.iter().map(|&s| correct(margins[s])).sum();
            let sum: f64 = sentences.iter().map(|&s| margins[s]).sum();
            (right, sum)
        };
        let scores: Vec<(f64, f64)> = self.by_head.iter().map(score).collect();
        (0..scores.len()).rev().max_by(|&a, &b| {
            let (a, b) = (scores[a], scores[b]);
            a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1))
        })
    }
}

/// The share of margins above 0; a margin of exactly 0 counts one half.
#[must_use]
pub fn accuracy(margins: &[f64]) -> f64 {
    margins.iter().map(|&m| correct(m)).sum::<f64>() / margins.len().max(1) as f64
}

/// The smallest of some sorted values that at least this share of them does not exceed.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let at = (share * sorted.len() as f64).ceil() as usize;
    sorted
        .get(at.saturating_sub(1))
        .copied()
        .unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(templates: &[usize]) -> Vec<String> {
        templates.iter().map(|t| format!("t{t}")).collect()
    }

    #[test]
    fn one_perfect_head_among_few_templates_reaches_the_smallest_p() {
        // Five templates of two sentences: all 32 flips are tried, and only one leaves the head perfect.
        let margins = Margins::new(vec![vec![0.2; 10]], &names(&[0, 0, 1, 1, 2, 2, 3, 3, 4, 4]));
        let test = margins.sign_flip(1, DRAWS);
        assert!(test.exact && test.flips == 32);
        assert_eq!(test.null_p, 1.0 / 32.0);
        assert_eq!(test.smallest_p, 1.0 / 32.0);
        // Two of the 32 flips leave one template wrong or none: 31 of 32 are at most 8 of 10.
        assert_eq!(test.null95_accuracy, 0.8);
        assert_eq!(test.null95_below, 26.0 / 32.0);
        assert_eq!(margins.leave_one_template_out(), Some(1.0));
        assert_eq!(margins.interval(0, 1, 1000), (1.0, 1.0));
    }

    #[test]
    fn the_best_of_many_guessing_heads_is_not_significant() {
        let mut random = SplitMix::new(3);
        let templates: Vec<usize> = (0..48).map(|s| s / 4).collect();
        let mut small = 0;
        for round in 0..20 {
            let guess = (0..270)
                .map(|_| {
                    (0..48)
                        .map(|_| if random.coin() { 0.1 } else { -0.1 })
                        .collect()
                })
                .collect();
            let margins = Margins::new(guess, &names(&templates));
            assert!(margins.accuracies()[margins.best().unwrap()] > 0.6);
            small += usize::from(margins.sign_flip(round, 1000).null_p <= 0.05);
        }
        assert!(small <= 4, "{small} of 20 guesses were significant");
    }

    #[test]
    fn sentences_of_one_template_are_not_independent() {
        // Forty copies of one sentence say no more than one.
        let margins = Margins::new(vec![vec![1.0; 40]], &names(&[0; 40]));
        assert_eq!(margins.sign_flip(1, DRAWS).null_p, 0.5);
        assert!(margins.by_sentence().sign_flip(1, DRAWS).null_p < 0.001);
        assert_eq!(margins.leave_one_template_out(), None);
    }

    #[test]
    fn ties_are_worth_one_half_and_flips_of_them_nothing() {
        let margins = Margins::new(vec![vec![0.0; 8]], &names(&[0, 1, 2, 3, 4, 5, 6, 7]));
        assert_eq!(margins.accuracies(), [0.5]);
        assert_eq!(margins.sign_flip(1, DRAWS).null_p, 1.0);
    }

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let mut random = SplitMix::new(9);
        let by_head = (0..5)
            .map(|_| (0..60).map(|_| random.below(9) as f64 - 3.9).collect())
            .collect();
        let templates: Vec<usize> = (0..60).map(|s| s / 3).collect();
        let margins = Margins::new(by_head, &names(&templates));
        assert_eq!(margins.sign_flip(4, 500), margins.sign_flip(4, 500));
        assert_ne!(margins.interval(0, 4, 500), margins.interval(0, 5, 500));
    }

    #[test]
    fn percentiles_of_few_values() {
        assert_eq!(percentile(&[1.0, 2.0, 3.0, 4.0], 0.5), 2.0);
        assert_eq!(percentile(&[1.0, 2.0, 3.0, 4.0], 0.95), 4.0);
        assert!(percentile(&[], 0.5).is_nan());
    }
}
