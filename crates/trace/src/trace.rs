//! The trace itself.

use std::sync::OnceLock;

use ndarray::ArrayView1;

use crate::layer::Stored;
use crate::{Cut, Dtype, Error, Layer, Meta, Words, validate};

/// What one run of a model leaves behind: its text and tokens, and per layer the queries, keys and log-sum-exps from
/// which any weight is recomputed. Held in memory or mapped from a file.
///
/// Layers, heads and tokens count from 0. Head L.H is query head H of layer L.
#[derive(Debug)]
pub struct Trace {
    meta: Meta,
    layers: Vec<Stored>,
    /// The cut edges, sorted.
    cuts: Vec<Cut>,
    words: OnceLock<Words>,
}

impl Trace {
    /// Puts together what a run has left behind.
    ///
    /// # Errors
    /// [`Error::Inconsistent`] where counts, shapes, spans or edits contradict each other, and
    /// [`Error::BadNumber`] where an LSE is NaN or +∞ or a `vnorm` no length.
    pub fn new(meta: Meta, layers: Vec<Layer>) -> Result<Self, Error> {
        Self::from_stored(meta, layers.into_iter().map(Stored::from).collect())
    }

    /// A trace of tensors that may lie in a file.
    pub(crate) fn from_stored(meta: Meta, layers: Vec<Stored>) -> Result<Self, Error> {
        validate::all(&meta, &layers)?;
        let mut cuts = meta.interventions.cut.clone();
        cuts.sort_unstable();
        Ok(Self {
            meta,
            layers,
            cuts,
            words: OnceLock::new(),
        })
    }

    /// Everything beside the tensors.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// N, the number of tokens, the prefix included.
    #[must_use]
    pub fn n(&self) -> usize {
        self.meta.tokens.len()
    }

    /// By what text each token of the prefix is printed; empty where there is no prefix, or the trace was kept by a program that
    /// did not say.
    #[must_use]
    pub fn prefix_texts(&self) -> &[String] {
        &self.meta.prefix_texts
    }

    /// How many layers there are.
    #[must_use]
    pub fn layer_count(&self) -> usize {
        self.layers.len()
    }

    /// H, the number of a layer's query heads; 0 where there is no such layer.
    #[must_use]
    pub fn head_count(&self, layer: usize) -> usize {
        self.layers.get(layer).map_or(0, |l| l.q.heads)
    }

    /// H_kv, the number of a layer's key heads; 0 where there is no such layer.
    #[must_use]
    pub fn kv_head_count(&self, layer: usize) -> usize {
        self.layers.get(layer).map_or(0, |l| l.k.heads)
    }

    /// A head's natural log-sum-exps: \[N\].
    ///
    /// # Errors
    /// [`Error::NoSuchLayer`], [`Error::NoSuchHead`].
    pub fn lse(&self, layer: usize, head: usize) -> Result<ArrayView1<'_, f32>, Error> {
        Ok(self.stored(layer, head)?.lse.vector(head))
    }

    /// ‖v_j·W_o^h‖ for each key of a head: \[N\].
    ///
    /// # Errors
    /// [`Error::NoSuchLayer`], [`Error::NoSuchHead`].
    pub fn vnorm(&self, layer: usize, head: usize) -> Result<ArrayView1<'_, f32>, Error> {
        Ok(self.stored(layer, head)?.vnorm.vector(head))
    }

    /// The words of the text, found when they are first asked for.
    pub fn words(&self) -> &Words {
        self.words
            .get_or_init(|| Words::new(&self.meta.text, &self.meta.spans))
    }

    /// How many bytes the values of all layers take when they are stored so; none where the run kept none.
    #[must_use]
    pub fn values_bytes(&self, dtype: Dtype) -> Option<u64> {
        let numbers = |l: &Stored| Some(l.v.as_ref()?.len() as u64);
        let total: u64 = self.layers.iter().map(numbers).sum::<Option<u64>>()?;
        Some(total * dtype.size() as u64)
    }

    /// The cut edges, sorted.
    pub(crate) fn cuts(&self) -> &[Cut] {
        &self.cuts
    }

    /// The cut edges of one head, sorted.
    pub(crate) fn cuts_of(&self, layer: usize, head: usize) -> &[Cut] {
        let cuts = &self.cuts;
        let from = cuts.partition_point(|c| (c.layer, c.head) < (layer, head));
        let to = cuts.partition_point(|c| (c.layer, c.head) <= (layer, head));
        &cuts[from..to]
    }

    /// All layers as they are stored.
    pub(crate) fn layers(&self) -> &[Stored] {
        &self.layers
    }

    /// Fails where the file that the trace is read from is no longer what it was. To be asked before its numbers are used.
    pub(crate) fn check_unchanged(&self) -> Result<(), Error> {
        let file = self.layers.first().and_then(|layer| layer.q.file());
        match file.filter(|file| !file.is_unchanged()) {
            None => Ok(()),
            Some(file) => Err(Error::Changed {
                path: file.path().to_owned(),
            }),
        }
    }

    /// The layer of a head that must exist.
    pub(crate) fn stored(&self, layer: usize, head: usize) -> Result<&Stored, Error> {
        self.check_unchanged()?;
        let layers = self.layers.len();
        let stored = self.layers.get(layer);
        let stored = stored.ok_or(Error::NoSuchLayer { layer, layers })?;
        let heads = stored.q.heads;
        if head < heads {
            Ok(stored)
        } else {
            Err(Error::NoSuchHead { layer, head, heads })
        }
    }
}
