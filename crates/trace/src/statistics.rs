//! Statistics of one head's weights: time O(N²), memory O(N).

use std::ops::Range;

use lookback_attention::observe::{Entropy, Received, TopK, Within};
use ndarray::{Array1, ArrayView1, Axis};

use crate::row_sum::sum;
use crate::{Error, Head};

impl Head<'_> {
    /// The `count` keys that query `i` looks at most, as (key, weight), heaviest first and the earlier key first
    /// among equals. Keys of weight 0 are not listed, so that there may be fewer.
    ///
    /// # Errors
    /// As [`weights`](Head::weights).
    pub fn top_k(&self, i: usize, count: usize) -> Result<Vec<(usize, f32)>, Error> {
        Ok(top_k(self.row(i)?.view(), count))
    }

    /// [`top_k`](Self::top_k) of every query: N lists.
    ///
    /// # Errors
    /// As [`weights`](Head::weights).
    pub fn top_k_rows(&self, count: usize) -> Result<Vec<Vec<(usize, f32)>>, Error> {
        let heaviest = self.observe(&TopK::by_weight(count))?;
        Ok((0..self.n())
            .map(|i| heaviest.list(0, 0, i).collect())
            .collect())
    }

    /// The entropy of query `i`'s weights in nats, −Σ_j w_j·ln w_j over the keys (a sink is not among them); NaN
    /// where the query sees no key, for then there is none.
    ///
    /// # Errors
    /// As [`weights`](Head::weights).
    pub fn entropy(&self, i: usize) -> Result<f32, Error> {
        let rows = i..i.saturating_add(1);
        self.exist(&rows, &(0..self.m()))?;
        let observer = Entropy;
        Ok(self.observe(&Within { rows, observer })?[[0, 0, i]])
    }

    /// [`entropy`](Self::entropy) of every query: \[N\].
    ///
    /// # Errors
    /// As [`weights`](Head::weights).
    pub fn entropy_rows(&self) -> Result<Array1<f32>, Error> {
        let entropies = self.observe(&Entropy)?;
        Ok(entropies.remove_axis(Axis(0)).remove_axis(Axis(0)))
    }

    /// How much of query `i`'s weight lies on each span of keys.
    ///
    /// # Errors
    /// [`Error::NoSuchTokens`] for a span that reaches beyond the tokens, and as [`weights`](Head::weights).
    pub fn span_mass(&self, i: usize, spans: &[Range<usize>]) -> Result<Vec<f32>, Error> {
        for span in spans {
            if span.start > span.end || span.end > self.m() {
                let (what, range, n) = ("keys", span.clone(), self.m());
                return Err(Error::NoSuchTokens { what, range, n });
            }
        }
        let row = self.row(i)?;
        let mass = |span: &Range<usize>| sum(row.slice(ndarray::s![span.clone()]).iter().copied());
        // Where f32 cannot tell the LSE of large scores, a row may sum to more than 1.
        Ok(spans
            .iter()
            .map(|span| mass(span).min(1.0) as f32)
            .collect())
    }

    /// The weight that each key receives, summed over all queries: \[M\].
    ///
    /// # Errors
    /// As [`weights`](Head::weights).
    pub fn received(&self) -> Result<Array1<f32>, Error> {
        let received = self.observe(&Received)?.mapv(|sum| sum as f32);
        Ok(received.remove_axis(Axis(0)).remove_axis(Axis(0)))
    }
}

/// The heaviest keys of one row.
fn top_k(row: ArrayView1<f32>, count: usize) -> Vec<(usize, f32)> {
    let mut keys: Vec<(usize, f32)> = row.iter().copied().enumerate().collect();
    keys.retain(|&(_, weight)| weight > 0.0);
    let heavier = |a: &(usize, f32), b: &(usize, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    if count < keys.len() {
        keys.select_nth_unstable_by(count, heavier);
        keys.truncate(count);
    }
    keys.sort_unstable_by(heavier);
    keys
}
