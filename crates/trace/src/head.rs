//! One head of a trace, and its weights.

use std::ops::Range;

use lookback_attention::Scoring;
use lookback_attention::weights::{highest_weight, weights};
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, CowArray, Ix2};

use crate::layer::Stored;
use crate::row_sum::validate_row_sum;
use crate::{Cut, Error, Trace};

/// How many rows of weights are held at a time where all of a head's are looked through: 64·N numbers, and enough
/// for the weights' matrix product to reuse each key it loads.
const ROWS_AT_A_TIME: usize = 64;

/// One head of a trace, ready to be asked for its weights.
///
/// Queries and keys that are stored in 16 bits are widened once, when the head is taken from the trace
/// ([`Trace::head`]), so that many questions to one `Head` cost less than as many to the trace.
#[derive(Debug)]
pub struct Head<'a> {
    trace: &'a Trace,
    /// The model's numbers of the layer and the head.
    place: (usize, usize),
    stored: &'a Stored,
    /// The head's place among those of the layer that the trace holds.
    at: usize,
    scoring: Scoring<'a>,
    q: CowArray<'a, f32, Ix2>,
    k: CowArray<'a, f32, Ix2>,
    cuts: &'a [Cut],
}

impl Trace {
    /// One head, to be asked many questions.
    ///
    /// # Errors
    /// [`Error::NoSuchLayer`], [`Error::NoSuchHead`].
    pub fn head(&self, layer: usize, head: usize) -> Result<Head<'_>, Error> {
        Head::new(self, layer, head)
    }

    /// The weights of query `i` over all keys: \[M\]. See [`Head::row`].
    ///
    /// # Errors
    /// As [`weights`](Self::weights).
    pub fn row(&self, layer: usize, head: usize, i: usize) -> Result<Array1<f32>, Error> {
        self.head(layer, head)?.row(i)
    }

    /// The weights of some queries on some keys: \[rows, cols\]. See [`Head::weights`].
    ///
    /// # Errors
    /// [`Error::NoSuchLayer`], [`Error::NoSuchHead`], [`Error::NoSuchTokens`]; [`Error::NotAWeight`] where the
    /// trace is damaged.
    pub fn weights(
        &self,
        layer: usize,
        head: usize,
        rows: Range<usize>,
        cols: Range<usize>,
    ) -> Result<Array2<f32>, Error> {
        self.head(layer, head)?.weights(rows, cols)
    }
}

impl<'a> Head<'a> {
    /// A head that exists, with its cut edges in order.
    pub(crate) fn new(trace: &'a Trace, layer: usize, head: usize) -> Result<Self, Error> {
        let (stored, at) = trace.stored(layer, head)?;
        Ok(Self {
            trace,
            place: (layer, head),
            stored,
            at,
            scoring: trace.scoring(layer)?.for_head(0, at),
            q: stored.q.matrix(at),
            k: stored.k.matrix(stored.kv_head(at)),
            cuts: trace.cuts_of(layer, head),
        })
    }

    /// N, the number of queries.
    #[must_use]
    pub fn n(&self) -> usize {
        self.trace.n()
    }

    /// M, the number of keys: N, but in cross-attention.
    #[must_use]
    pub fn m(&self) -> usize {
        self.trace.m()
    }

    /// Queries as the scores use them: \[N, d_k\].
    #[must_use]
    pub fn q(&self) -> ArrayView2<'_, f32> {
        self.q.view()
    }

    /// Keys that this head reads, as the scores use them: \[M, d_k\].
    #[must_use]
    pub fn k(&self) -> ArrayView2<'_, f32> {
        self.k.view()
    }

    /// Values that this head reads: \[M, d_v\]; none where the run kept none.
    #[must_use]
    pub fn v(&self) -> Option<CowArray<'a, f32, Ix2>> {
        let v = self.stored.v.as_ref();
        v.map(|v| v.matrix(self.stored.kv_head(self.at)))
    }

    /// Natural log-sum-exp of each query's scores, a sink's logit included: \[N\].
    #[must_use]
    pub fn lse(&self) -> ArrayView1<'a, f32> {
        self.stored.lse.vector(self.at)
    }

    /// ‖v_j·W_o^h‖ for each key: \[M\]; none where the trace holds none.
    #[must_use]
    pub fn vnorm(&self) -> Option<ArrayView1<'a, f32>> {
        let vnorm = self.stored.vnorm.as_ref();
        vnorm.map(|vnorm| vnorm.vector(self.at))
    }

    /// The weights of query `i` over all keys: \[M\].
    ///
    /// They sum to 1, less what a sink takes; all are 0 where the query sees no key.
    ///
    /// # Errors
    /// As [`weights`](Self::weights).
    pub fn row(&self, i: usize) -> Result<Array1<f32>, Error> {
        // `saturating_add`: a query that does not exist is refused below, whatever its number.
        let rows = i..i.saturating_add(1);
        Ok(self.weights(rows, 0..self.m())?.index_axis_move(Axis(0), 0))
    }

    /// The weights of some queries on some keys: \[rows, cols\], exp(score − lse), and 0 where an edge was cut. None is above 1;
    /// [`Trace::precision`] says how near they are to the truth.
    ///
    /// # Errors
    /// [`Error::NoSuchTokens`], and [`Error::NotAWeight`] or, for whole rows, [`Error::NotARow`] where the trace is
    /// damaged.
    pub fn weights(&self, rows: Range<usize>, cols: Range<usize>) -> Result<Array2<f32>, Error> {
        let weights = self.recompute(rows.clone(), cols.clone())?;
        let whole = cols == (0..self.m()) && self.scoring.sinks.is_none();
        for (i, row) in rows.zip(weights.outer_iter()) {
            self.validate_weights(i, cols.start, row)?;
            if whole {
                validate_row_sum(self.trace, self.place, (i, row))?;
            }
        }
        Ok(weights)
    }

    /// Refuses weights of query `i`, on keys from `first` on, of which one can come from no softmax.
    fn validate_weights(&self, i: usize, first: usize, row: ArrayView1<f32>) -> Result<(), Error> {
        let possible = 0.0..=highest_weight(self.lse()[i]);
        match row.iter().position(|w| !possible.contains(w)) {
            None => Ok(()),
            Some(col) => Err(Error::NotAWeight {
                layer: self.place.0,
                head: self.place.1,
                i,
                j: first + col,
                value: row[col],
            }),
        }
    }

    /// exp(score − lse), whatever comes out; 0 where an edge was cut.
    fn recompute(&self, rows: Range<usize>, cols: Range<usize>) -> Result<Array2<f32>, Error> {
        self.exist(&rows, &cols)?;
        self.check_unchanged()?;
        let (q, k, scoring) = (self.q.view(), self.k.view(), self.scoring());
        let mut weights = weights(q, k, self.lse(), scoring, rows.clone(), cols.clone())?;
        let from = self.cuts.partition_point(|c| c.i < rows.start);
        for cut in self.cuts[from..].iter().take_while(|c| c.i < rows.end) {
            if cols.contains(&cut.j) {
                weights[[cut.i - rows.start, cut.j - cols.start]] = 0.0;
            }
        }
        Ok(weights)
    }

    /// Fails where the file of the trace is no longer what it was.
    pub(crate) fn check_unchanged(&self) -> Result<(), Error> {
        self.trace.check_unchanged()
    }

    /// Refuses queries and keys that are not there.
    pub(crate) fn exist(&self, rows: &Range<usize>, cols: &Range<usize>) -> Result<(), Error> {
        for (what, range, n) in [("queries", rows, self.n()), ("keys", cols, self.m())] {
            if range.start > range.end || range.end > n {
                let range = range.clone();
                return Err(Error::NoSuchTokens { what, range, n });
            }
        }
        Ok(())
    }

    /// How this head's scores are computed, as the attention crate takes it.
    pub(crate) fn scoring(&self) -> &Scoring<'a> {
        &self.scoring
    }

    /// Layer and head, by their numbers in the model.
    pub(crate) fn place(&self) -> (usize, usize) {
        self.place
    }

    /// The head's cut edges, in order.
    pub(crate) fn cuts(&self) -> &'a [Cut] {
        self.cuts
    }

    /// Hands each row of weights to `look`, in order, with O(N) of them in memory.
    pub(crate) fn for_each_row(
        &self,
        rows: Range<usize>,
        mut look: impl FnMut(usize, ArrayView1<f32>),
    ) -> Result<(), Error> {
        for start in rows.clone().step_by(ROWS_AT_A_TIME) {
            let block = start..rows.end.min(start + ROWS_AT_A_TIME);
            let weights = self.weights(block.clone(), 0..self.m())?;
            for (i, row) in block.zip(weights.outer_iter()) {
                look(i, row);
            }
        }
        Ok(())
    }
}
