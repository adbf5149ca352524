//! Observers of a trace's weights: many statistics in one pass, and pictures at any zoom.

use std::ops::Range;

use lookback_attention::InstructionSet;
use lookback_attention::observe::{
    Area, Edge, Observer, PooledTile, QueryBlock, Tile, Walk, observe_on,
};
use lookback_attention::weights::highest_weight;
use ndarray::{Array2, Axis};

use crate::{Cut, Error, Head, Trace};

impl Trace {
    /// Shows all weights of a layer's heads to an observer, each computed once: what it finds, for B = 1 and the H heads, in the order of
    /// [`head_ids`](Self::head_ids).
    ///
    /// Cut edges have weight 0. The observers stand in [`observe`](crate::observe); several of them in a tuple share one
    /// pass.
    ///
    /// # Errors
    /// [`Error::NoSuchLayer`]; [`Error::NotAWeight`] where the trace is damaged; [`Error::Attention`] for what the observer
    /// refuses.
    pub fn observe<O: Observer>(&self, layer: usize, observer: &O) -> Result<O::Output, Error> {
        self.check_unchanged()?;
        let stored = &self.layers()[self.find_layer(layer)?];
        let heads = self.head_ids(layer);
        let (q, k, lse) = (stored.q.heads(), stored.k.heads(), stored.lse.heads());
        let lse = lse.view().remove_axis(Axis(3));
        let cut: Vec<Edge> = self
            .cuts()
            .iter()
            .filter(|cut| cut.layer == layer)
            .filter_map(|cut| Some(edge(cut, heads.binary_search(&cut.head).ok()?)))
            .collect();
        let scoring = &self.scoring(layer)?;
        let call = (q.view(), k.view(), lse);
        let observer = (observer, Validation);
        let (output, impossible) =
            observe_on(InstructionSet::best(), call, scoring, &cut, &observer)?;
        match impossible {
            Some(weight) => Err(weight.error(layer, heads[weight.head])),
            None => Ok(output),
        }
    }
}

impl Head<'_> {
    /// Shows this head's weights to an observer: what it finds, for B = 1 and H = 1. See [`Trace::observe`].
    ///
    /// # Errors
    /// [`Error::NotAWeight`] where the trace is damaged; [`Error::Attention`] for what the observer refuses.
    pub fn observe<O: Observer>(&self, observer: &O) -> Result<O::Output, Error> {
        self.check_unchanged()?;
        let cut: Vec<Edge> = self.cuts().iter().map(|cut| edge(cut, 0)).collect();
        let (q, k, lse) = (self.q(), self.k(), self.lse());
        let call = (
            q.insert_axis(Axis(0)).insert_axis(Axis(0)),
            k.insert_axis(Axis(0)).insert_axis(Axis(0)),
            lse.insert_axis(Axis(0)).insert_axis(Axis(0)),
        );
        let observer = (observer, Validation);
        let (output, impossible) = observe_on(
            InstructionSet::best(),
            call,
            self.scoring(),
            &cut,
            &observer,
        )?;
        match impossible {
            Some(weight) => {
                let (layer, head) = self.place();
                Err(weight.error(layer, head))
            }
            None => Ok(output),
        }
    }

    /// A rectangle of this head's weights pooled to \[height, width\] cells: a picture at any zoom, for which only the
    /// rectangle's own weights are computed.
    ///
    /// # Errors
    /// [`Error::NoSuchTokens`], and as [`observe`](Self::observe).
    pub fn pooled(&self, tile: &PooledTile) -> Result<Array2<f32>, Error> {
        self.exist(&tile.rows, &tile.cols)?;
        let cells = self.observe(tile)?;
        Ok(cells.remove_axis(Axis(0)).remove_axis(Axis(0)))
    }
}

/// A cut edge as the attention crate takes it.
fn edge(cut: &Cut, head: usize) -> Edge {
    Edge {
        batch: 0,
        head,
        query: cut.i,
        key: cut.j,
    }
}

/// Looks for a weight that no softmax yields, among those that others want.
struct Validation;

/// The first such weight of the first head that has one.
struct Impossible {
    head: usize,
    i: usize,
    j: usize,
    value: f32,
}

impl Impossible {
    fn error(&self, layer: usize, head: usize) -> Error {
        let &Impossible { i, j, value, .. } = self;
        Error::NotAWeight {
            layer,
            head,
            i,
            j,
            value,
        }
    }
}

impl Observer for Validation {
    type Block = Option<Impossible>;
    type Output = Option<Impossible>;

    fn start(&self, _: &Walk) -> Result<Self::Output, lookback_attention::Error> {
        Ok(None)
    }

    fn block(&self, _: &QueryBlock) -> Self::Block {
        None
    }

    fn tile(&self, found: &mut Self::Block, tile: &Tile) {
        let lse = &tile.block().lse()[tile.first_in_block()..];
        for ((row, &max), &lse) in tile.iter().zip(tile.row_maxima()).zip(lse) {
            let highest = highest_weight(lse);
            if max <= highest {
                continue;
            }
            let possible = 0.0..=highest;
            let at = row.weights.iter().position(|w| !possible.contains(w));
            if let (Some(at), true) = (at, found.as_ref().is_none_or(|f| row.query < f.i)) {
                *found = Some(Impossible {
                    head: tile.block().head(),
                    i: row.query,
                    j: tile.keys().start + at,
                    value: row.weights[at],
                });
            }
        }
    }

    fn merge(&self, output: &mut Self::Output, _: &QueryBlock, found: Self::Block) {
        let place =
            |at: &Option<Impossible>| at.as_ref().map_or((usize::MAX, 0), |f| (f.head, f.i));
        if place(&found) < place(output) {
            *output = found;
        }
    }

    fn wanted(&self, area: &Area) -> Range<usize> {
        area.none()
    }

    fn wants_row_statistics(&self) -> bool {
        true
    }
}
