//! The trace itself.

use std::sync::OnceLock;

use lookback_attention::{Mask, Scoring};
use ndarray::{Array3, ArrayView1};

use crate::ids::{Ids, in_words};
use crate::layer::Stored;
use crate::{Cut, Dtype, Error, HeadId, Layer, Meta, Version, Words, validate};

/// What one run of a model leaves behind: its text and tokens, and per layer the queries, keys and log-sum-exps from
/// which any weight is recomputed. Held in memory or mapped from a file.
///
/// Layers, heads and tokens count from 0. Head L.H is query head H of layer L, both by their numbers in the model, whichever
/// of the model's layers and heads the trace holds: [`Trace::layer_ids`] and [`Trace::head_ids`] say which those are. What an
/// observer finds of a layer's heads is in the order of `head_ids`.
#[derive(Debug)]
pub struct Trace {
    meta: Meta,
    version: Version,
    ids: Ids,
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
        let layers: Vec<Stored> = layers.into_iter().map(Stored::from).collect();
        let version = Version::needed_by(&meta, &layers);
        Self::from_stored(meta, layers, version)
    }

    /// A trace from queries \[H, N, d_k\] and keys \[H_kv, M, d_k\] alone, one pair a layer: the log-sum-exps are computed, there
    /// are no value norms and no values. A layer with a bias is a [`Layer::from_qk`].
    ///
    /// ```
    /// use lookback_trace::{Mask, Meta, Scoring, Trace};
    /// use ndarray::Array3;
    ///
    /// // One layer of two heads, d_k = 8, on four tokens that all see each other.
    /// let q = Array3::from_shape_fn((2, 4, 8), |(h, i, c)| ((h * 3 + i * 5 + c * 7) % 11) as f32 / 3.0);
    /// let k = q.mapv(|x| 1.0 - x);
    /// let meta = Meta {
    ///     text: "Tom thanked Ann".into(),
    ///     tokens: vec![101, 11, 12, 13],
    ///     spans: vec![(0, 0), (0, 3), (3, 11), (11, 15)],
    ///     prefix_tokens: 1,
    ///     token_texts: vec![Some("[CLS]".into())],
    ///     layers: vec![Scoring::new(1.0 / 8_f32.sqrt(), Mask::None)],
    ///     ..Meta::default()
    /// };
    /// let trace = Trace::from_qk(meta, vec![(q, k)])?;
    /// assert!((trace.row(0, 1, 2)?.sum() - 1.0).abs() < 1e-5);
    /// # Ok::<(), lookback_trace::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Trace::new`], and [`Error::Attention`] where shapes or scoring are none.
    pub fn from_qk(meta: Meta, layers: Vec<(Array3<f32>, Array3<f32>)>) -> Result<Self, Error> {
        if layers.len() != meta.layers.len() {
            return Err(Error::Inconsistent(format!(
                "`layers` describes {} layers, and there are queries and keys of {}",
                meta.layers.len(),
                layers.len()
            )));
        }
        let cuts = &meta.interventions.cut;
        let layers = layers.into_iter().enumerate().map(|(at, (q, k))| {
            let layer = meta.layer_ids.get(at).copied().unwrap_or(at);
            let head_ids = meta.head_ids.get(at).map(Vec::as_slice);
            let of_layer = cuts.iter().filter(|cut| cut.layer == layer);
            let cuts: Vec<Cut> = of_layer
                .filter_map(|cut| {
                    let head = match head_ids {
                        Some(ids) => ids.binary_search(&cut.head).ok()?,
                        None => cut.head,
                    };
                    Some(Cut { head, ..*cut })
                })
                .collect();
            Layer::with_cuts(q, k, &meta.layers[at], &cuts)
        });
        let layers = layers.collect::<Result<_, _>>()?;
        Self::new(meta, layers)
    }

    /// A trace of tensors that may lie in a file of this version.
    pub(crate) fn from_stored(
        meta: Meta,
        layers: Vec<Stored>,
        version: Version,
    ) -> Result<Self, Error> {
        let ids = validate::all(&meta, &layers, version)?;
        let mut cuts = meta.interventions.cut.clone();
        cuts.sort_unstable();
        Ok(Self {
            meta,
            version,
            ids,
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

    /// The version of the format: that of the file it was opened from, else that of the file it would be saved to.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// N, the number of queries: of tokens, the prefix included.
    #[must_use]
    pub fn n(&self) -> usize {
        self.meta.tokens.len()
    }

    /// M, the number of keys: N, but in cross-attention.
    #[must_use]
    pub fn m(&self) -> usize {
        let keys = self.meta.keys.as_ref();
        keys.map_or(self.n(), |keys| keys.tokens.len())
    }

    /// Whether the keys are other tokens than the queries.
    #[must_use]
    pub fn is_cross_attention(&self) -> bool {
        self.meta.keys.is_some()
    }

    /// Refuses cross-attention; `what` needs queries and keys that are the same tokens.
    ///
    /// # Errors
    /// [`Error::CrossAttention`].
    pub fn require_self_attention(&self, what: &'static str) -> Result<(), Error> {
        let (n, m) = (self.n(), self.m());
        match self.is_cross_attention() {
            false => Ok(()),
            true => Err(Error::CrossAttention { what, n, m }),
        }
    }

    /// How many layers there are.
    #[must_use]
    pub fn layer_count(&self) -> usize {
        self.layers.len()
    }

    /// The numbers of the layers that there are, ascending: 0, 1, … where the trace holds all of a model's.
    #[must_use]
    pub fn layer_ids(&self) -> &[usize] {
        self.ids.layers()
    }

    /// The numbers of the query heads that there are of a layer, ascending; none where there is no such layer.
    #[must_use]
    pub fn head_ids(&self, layer: usize) -> &[usize] {
        self.ids.heads(layer)
    }

    /// All heads that there are, in order.
    pub fn heads(&self) -> impl Iterator<Item = HeadId> {
        self.layer_ids().iter().flat_map(|&layer| {
            let of_layer = self.head_ids(layer).iter();
            of_layer.map(move |&head| HeadId { layer, head })
        })
    }

    /// Whether the layers and their heads are the model's first ones: their numbers are 0, 1, ….
    #[must_use]
    pub fn counts_from_0(&self) -> bool {
        let heads = |&layer: &usize| self.ids.has_first_heads(layer);
        self.ids.has_first_layers() && self.layer_ids().iter().all(heads)
    }

    /// H, the number of a layer's query heads; 0 where there is no such layer.
    #[must_use]
    pub fn head_count(&self, layer: usize) -> usize {
        self.head_ids(layer).len()
    }

    /// H_kv, the number of a layer's key heads; 0 where there is no such layer.
    #[must_use]
    pub fn kv_head_count(&self, layer: usize) -> usize {
        let at = self.ids.find(layer);
        at.map_or(0, |at| self.layers[at].k.heads)
    }

    /// How a layer's scores are computed, with its bias. Entries a head are in the order of [`head_ids`](Self::head_ids).
    ///
    /// # Errors
    /// [`Error::NoSuchLayer`], [`Error::NotAttention`].
    pub fn scoring(&self, layer: usize) -> Result<Scoring<'_>, Error> {
        let at = self.find_layer(layer)?;
        Ok(self.layers[at].scoring(&self.meta.layers[at]))
    }

    /// Which keys a query may see in a layer.
    ///
    /// # Errors
    /// As [`scoring`](Self::scoring).
    pub fn mask(&self, layer: usize) -> Result<&Mask, Error> {
        Ok(&self.meta.layers[self.find_layer(layer)?].mask)
    }

    /// Whether a sink takes part in the softmax of a layer's heads; no in a layer that is not there.
    #[must_use]
    pub fn has_sink(&self, layer: usize) -> bool {
        let at = self.ids.find(layer);
        at.is_some_and(|at| self.meta.layers[at].sinks.is_some())
    }

    /// Whether the layers hold the norms of values, which statistics that weigh values need.
    #[must_use]
    pub fn has_vnorm(&self) -> bool {
        self.layers[0].vnorm.is_some()
    }

    /// A head's natural log-sum-exps: \[N\].
    ///
    /// # Errors
    /// [`Error::NoSuchLayer`], [`Error::NoSuchHead`].
    pub fn lse(&self, layer: usize, head: usize) -> Result<ArrayView1<'_, f32>, Error> {
        let (stored, at) = self.stored(layer, head)?;
        Ok(stored.lse.vector(at))
    }

    /// ‖v_j·W_o^h‖ for each key of a head: \[M\].
    ///
    /// # Errors
    /// [`Error::NoSuchLayer`], [`Error::NoSuchHead`], and [`Error::NoVnorm`] where the trace holds none.
    pub fn vnorm(&self, layer: usize, head: usize) -> Result<ArrayView1<'_, f32>, Error> {
        let (stored, at) = self.stored(layer, head)?;
        let vnorm = stored.vnorm.as_ref().ok_or(Error::NoVnorm)?;
        Ok(vnorm.vector(at))
    }

    /// The words of the queries' text, found when they are first asked for.
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

    /// At which place a layer is held that must exist.
    pub(crate) fn find_layer(&self, layer: usize) -> Result<usize, Error> {
        self.ids.find(layer).ok_or_else(|| {
            let layers = in_words(self.layer_ids());
            let other = self.meta.other_layers.iter().find(|o| o.layer == layer);
            match other.map(|other| other.kind.clone()) {
                Some(kind) => Error::NotAttention {
                    layer,
                    kind,
                    layers,
                },
                None => Error::NoSuchLayer { layer, layers },
            }
        })
    }

    /// The layer of a head that must exist, and the head's place in it.
    pub(crate) fn stored(&self, layer: usize, head: usize) -> Result<(&Stored, usize), Error> {
        self.check_unchanged()?;
        let stored = &self.layers[self.find_layer(layer)?];
        match self.head_ids(layer).binary_search(&head) {
            Ok(at) => Ok((stored, at)),
            Err(_) => Err(Error::NoSuchHead {
                layer,
                head,
                heads: in_words(self.head_ids(layer)),
            }),
        }
    }
}
