//! Traces to try things on where no model is at hand: the documentation's examples, and tests.

use lookback_attention::{Mask, reference};
use lookback_trace::{Layer, Meta, Scoring, Trace};
use ndarray::{Array2, Array3, Axis};

use crate::random::SplitMix;

/// The sentence of the notes.
pub const SENTENCE: &str = "Vatsal studies a lot, Madd does not. Yet he gets high scores in test.";

/// What an example's trace is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// The text.
    pub text: String,
    /// How many prefix tokens come before it.
    pub prefix_tokens: usize,
    /// How many layers there are.
    pub layers: usize,
    /// H, the query heads of a layer; two of them share a key head where H is even.
    pub heads: usize,
    /// Which keys a query sees, in every layer.
    pub mask: Mask,
    /// Queries and keys follow from this number.
    pub seed: u64,
}

impl Default for Example {
    fn default() -> Self {
        Self {
            text: SENTENCE.to_owned(),
            prefix_tokens: 1,
            layers: 3,
            heads: 2,
            mask: Mask::Causal { offset: 0 },
            seed: 1,
        }
    }
}

/// d_k of the examples.
const D_K: usize = 4;

impl Example {
    /// A trace of made-up queries and keys: its weights mean nothing, but they are weights.
    ///
    /// Tokens are words with the space before them; of words with more than three letters the first three are a
    /// token of their own.
    ///
    /// ```
    /// let trace = lookback_heads::example::Example::default().trace();
    /// assert_eq!(trace.words().get(0).unwrap().tokens, 1..3);
    /// assert!((trace.row(0, 0, 9)?.sum() - 1.0).abs() < 1e-5);
    /// # Ok::<(), lookback_trace::Error>(())
    /// ```
    ///
    /// # Panics
    /// Where there is no layer, no head, or no token.
    #[must_use]
    pub fn trace(&self) -> Trace {
        let spans = self.spans();
        let n = spans.len();
        let mut numbers = Numbers(SplitMix::new(self.seed));
        let layers: Vec<Layer> = (0..self.layers)
            .map(|_| self.layer(n, &mut numbers))
            .collect();
        let meta = Meta {
            model: "example".to_owned(),
            library: concat!("lookback ", env!("CARGO_PKG_VERSION")).to_owned(),
            text: self.text.clone(),
            tokens: (0..n as u32).collect(),
            spans,
            prefix_tokens: self.prefix_tokens,
            layers: vec![Scoring::new(scale(), self.mask.clone()); self.layers],
            ..Meta::default()
        };
        Trace::new(meta, layers).expect("the example is consistent")
    }

    /// The spans of the prefix and of the text's tokens.
    fn spans(&self) -> Vec<(usize, usize)> {
        let of_word = |c: char| c.is_alphanumeric() || c == '\'';
        let mut spans = vec![(0, 0); self.prefix_tokens];
        let (mut start, mut letters, mut previous) = (0, 0, None);
        for (at, c) in self.text.char_indices() {
            let joins = previous == Some(' ') || (of_word(c) && previous.is_some_and(of_word));
            if at > start && (c == ' ' || !joins || letters == 3) {
                spans.push((start, at));
                start = at;
            }
            letters = if of_word(c) { letters + 1 } else { 0 };
            previous = Some(c);
        }
        if start < self.text.len() {
            spans.push((start, self.text.len()));
        }
        spans
    }

    fn layer(&self, n: usize, numbers: &mut Numbers) -> Layer {
        let kv_heads = if self.heads.is_multiple_of(2) {
            self.heads / 2
        } else {
            self.heads
        };
        let q = Array3::from_shape_simple_fn((self.heads, n, D_K), || numbers.next());
        let k = Array3::from_shape_simple_fn((kv_heads, n, D_K), || numbers.next());
        let mut lse = Array2::zeros((self.heads, n));
        for (head, mut row) in lse.rows_mut().into_iter().enumerate() {
            let (q, k) = (
                q.index_axis(Axis(0), head),
                k.index_axis(Axis(0), head * kv_heads / self.heads),
            );
            row.assign(&self.log_sum_exp(&q.mapv(f64::from), &k.mapv(f64::from)));
        }
        Layer {
            q,
            k,
            lse,
            vnorm: Some(Array2::ones((self.heads, n))),
            ..Layer::default()
        }
    }

    fn log_sum_exp(&self, q: &Array2<f64>, k: &Array2<f64>) -> ndarray::Array1<f32> {
        let lse = reference::scores(q.view(), k.view())
            .and_then(|s| reference::scale(s.view(), scale().into()))
            .and_then(|s| reference::mask(s.view(), &self.mask))
            .and_then(|s| reference::log_sum_exp(s.view()))
            .expect("the shapes fit");
        lse.mapv(|l| l as f32)
    }
}

fn scale() -> f32 {
    1.0 / (D_K as f32).sqrt()
}

/// Numbers from −3 to 3 that follow from a seed.
struct Numbers(SplitMix);

impl Numbers {
    fn next(&mut self) -> f32 {
        6.0 * (self.0.next_u64() >> 40) as f32 / (1_u64 << 24) as f32 - 3.0
    }
}
