//! Many texts in one pass.

use super::pass::{Keep, Pass, Text};
use super::{Hooks, Logits, Prefill, PrefillOptions};
use crate::{Error, Model, WeightsKind};

/// Rows that go through the layers together: enough for products to be as fast as they get, and few enough to stay in memory
/// (a row takes 4 · (H + 2·H_kv) · d_k bytes a layer, and as much again while it is in one).
const PACKED_ROWS: usize = 2048;

/// One of several texts that are read together.
#[derive(Clone)]
pub struct Sequence<'a> {
    /// Its tokens.
    pub tokens: &'a [u32],
    /// Which rows of its logits are computed.
    pub logits: Logits,
    /// What its run reports to, and is changed by.
    pub hooks: &'a dyn Hooks,
}

impl Model {
    /// Reads several texts, each changed by its own interventions, in as few passes as pays: their rows are packed one after the
    /// other, and each attends within itself. Each gives the bits that it gives alone. `options` hold for all but for
    /// [`PrefillOptions::logits`]; caches are not made.
    ///
    /// Short texts gain most: weights are read once for all of them.
    ///
    /// # Errors
    /// As [`Model::prefill_with`], of the first text that fails; [`Error::Cancelled`] where any text's hook asks to stop.
    pub fn prefill_many(
        &self,
        sequences: &[Sequence],
        options: &PrefillOptions,
    ) -> Result<Vec<Prefill>, Error> {
        let mut wanted = Vec::with_capacity(sequences.len());
        for sequence in sequences {
            wanted.push(self.check_text(sequence.tokens, &sequence.logits, sequence.hooks)?);
        }
        let texts: Vec<Text> = sequences
            .iter()
            .zip(&wanted)
            .map(|(sequence, wanted)| Text {
                tokens: sequence.tokens,
                first: 0,
                hooks: sequence.hooks,
                wanted,
            })
            .collect();
        let mut all = Vec::with_capacity(texts.len());
        for pack in self.packs(&texts) {
            all.extend(self.prefill_pack(pack, Keep::of(options))?);
        }
        Ok(all)
    }

    /// Texts that go through the layers together.
    fn packs<'t, 'a>(&self, texts: &'t [Text<'a>]) -> Vec<&'t [Text<'a>]> {
        let mut layers = self.spec().layers.iter();
        let has_experts = layers.any(|layer| {
            layer
                .feed_forward
                .is_some_and(|part| part.experts.is_some())
        });
        // Products with quantised weights are computed in another way for few rows than for many, and so are those of an expert
        // that reads a single row.
        let most = match self.weights() {
            WeightsKind::F32 if !has_experts => PACKED_ROWS,
            WeightsKind::F32 | WeightsKind::Quantized => 0,
        };
        let (mut packs, mut first, mut rows) = (Vec::new(), 0, 0);
        for (index, text) in texts.iter().enumerate() {
            // A product of one row is computed in another order than one of several.
            let alone = text.tokens.len() == 1;
            if index > first && (alone || rows + text.tokens.len() > most) {
                packs.push(&texts[first..index]);
                (first, rows) = (index, 0);
            }
            rows += if alone { most } else { text.tokens.len() };
        }
        if first < texts.len() {
            packs.push(&texts[first..]);
        }
        packs
    }

    fn prefill_pack(&self, texts: &[Text], keep: Keep) -> Result<Vec<Prefill>, Error> {
        let mut layers: Vec<Vec<_>> = texts.iter().map(|_| Vec::new()).collect();
        let mut pass = Pass::begin(self.engine(), texts.to_vec())?;
        for layer in 0..self.spec().layers.len() {
            let kept = pass.layer(layer, keep, None)?;
            for (layers, kept) in layers.iter_mut().zip(kept) {
                layers.push(kept);
            }
        }
        let read = pass.finish()?.into_iter().zip(layers);
        let prefill = |((hidden, logits), layers)| Prefill {
            logits,
            layers,
            hidden,
            cache: None,
        };
        Ok(read.map(prefill).collect())
    }
}
