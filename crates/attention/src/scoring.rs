//! How one score comes from a query and a key: the options that every computation in this crate shares.

use std::borrow::Cow;

use ndarray::{ArrayView2, ArrayView4, Axis};

use crate::shape::Shape;
use crate::{Error, Mask};

/// How a score is computed from `q·k`, and which keys are seen.
///
/// In order, with natural-log units throughout:
///
/// 1. `s = scale · q·k`
/// 2. `s = cap · tanh(s / cap)`, if there is a [soft cap](Scoring::soft_cap)
/// 3. `s = s − slope_h · |i + offset − j|`, if there are [ALiBi slopes](Scoring::alibi)
/// 4. `s = s + bias[b, h, i, j]`, if there is a [bias](Scoring::bias)
/// 5. only the keys that the [mask](Scoring::mask) and the [key lengths](Scoring::key_lengths) allow take part.
///
/// A [sink](Scoring::sinks) then adds `exp(sink_h)` to the softmax's denominator, and so to the LSE.
///
/// One type says this to the kernels, of a model's layer, and in a trace. Slopes and sinks may be borrowed or owned; a layer's
/// own `Scoring<'static>` owns them. A bias and key lengths belong to one call and are borrowed.
///
/// ```
/// use lookback_attention::{Mask, Scoring};
/// let scoring = Scoring::default().with_mask(Mask::None).with_scale(0.125);
/// assert_eq!(scoring.scale, Some(0.125));
/// let owned: Scoring<'static> = Scoring::new(0.125, Mask::default()).with_sinks(vec![0.5, -1.0]);
/// assert_eq!(owned.for_head(0, 1).sinks.as_deref(), Some(&[-1.0][..]));
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Scoring<'a> {
    /// What `q·k` is multiplied by; `None` stands for 1/√d_k.
    pub scale: Option<f32>,
    /// Which keys a query may see.
    pub mask: Mask,
    /// Bounds the scores to (−cap, cap) by `cap · tanh(s / cap)` (Gemma 2, 2024); finite and above 0.
    pub soft_cap: Option<f32>,
    /// \[H\]: slopes of the linear distance penalty (Press et al., "Train Short, Test Long", 2021); finite.
    pub alibi: Option<Cow<'a, [f32]>>,
    /// Additive bias, broadcastable to \[B, H, N, M\]: each dimension is the full one or 1, with any strides.
    /// −∞ gives a key weight 0.
    pub bias: Option<ArrayView4<'a, f32>>,
    /// \[H\]: logit of an extra key without a value (Xiao et al., "Efficient Streaming Language Models with
    /// Attention Sinks", 2023); finite or −∞.
    pub sinks: Option<Cow<'a, [f32]>>,
    /// \[B\]: how many keys of each batch element are real; keys from there on are seen by no query.
    pub key_lengths: Option<&'a [usize]>,
}

impl<'a> Scoring<'a> {
    /// A scale and a mask, and nothing else done to the scores.
    pub fn new(scale: f32, mask: Mask) -> Self {
        Self::default().with_scale(scale).with_mask(mask)
    }

    /// Multiplies `q·k` by `scale` instead of 1/√d_k.
    pub fn with_scale(mut self, scale: f32) -> Self {
        self.scale = Some(scale);
        self
    }

    /// Chooses which keys a query may see.
    pub fn with_mask(mut self, mask: Mask) -> Self {
        self.mask = mask;
        self
    }

    /// Bounds the scores to (−cap, cap).
    pub fn with_soft_cap(mut self, cap: f32) -> Self {
        self.soft_cap = Some(cap);
        self
    }

    /// Sets the ALiBi slopes, one a query head.
    pub fn with_alibi(mut self, slopes: impl Into<Cow<'a, [f32]>>) -> Self {
        self.alibi = Some(slopes.into());
        self
    }

    /// Sets the additive bias, broadcastable to \[B, H, N, M\].
    pub fn with_bias(mut self, bias: ArrayView4<'a, f32>) -> Self {
        self.bias = Some(bias);
        self
    }

    /// Sets the sinks' logits, one a query head.
    pub fn with_sinks(mut self, sinks: impl Into<Cow<'a, [f32]>>) -> Self {
        self.sinks = Some(sinks.into());
        self
    }

    /// Sets how many keys of each batch element are real.
    pub fn with_key_lengths(mut self, lengths: &'a [usize]) -> Self {
        self.key_lengths = Some(lengths);
        self
    }

    /// The same scoring for one batch element and query head alone, for functions that take a single head.
    ///
    /// Options with one entry for all keep it; an index beyond an option's entries leaves that option empty,
    /// which the function that is then called refuses.
    pub fn for_head(&self, batch: usize, head: usize) -> Scoring<'a> {
        let one = |values: &Cow<'a, [f32]>| match values {
            Cow::Borrowed(values) => Cow::Borrowed(values.get(head..head + 1).unwrap_or(&[])),
            Cow::Owned(values) => Cow::Owned(values.get(head).copied().into_iter().collect()),
        };
        Scoring {
            scale: self.scale,
            mask: self.mask.clone(),
            soft_cap: self.soft_cap,
            alibi: self.alibi.as_ref().map(one),
            bias: self
                .bias
                .as_ref()
                .map(|bias| head_of_bias(bias, batch, head)),
            sinks: self.sinks.as_ref().map(one),
            key_lengths: self
                .key_lengths
                .map(|l| l.get(batch..batch + 1).unwrap_or(&[])),
        }
    }

    /// The logit of a head's sink; −∞ without one.
    pub fn sink(&self, head: usize) -> f64 {
        let sinks = self.sinks.as_deref();
        sinks.map_or(f64::NEG_INFINITY, |sinks| sinks[head].into())
    }

    /// Steps 1 to 3 in f64: the score of query `i` on key `j`, which it may see, from `product`, their `q·k` of d_k terms. The bias
    /// and the mask are left to the caller.
    ///
    /// ```
    /// use lookback_attention::{Mask, Scoring};
    /// let scoring = Scoring::new(0.5, Mask::default()).with_alibi(vec![0.25]);
    /// assert_eq!(scoring.score(6.0, 4, 0, (5, 3)), 6.0 * 0.5 - 0.25 * 2.0);
    /// ```
    ///
    /// # Panics
    /// Where there are slopes and none of `head`.
    pub fn score(&self, product: f64, d_k: usize, head: usize, (i, j): (usize, usize)) -> f64 {
        let mut score = product * self.scale_in_f64(d_k);
        if let Some(cap) = self.soft_cap.map(f64::from) {
            score = cap * (score / cap).tanh();
        }
        if let Some(slopes) = &self.alibi {
            let distance = (i as f64 + self.mask.offset() as f64 - j as f64).abs();
            score -= f64::from(slopes[head]) * distance;
        }
        score
    }

    /// The factor of `q·k` in f64.
    pub(crate) fn scale_in_f64(&self, d_k: usize) -> f64 {
        self.scale.map_or(1.0 / (d_k as f64).sqrt(), f64::from)
    }

    /// The factor of `q·k` for head dimension `d_k`.
    ///
    /// # Errors
    /// [`Error::NonFiniteScale`] if the scale given is NaN or infinite.
    pub fn scale_for(&self, d_k: usize) -> Result<f32, Error> {
        let scale = self.scale.unwrap_or(1.0 / (d_k as f32).sqrt());
        if scale.is_finite() {
            Ok(scale)
        } else {
            Err(Error::NonFiniteScale {
                scale: scale.into(),
            })
        }
    }

    /// The bias of a query head of a batch element for query `i` and key `j`; 0 without one. Dimensions of 1 stand for all; 0 beyond
    /// its entries too.
    ///
    /// ```
    /// use lookback_attention::Scoring;
    /// use ndarray::array;
    /// let bias = array![[[[0.0, 1.5, 2.0]]]];
    /// let scoring = Scoring::default().with_bias(bias.view());
    /// assert_eq!(scoring.bias_of((0, 7), (4, 1)), 1.5);
    /// ```
    pub fn bias_of(&self, (batch, head): (usize, usize), (i, j): (usize, usize)) -> f32 {
        let place = |at: usize, len: usize| if len == 1 { 0 } else { at };
        let value = self.bias.as_ref().and_then(|bias| {
            let (b, h, n, m) = bias.dim();
            bias.get([place(batch, b), place(head, h), place(i, n), place(j, m)])
        });
        value.copied().unwrap_or(0.0)
    }

    /// Refuses options that do not fit the shapes or have no meaning.
    pub(crate) fn validate(&self, shape: &Shape) -> Result<(), Error> {
        self.mask.validate(shape.n)?;
        self.validate_options(shape)
    }

    /// [`validate`](Self::validate) without the mask, for sequences that each have theirs.
    pub(crate) fn validate_options(&self, shape: &Shape) -> Result<(), Error> {
        self.scale_for(shape.d_k)?;
        if let Some(cap) = self.soft_cap
            && !(cap.is_finite() && cap > 0.0)
        {
            return Err(invalid("soft_cap", cap, "it must be finite and above 0"));
        }
        if let Some(slopes) = self.alibi.as_deref() {
            length("alibi", "H", slopes.len(), shape.h)?;
            if let Some(&slope) = slopes.iter().find(|s| !s.is_finite()) {
                return Err(invalid("alibi", slope, "each slope must be finite"));
            }
        }
        if let Some(sinks) = self.sinks.as_deref() {
            length("sinks", "H", sinks.len(), shape.h)?;
            if let Some(&sink) = sinks.iter().find(|s| s.is_nan() || **s == f32::INFINITY) {
                return Err(invalid("sinks", sink, "each logit must be finite or -inf"));
            }
        }
        if let Some(lengths) = self.key_lengths {
            length("key_lengths", "B", lengths.len(), shape.b)?;
            if let Some(&end) = lengths.iter().find(|&&l| l > shape.m) {
                return Err(Error::RangeOutOfBounds {
                    what: "keys",
                    start: 0,
                    end,
                    len: shape.m,
                });
            }
        }
        self.validate_bias(shape)
    }

    /// Refuses a bias that cannot be broadcast to \[B, H, N, M\].
    fn validate_bias(&self, shape: &Shape) -> Result<(), Error> {
        let Some(bias) = &self.bias else {
            return Ok(());
        };
        let expected = [
            ("B", shape.b),
            ("H", shape.h),
            ("N", shape.n),
            ("M", shape.m),
        ];
        for ((dimension, expected), &found) in expected.into_iter().zip(bias.shape()) {
            if found != 1 {
                length("bias", dimension, found, expected)?;
            }
        }
        Ok(())
    }

    /// How many of `m` keys of batch element `b` are real.
    pub(crate) fn key_length(&self, b: usize, m: usize) -> usize {
        self.key_lengths.map_or(m, |lengths| lengths[b])
    }

    /// The bias \[N, M\] of one head, dimensions of 1 repeated by a stride of 0; the scoring is validated.
    pub(crate) fn bias_of_head(
        &self,
        shape: &Shape,
        b: usize,
        h: usize,
    ) -> Option<ArrayView2<'_, f32>> {
        let full = (shape.b, shape.h, shape.n, shape.m);
        let bias = self.bias.as_ref()?.broadcast(full)?;
        Some(bias.index_axis_move(Axis(0), b).index_axis_move(Axis(0), h))
    }
}

/// An option's value that has no meaning.
fn invalid(option: &'static str, value: f32, expected: &'static str) -> Error {
    Error::InvalidOption {
        option,
        value: value.into(),
        expected,
    }
}

/// Refuses an option with a wrong number of entries.
fn length(
    option: &'static str,
    dimension: &'static str,
    found: usize,
    expected: usize,
) -> Result<(), Error> {
    if found == expected {
        Ok(())
    } else {
        Err(Error::OptionLength {
            option,
            dimension,
            found,
            expected,
        })
    }
}

/// Batch element `batch` and head `head` of a bias whose first two dimensions may be 1.
fn head_of_bias<'a>(bias: &ArrayView4<'a, f32>, batch: usize, head: usize) -> ArrayView4<'a, f32> {
    let (b, h, _, _) = bias.dim();
    let pick = |len: usize, at: usize| match len {
        0 | 1 => 0..len,
        _ => at.min(len)..(at + 1).min(len),
    };
    let (batch, head) = (pick(b, batch), pick(h, head));
    (*bias).slice_move(ndarray::s![batch, head, .., ..])
}
