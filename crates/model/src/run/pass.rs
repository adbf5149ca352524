//! One pass of new tokens through the layers: of one text, or of several packed one after the other.

use std::ops::{ControlFlow, Range};

use lookback_trace::Layer;
use ndarray::{Array2, Array3, Axis, s};

use super::attend::{Attend, attend};
use super::heads::{Heads, HeadsView};
use super::{Hooks, KvCache, PrefillOptions, intervene};
use crate::Error;
use crate::engine::{Activations, Engine, HeadsMut};

/// A text's part in a pass.
#[derive(Clone, Copy)]
pub(super) struct Text<'a> {
    /// The new tokens.
    pub(super) tokens: &'a [u32],
    /// Position of the first of them.
    pub(super) first: usize,
    pub(super) hooks: &'a dyn Hooks,
    /// Rows that are needed after the last layer; the others are not carried through its feed-forward part.
    pub(super) wanted: &'a [usize],
}

/// Tokens on their way through the layers.
pub(super) struct Pass<'a> {
    engine: &'a Engine,
    texts: Vec<Text<'a>>,
    /// The rows of each text.
    rows: Vec<Range<usize>>,
    state: Activations,
    /// The heads' outputs of the layer at hand: \[N, H·d_v\].
    z: Array2<f32>,
}

/// Of one text: hidden states after the final norm \[wanted, d\], and logits \[wanted, vocabulary\].
pub(super) type Finished = (Array2<f32>, Array2<f32>);

/// What a pass does with a layer's queries, keys and values.
#[derive(Clone, Copy)]
pub(super) struct Keep {
    /// Keep what a trace needs.
    pub(super) trace: bool,
    /// Keep V in it.
    pub(super) values: bool,
}

impl Keep {
    pub(super) const NOTHING: Self = Self {
        trace: false,
        values: false,
    };

    pub(super) fn of(options: &PrefillOptions) -> Self {
        Self {
            trace: options.trace,
            values: options.keep_v,
        }
    }
}

impl<'a> Pass<'a> {
    /// All texts before the first layer.
    pub(super) fn begin(engine: &'a Engine, texts: Vec<Text<'a>>) -> Result<Self, Error> {
        let spec = engine.spec();
        let mut rows = Vec::with_capacity(texts.len());
        let mut total = 0;
        for text in &texts {
            rows.push(total..total + text.tokens.len());
            total += text.tokens.len();
        }
        let runs: Vec<_> = texts.iter().map(|text| (text.tokens, text.first)).collect();
        Ok(Self {
            engine,
            rows,
            state: engine.begin(&runs)?,
            z: Array2::zeros((total, spec.heads * spec.head_dim)),
            texts,
        })
    }

    /// What enters the next layer.
    pub(super) fn state(&self) -> &Activations {
        &self.state
    }

    /// Takes all tokens through layer `layer`; the keys and values of a text that is alone go into `cache`. Gives what is
    /// kept of each text.
    pub(super) fn layer(
        &mut self,
        layer: usize,
        keep: Keep,
        cache: Option<&mut KvCache>,
    ) -> Result<Vec<Layer>, Error> {
        let layers = self.engine.spec().layers.len();
        for text in &self.texts {
            if let ControlFlow::Break(()) = text.hooks.before_layer(layer, layers) {
                return Err(Error::Cancelled { layer });
            }
        }
        let mut heads = self.project(layer)?;
        self.patch(layer, &mut heads);
        let vnorm = match keep.trace {
            true => Some(self.engine.value_norms(layer, heads.v.view())?),
            false => None,
        };
        let (lse, kept) = match cache {
            None => (self.attend(layer, &heads)?, heads),
            Some(cache) => self.attend_cached(layer, heads, keep, cache)?,
        };
        if layer + 1 < layers {
            self.finish_layer(layer)?;
        }
        Ok(match vnorm {
            Some(vnorm) => self.kept(keep, kept, lse, vnorm),
            None => Vec::new(),
        })
    }

    /// Queries, keys and values of layer `layer`, of all texts.
    pub(super) fn project(&self, layer: usize) -> Result<Heads, Error> {
        let spec = self.engine.spec();
        let (heads, kv_heads, d_k) = (spec.heads, spec.kv_heads, spec.head_dim);
        let n = self.state.hidden.nrows();
        let mut out = Heads {
            q: Array3::zeros((heads, n, d_k)),
            k: Array3::zeros((kv_heads, n, d_k)),
            v: Array3::zeros((kv_heads, n, d_k)),
        };
        self.engine
            .project(layer, &self.state, views_of(&mut out))?;
        Ok(out)
    }

    /// Puts patched queries, keys and values in their places.
    fn patch(&self, layer: usize, heads: &mut Heads) {
        for (text, rows) in self.texts.iter().zip(&self.rows) {
            if let Some(interventions) = text.hooks.interventions() {
                let of_text = &mut views_of(heads);
                let of_text = of_text.rows(rows.clone());
                intervene::patch_projections(interventions, layer, text.first, of_text);
            }
        }
    }

    /// Attention within each text, among the new tokens alone; gives the log-sum-exps \[H, N\].
    pub(super) fn attend(&mut self, layer: usize, heads: &Heads) -> Result<Array2<f32>, Error> {
        let mut lse = Array2::zeros((heads.q.dim().0, heads.q.dim().1));
        for (text, rows) in self.texts.iter().zip(&self.rows) {
            let of_text = s![.., rows.clone(), ..];
            let call = Attend {
                layer,
                scoring: self.engine.scoring(layer),
                heads: HeadsView {
                    q: heads.q.slice(of_text),
                    k: heads.k.slice(of_text),
                    v: heads.v.slice(of_text),
                },
            };
            let z = self.z.slice_mut(s![rows.clone(), ..]);
            let found = attend(&call, text.hooks, z, None)?;
            lse.slice_mut(s![.., rows.clone()]).assign(&found);
        }
        Ok(lse)
    }

    /// Attention of the only text to the cached tokens and the new ones, which join the cache. Gives back what the trace keeps.
    fn attend_cached(
        &mut self,
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
            scoring: self.engine.scoring(layer),
            heads: HeadsView {
                q: heads.q.view(),
                k: all_k,
                v: all_v,
            },
        };
        let hooks = self.texts[0].hooks;
        let lse = attend(&call, hooks, self.z.view_mut(), Some(&mut workspace))?;
        cache.give_workspace(workspace);
        Ok((lse, Heads { q: heads.q, k, v }))
    }

    /// What a trace keeps of a layer, text by text.
    fn kept(&self, keep: Keep, heads: Heads, lse: Array2<f32>, vnorm: Array2<f32>) -> Vec<Layer> {
        if let [_] = self.texts[..] {
            return vec![Layer {
                q: heads.q,
                k: heads.k,
                lse,
                vnorm: Some(vnorm),
                bias: None,
                v: keep.values.then_some(heads.v),
            }];
        }
        let of = |rows: &Range<usize>| {
            let of_heads = s![.., rows.clone(), ..];
            let of_rows = s![.., rows.clone()];
            Layer {
                q: heads.q.slice(of_heads).to_owned(),
                k: heads.k.slice(of_heads).to_owned(),
                lse: lse.slice(of_rows).to_owned(),
                vnorm: Some(vnorm.slice(of_rows).to_owned()),
                bias: None,
                v: keep.values.then(|| heads.v.slice(of_heads).to_owned()),
            }
        };
        self.rows.iter().map(of).collect()
    }

    /// Lets the heads' outputs flow back into the hidden states.
    fn finish_layer(&mut self, layer: usize) -> Result<(), Error> {
        self.engine
            .finish_layer(layer, &mut self.state.hidden, self.z.view())
    }

    /// The heads' outputs of the layer at hand: \[N, H·d_v\].
    pub(super) fn z(&self) -> &Array2<f32> {
        &self.z
    }

    /// Lets the last layer's outputs flow back, of the wanted rows alone, and gives of each text their hidden states after the
    /// final norm, and their logits.
    ///
    /// Text by text: a product of one row is computed in another order than one of several, and each text is to give the bits
    /// that it gives alone.
    pub(super) fn finish(self) -> Result<Vec<Finished>, Error> {
        let texts = self.texts.iter().zip(&self.rows);
        texts
            .map(|(text, rows)| self.finish_text(text, rows.start))
            .collect()
    }

    fn finish_text(&self, text: &Text, start: usize) -> Result<Finished, Error> {
        let (spec, d) = (self.engine.spec(), self.state.hidden.ncols());
        if text.wanted.is_empty() {
            return Ok((Array2::zeros((0, d)), Array2::zeros((0, spec.vocab))));
        }
        let wanted: Vec<usize> = text.wanted.iter().map(|row| start + row).collect();
        let mut hidden = self.state.hidden.select(Axis(0), &wanted);
        let z = self.z.select(Axis(0), &wanted);
        self.engine
            .finish_layer(spec.layers.len() - 1, &mut hidden, z.view())?;
        text.hooks.before_final_norm(hidden.view());
        let hidden = self.engine.final_norm(hidden.view());
        let logits = self.engine.logits(hidden.view())?;
        for (row, &position) in logits.outer_iter().zip(text.wanted) {
            if !row.iter().all(|logit| logit.is_finite()) {
                return Err(Error::NotFinite { position });
            }
        }
        Ok((hidden, logits))
    }
}

fn views_of(heads: &mut Heads) -> HeadsMut<'_> {
    HeadsMut {
        q: heads.q.view_mut(),
        k: heads.k.view_mut(),
        v: heads.v.view_mut(),
    }
}
