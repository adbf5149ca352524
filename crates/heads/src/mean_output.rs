//! What heads write on average over a reference set, so that they can be ablated to that rather than to zero.
//!
//! Zero is an input that what follows a head never met in training, and may hurt for that reason alone; its mean
//! output takes away what depends on the text and leaves the rest (Wang et al. 2022, "Interpretability in the Wild",
//! <https://arxiv.org/abs/2211.00593>, who average over a reference distribution).

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};

use lookback_model::{Attended, Encoding, Hooks, Interventions, Logits, Model, PrefillOptions};
use lookback_trace::HeadId;
use ndarray::{Array1, ArrayView1, Axis, s};

use crate::Error;

/// Some heads' mean outputs before W_o.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MeanOutputs {
    /// \[d_v\] a head
    by_head: BTreeMap<HeadId, Array1<f32>>,
}

impl MeanOutputs {
    /// The mean of each head's output over all tokens of these texts, those of a prefix left out. `hooks` hear of each
    /// text's run.
    ///
    /// # Errors
    /// [`Error::NoSuchHead`], [`Error::NoReference`] where no text has a token, and the model's.
    pub fn over(
        model: &Model,
        texts: &[Encoding],
        heads: &[HeadId],
        hooks: &dyn Hooks,
    ) -> Result<Self, Error> {
        let spec = model.spec();
        for &head in heads {
            crate::head::check(head, spec.layers.len(), spec.heads)?;
        }
        let mut sums = Sums {
            hooks,
            prefix: 0,
            by_head: Mutex::new(heads.iter().map(|&head| (head, Array1::zeros(0))).collect()),
        };
        let mut tokens = 0;
        for text in texts {
            sums.prefix = text.prefix_tokens;
            tokens += text.ids.len() - text.prefix_tokens;
            let options = PrefillOptions {
                logits: Logits::None,
                ..PrefillOptions::default()
            };
            model.prefill_with(&text.ids, &options, &sums)?;
        }
        if tokens == 0 {
            return Err(Error::NoReference);
        }
        let by_head = sums
            .by_head
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let mean = |sum: Array1<f64>| sum.mapv(|x| (x / tokens as f64) as f32);
        Ok(Self {
            by_head: by_head
                .into_iter()
                .map(|(head, sum)| (head, mean(sum)))
                .collect(),
        })
    }

    /// The mean output of `head` where it is known: \[d_v\].
    #[must_use]
    pub fn get(&self, head: HeadId) -> Option<ArrayView1<'_, f32>> {
        self.by_head.get(&head).map(|mean| mean.view())
    }

    /// Ablates heads: to their mean where it is known, else to zero. The mean stands at the tokens behind the prefix; at
    /// the prefix, over which it is not taken, the head writes what it always does.
    pub fn ablate(&self, heads: &[HeadId], prefix_tokens: usize, changes: &mut Interventions) {
        for &head in heads {
            match self.by_head.get(&head) {
                Some(mean) => changes.ablate_to(head, mean.clone(), prefix_tokens),
                None => changes.ablate(head),
            }
        }
    }
}

/// Adds up heads' outputs as they are computed.
struct Sums<'a> {
    hooks: &'a dyn Hooks,
    /// Positions that do not count.
    prefix: usize,
    /// \[d_v\] a head, or nothing yet
    by_head: Mutex<BTreeMap<HeadId, Array1<f64>>>,
}

impl Hooks for Sums<'_> {
    fn before_layer(&self, done: usize, layers: usize) -> ControlFlow<()> {
        self.hooks.before_layer(done, layers)
    }

    fn interventions(&self) -> Option<&Interventions> {
        self.hooks.interventions()
    }

    fn attended(&self, layer: &Attended) {
        let mut by_head = self.by_head.lock().unwrap_or_else(PoisonError::into_inner);
        let of_layer = HeadId {
            layer: layer.layer,
            head: 0,
        }..HeadId {
            layer: layer.layer + 1,
            head: 0,
        };
        let skipped = self
            .prefix
            .saturating_sub(layer.first)
            .min(layer.z.len_of(Axis(1)));
        for (head, sum) in by_head.range_mut(of_layer) {
            let z = layer.z.slice(s![head.head, skipped.., ..]);
            if sum.is_empty() {
                *sum = Array1::zeros(z.ncols());
            }
            for row in z.outer_iter() {
                sum.zip_mut_with(&row, |sum, &z| *sum += f64::from(z));
            }
        }
    }
}
