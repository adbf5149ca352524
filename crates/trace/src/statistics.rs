//! Statistics of one head's weights, each from blocks of rows: time O(N²), memory O(N).

use std::ops::Range;

use ndarray::{Array1, ArrayView1};

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
        let mut lists = Vec::with_capacity(self.n());
        self.for_each_row(0..self.n(), |_, row| lists.push(top_k(row, count)))?;
        Ok(lists)
    }

    /// The entropy of query `i`'s weights in nats, −Σ_j w_j·ln w_j over the keys (a sink is not among them); NaN
    /// where the query sees no key, for then there is none.
    ///
    /// # Errors
    /// As [`weights`](Head::weights).
    pub fn entropy(&self, i: usize) -> Result<f32, Error> {
        Ok(entropy(self.row(i)?.view(), self.lse()[i]))
    }

    /// [`entropy`](Self::entropy) of every query: \[N\].
    ///
    /// # Errors
    /// As [`weights`](Head::weights).
    pub fn entropy_rows(&self) -> Result<Array1<f32>, Error> {
        let mut entropies = Array1::zeros(self.n());
        let lse = self.lse();
        self.for_each_row(0..self.n(), |i, row| entropies[i] = entropy(row, lse[i]))?;
        Ok(entropies)
    }

    /// How much of query `i`'s weight lies on each span of keys.
    ///
    /// # Errors
    /// [`Error::NoSuchTokens`] for a span that reaches beyond the tokens, and as [`weights`](Head::weights).
    pub fn span_mass(&self, i: usize, spans: &[Range<usize>]) -> Result<Vec<f32>, Error> {
        for span in spans {
            if span.start > span.end || span.end > self.n() {
                let (what, range, n) = ("keys", span.clone(), self.n());
                return Err(Error::NoSuchTokens { what, range, n });
            }
        }
        let row = self.row(i)?;
        let mass = |span: &Range<usize>| sum(row.slice(ndarray::s![span.clone()]).iter().copied());
        Ok(spans.iter().map(|span| mass(span) as f32).collect())
    }

    /// The weight that each key receives, summed over all queries: \[N\].
    ///
    /// # Errors
    /// As [`weights`](Head::weights).
    pub fn received(&self) -> Result<Array1<f32>, Error> {
        let mut received = Array1::<f64>::zeros(self.n());
        self.for_each_row(0..self.n(), |_, row| {
            received.zip_mut_with(&row, |sum, &w| *sum += f64::from(w));
        })?;
        Ok(received.mapv(|sum| sum as f32))
    }
}

/// A sum of f32 in f64, in the order given.
pub(crate) fn sum(values: impl IntoIterator<Item = f32>) -> f64 {
    values.into_iter().map(f64::from).sum()
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

/// The entropy of one row, in nats.
fn entropy(row: ArrayView1<f32>, lse: f32) -> f32 {
    if lse == f32::NEG_INFINITY || row.iter().all(|&w| w == 0.0) {
        return f32::NAN;
    }
    let terms = row.iter().map(|&w| f64::from(w)).filter(|&w| w > 0.0);
    let entropy: f64 = terms.map(|w| -w * w.ln()).sum();
    // Weights that rounding carried above 1 would make it a hair negative.
    entropy.max(0.0) as f32
}
