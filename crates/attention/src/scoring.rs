//! How one score comes from a query and a key: the options that every computation in this crate shares.

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
/// ```
/// use lookback_attention::{Mask, Scoring};
/// let scoring = Scoring::default().with_mask(Mask::None).with_scale(0.125);
/// assert_eq!(scoring.scale, Some(0.125));
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Scoring<'a> {
    /// What `q·k` is multiplied by; `None` stands for 1/√d_k.
    pub scale: Option<f32>,
    /// Which keys a query may see.
    pub mask: Mask,
    /// Bounds the scores to (−cap, cap) by `cap · tanh(s / cap)` (Gemma 2, 2024); finite and above 0.
    pub soft_cap: Option<f32>,
    /// \[H\]: slopes of the linear distance penalty (Press et al., "Train Short, Test Long", 2021); finite.
    pub alibi: Option<&'a [f32]>,
    /// Additive bias, broadcastable to \[B, H, N, M\]: each dimension is the full one or 1, with any strides.
    /// −∞ gives a key weight 0.
    pub bias: Option<ArrayView4<'a, f32>>,
    /// \[H\]: logit of an extra key without a value (Xiao et al., "Efficient Streaming Language Models with
    /// Attention Sinks", 2023); finite or −∞.
    pub sinks: Option<&'a [f32]>,
    /// \[B\]: how many keys of each batch element are real; keys from there on are seen by no query.
    pub key_lengths: Option<&'a [usize]>,
}

impl<'a> Scoring<'a> {
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
    pub fn with_alibi(mut self, slopes: &'a [f32]) -> Self {
        self.alibi = Some(slopes);
        self
    }

    /// Sets the additive bias, broadcastable to \[B, H, N, M\].
    pub fn with_bias(mut self, bias: ArrayView4<'a, f32>) -> Self {
        self.bias = Some(bias);
        self
    }

    /// Sets the sinks' logits, one a query head.
    pub fn with_sinks(mut self, sinks: &'a [f32]) -> Self {
        self.sinks = Some(sinks);
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
        let one = |values: &'a [f32]| values.get(head..head + 1).unwrap_or(&[]);
        Scoring {
            scale: self.scale,
            mask: self.mask,
            soft_cap: self.soft_cap,
            alibi: self.alibi.map(one),
            bias: self
                .bias
                .as_ref()
                .map(|bias| head_of_bias(bias, batch, head)),
            sinks: self.sinks.map(one),
            key_lengths: self
                .key_lengths
                .map(|l| l.get(batch..batch + 1).unwrap_or(&[])),
        }
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

    /// Refuses options that do not fit the shapes or have no meaning.
    pub(crate) fn validate(&self, shape: &Shape) -> Result<(), Error> {
        self.scale_for(shape.d_k)?;
        self.mask.validate()?;
        if let Some(cap) = self.soft_cap
            && !(cap.is_finite() && cap > 0.0)
        {
            return Err(invalid("soft_cap", cap, "it must be finite and above 0"));
        }
        if let Some(slopes) = self.alibi {
            length("alibi", "H", slopes.len(), shape.h)?;
            if let Some(&slope) = slopes.iter().find(|s| !s.is_finite()) {
                return Err(invalid("alibi", slope, "each slope must be finite"));
            }
        }
        if let Some(sinks) = self.sinks {
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
