//! The log-sum-exps that belong to queries and keys.

use lookback_attention::Scoring;
use lookback_attention::forward::forward;
use lookback_attention::reference::{ExactRow, row_without};
use ndarray::{Array3, Array4, ArrayView4, Axis, s};

use crate::{Cut, Error, Layer};

impl Layer {
    /// A layer from queries \[H, N, d_k\] and keys \[H_kv, M, d_k\] alone: the log-sum-exps are computed, a bias of the scoring
    /// is kept, and there are no value norms and no values.
    ///
    /// ```
    /// use lookback_trace::{Layer, Mask, Meta, Scoring, Trace};
    /// use ndarray::{Array3, Array4, s};
    ///
    /// // A bias by distance that two heads share: [1, 1, 3, 3].
    /// let bias = Array4::from_shape_fn((1, 1, 3, 3), |(_, _, i, j)| -(i.abs_diff(j) as f32));
    /// let q = Array3::from_shape_fn((2, 3, 4), |(h, i, c)| ((h + 2 * i + 3 * c) % 5) as f32);
    /// let biased = Scoring::new(0.5, Mask::None).with_bias(bias.view());
    /// let layer = Layer::from_qk(q.clone(), q, &biased)?;
    /// let scoring = Scoring::new(0.5, Mask::None);
    /// let meta = Meta { tokens: vec![7, 8, 9], spans: vec![(0, 0); 3], layers: vec![scoring], ..Meta::default() };
    /// let trace = Trace::new(meta, vec![layer])?;
    /// assert_eq!(trace.scoring(0)?.bias.unwrap(), bias);
    /// # Ok::<(), lookback_trace::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Attention`] where shapes or scoring are none.
    pub fn from_qk(q: Array3<f32>, k: Array3<f32>, scoring: &Scoring) -> Result<Self, Error> {
        Self::with_cuts(q, k, scoring, &[])
    }

    /// The same with these edges cut, heads by their places; any order will do.
    pub(crate) fn with_cuts(
        q: Array3<f32>,
        k: Array3<f32>,
        scoring: &Scoring,
        cuts: &[Cut],
    ) -> Result<Self, Error> {
        let [q4, k4] = [&q, &k].map(|x| x.view().insert_axis(Axis(0)));
        // Values have no part in weights; one number a key is the least there can be.
        let v = Array4::zeros((1, k.dim().0, k.dim().1, 1));
        let mut lse = forward(q4, k4, v.view(), scoring)?
            .lse
            .index_axis_move(Axis(0), 0);
        let mut cuts = cuts.to_vec();
        cuts.sort_unstable();
        let operands = CutRow {
            q: q4,
            k: k4,
            scoring,
        };
        for row in by_row(&cuts) {
            let Cut { head, i, .. } = row[0];
            if let Some(lse) = lse.get_mut([head, i]) {
                *lse = operands.exact(row)?.lse as f32;
            }
        }
        let bias = scoring.bias.as_ref();
        let bias = bias.map(|bias| bias.slice(s![0, .., .., ..]).to_owned());
        Ok(Self {
            q,
            k,
            lse,
            bias,
            ..Self::default()
        })
    }
}

/// The cuts of each row, of cuts in order.
pub(crate) fn by_row(cuts: &[Cut]) -> impl Iterator<Item = &[Cut]> {
    cuts.chunk_by(|a, b| (a.head, a.i) == (b.head, b.i))
}

/// What a row that lost edges is computed from.
pub(crate) struct CutRow<'a, 's> {
    /// \[1, H, N, d_k\]
    pub(crate) q: ArrayView4<'a, f32>,
    /// \[1, H_kv, M, d_k\]
    pub(crate) k: ArrayView4<'a, f32>,
    pub(crate) scoring: &'a Scoring<'s>,
}

impl CutRow<'_, '_> {
    /// A row that exists without its `cut` edges, which are in order.
    pub(crate) fn exact(&self, cut: &[Cut]) -> Result<ExactRow, Error> {
        let Cut { head, i, .. } = cut[0];
        let kv_head = head / (self.q.dim().1 / self.k.dim().1);
        let (q, k) = (
            self.q.slice(s![0, head, i, ..]),
            self.k.slice(s![0, kv_head, .., ..]),
        );
        let is_cut = |j: usize| cut.binary_search_by_key(&j, |cut| cut.j).is_ok();
        let scoring = self.scoring.for_head(0, head);
        Ok(row_without((q, i), k, &scoring, is_cut)?)
    }
}
