//! One pass of new tokens through the layers.

use std::ops::ControlFlow;

use lookback_trace::{Layer, Scoring};
use ndarray::{Array2, Array3, Axis};

use super::attend::{Attend, attend};
use super::heads::{Heads, HeadsView};
use super::{Hooks, KvCache, intervene};
use crate::Error;
use crate::families::{Activations, Family, HeadsMut, Shape};

/// Tokens on their way through the layers.
pub(super) struct Pass<'a> {
    family: &'a dyn Family,
    hooks: &'a dyn Hooks,
    state: Activations,
    /// Position of the first of the new tokens.
    first: usize,
    /// The heads' outputs of the layer at hand: \[N, H·d_v\].
    z: Array2<f32>,
    /// Rows that are needed after the last layer; the others are not carried through its feed-forward part.
    wanted: &'a [usize],
}

/// What a pass does with a layer's queries, keys and values.
#[derive(Clone, Copy)]
pub(super) struct Keep {
    /// Keep what a trace needs.
    pub(super) trace: bool,
    /// Keep V in it.
    pub(super) values: bool,
}

impl<'a> Pass<'a> {
    /// `tokens` from position `first` on, before the first layer.
    pub(super) fn begin(
        family: &'a dyn Family,
        hooks: &'a dyn Hooks,
        (tokens, first): (&[u32], usize),
        wanted: &'a [usize],
    ) -> Result<Self, Error> {
        let Shape { heads, d_v, .. } = *family.shape();
        Ok(Self {
            family,
            hooks,
            state: family.begin(tokens, first)?,
            first,
            z: Array2::zeros((tokens.len(), heads * d_v)),
            wanted,
        })
    }

    /// What enters the next layer.
    pub(super) fn state(&self) -> &Activations {
        &self.state
    }

    /// Takes all tokens through layer `layer`; its keys and values go into `cache`.
    pub(super) fn layer(
        &mut self,
        layer: usize,
        keep: Keep,
        cache: Option<&mut KvCache>,
    ) -> Result<Option<Layer>, Error> {
        let shape = *self.family.shape();
        if let ControlFlow::Break(()) = self.hooks.before_layer(layer, shape.layers) {
            return Err(Error::Cancelled { layer });
        }
        let mut heads = self.project(layer)?;
        if let Some(interventions) = self.hooks.interventions() {
            intervene::patch_projections(interventions, layer, self.first, &mut heads);
        }
        let vnorm = match keep.trace {
            true => Some(self.family.value_norms(layer, heads.v.view())?),
            false => None,
        };
        let scoring = self.family.scoring(layer);
        let (lse, kept) = match cache {
            None => {
                let lse = self.attend(layer, &scoring, &heads)?;
                (lse, heads)
            }
            Some(cache) => self.attend_cached(&scoring, layer, heads, keep, cache)?,
        };
        self.finish_layer(layer, layer + 1 == shape.layers)?;
        Ok(vnorm.map(|vnorm| Layer {
            q: kept.q,
            k: kept.k,
            lse,
            vnorm: Some(vnorm),
            bias: None,
            v: keep.values.then_some(kept.v),
        }))
    }

    /// Queries, keys and values of layer `layer`.
    pub(super) fn project(&self, layer: usize) -> Result<Heads, Error> {
        let Shape {
            heads,
            kv_heads,
            d_k,
            d_v,
            ..
        } = *self.family.shape();
        let n = self.state.hidden.nrows();
        let mut out = Heads {
            q: Array3::zeros((heads, n, d_k)),
            k: Array3::zeros((kv_heads, n, d_k)),
            v: Array3::zeros((kv_heads, n, d_v)),
        };
        let views = HeadsMut {
            q: out.q.view_mut(),
            k: out.k.view_mut(),
            v: out.v.view_mut(),
        };
        self.family.project(layer, &self.state, views)?;
        Ok(out)
    }

    /// Attention among the new tokens alone; gives the log-sum-exps.
    pub(super) fn attend(
        &mut self,
        layer: usize,
        scoring: &Scoring<'static>,
        heads: &Heads,
    ) -> Result<Array2<f32>, Error> {
        let call = Attend {
            layer,
            scoring,
            heads: heads.view(),
        };
        attend(&call, self.hooks, self.z.view_mut(), None)
    }

    /// Attention to the cached tokens and the new ones, which join the cache. Gives back what the trace keeps.
    fn attend_cached(
        &mut self,
        scoring: &Scoring<'static>,
        layer: usize,
        heads: Heads,
        keep: Keep,
        cache: &mut KvCache,
    ) -> Result<(Array2<f32>, Heads), Error> {
        let n = heads.q.len_of(Axis(1));
        let copy_if = |keep: bool, of: &Array3<f32>| match keep {
            true => of.clone(),
            false => Array3::zeros((0, 0, 0)),
        };
        let k = copy_if(keep.trace, &heads.k);
        let v = copy_if(keep.trace && keep.values, &heads.v);
        cache.append(layer, heads.k, heads.v);
        let mut workspace = cache.take_workspace();
        let (all_k, all_v) = cache.layer(layer, cache.len() + n);
        let call = Attend {
            layer,
            scoring,
            heads: HeadsView {
                q: heads.q.view(),
                k: all_k,
                v: all_v,
            },
        };
        let lse = attend(&call, self.hooks, self.z.view_mut(), Some(&mut workspace))?;
        cache.give_workspace(workspace);
        Ok((lse, Heads { q: heads.q, k, v }))
    }

    /// Lets the heads' outputs flow back into the hidden states; of the last layer's, only wanted rows.
    fn finish_layer(&mut self, layer: usize, last: bool) -> Result<(), Error> {
        if last {
            self.state.hidden = self.state.hidden.select(Axis(0), self.wanted);
            self.z = self.z.select(Axis(0), self.wanted);
        }
        if self.state.hidden.nrows() == 0 {
            return Ok(());
        }
        self.family
            .finish_layer(layer, &mut self.state.hidden, self.z.view())
    }

    /// The heads' outputs of the layer at hand: \[N, H·d_v\].
    pub(super) fn z(&self) -> &Array2<f32> {
        &self.z
    }

    /// After the last layer: hidden states after the final norm, and logits, of the wanted rows.
    pub(super) fn finish(self) -> Result<(Array2<f32>, Array2<f32>), Error> {
        let vocab = self.family.shape().vocab;
        if self.wanted.is_empty() {
            let d = self.state.hidden.ncols();
            return Ok((Array2::zeros((0, d)), Array2::zeros((0, vocab))));
        }
        self.hooks.before_final_norm(self.state.hidden.view());
        let hidden = self.family.final_norm(self.state.hidden.view());
        let logits = self.family.logits(hidden.view())?;
        for (row, &position) in logits.outer_iter().zip(self.wanted) {
            if !row.iter().all(|logit| logit.is_finite()) {
                return Err(Error::NotFinite { position });
            }
        }
        Ok((hidden, logits))
    }
}
