//! The notes' layers, and a last one that points.

use candle_core::{D, Tensor};
use lookback_attention::Mask;

use crate::attention::{Heads, Options, attend_rows};
use crate::config::Config;
use crate::config::NORM_EPS;
use crate::error::Error;
use crate::norm::rms_norm;
use crate::parameters::Parameters;
use crate::parameters::name;
use crate::project::project;
use crate::rotary::Rotation;

/// What a model reads: texts padded at their end to the same length, which a causal model does not see before it.
#[derive(Debug, Clone)]
pub struct Input {
    /// X: \[B, N, d\].
    pub x: Tensor,
    /// \[B\]: the row that is read.
    pub rows: Vec<usize>,
    /// \[B, N, C\]: 1 where a token belongs to a candidate.
    pub candidates: Tensor,
}

/// Layers of attention over embeddings, of which the last points from one row at the candidates.
///
/// ```text
/// for each layer but the last:  x = x + Concat_h(softmax(Q_h·K_hᵀ/√d_k + causal)·V_h)·W_o,   Q, K, V = norm(x)·W
/// pointer:                      mass_hc = Σ_{j ≤ i} softmax_j(q_hi·k_hj/√d_k) · [token j belongs to candidate c]
/// ```
#[derive(Debug, Clone)]
pub struct Pointer {
    config: Config,
    parameters: Parameters,
}

impl Pointer {
    /// A model of these parameters.
    ///
    /// # Errors
    /// [`Error::Setting`] where the configuration has no meaning.
    pub fn new(config: Config, parameters: Parameters) -> Result<Self, Error> {
        config.check()?;
        Ok(Self { config, parameters })
    }

    /// What it is made of.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What is trained.
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The weight that each head of the pointer gives to each candidate: \[B, H, C\].
    ///
    /// # Errors
    /// [`Error::Size`] where the input's parts do not fit together.
    pub fn masses(&self, input: &Input) -> Result<Tensor, Error> {
        let (b, n, d) = input.x.dims3()?;
        let expected = [
            ("embeddings' dimension", d, self.config.d),
            ("number of rows read", input.rows.len(), b),
        ];
        for (what, found, expected) in expected {
            if found != expected {
                return Err(Error::Size {
                    what,
                    found,
                    expected,
                });
            }
        }
        let rotation = self.rotation((0..b).flat_map(|_| 0..n));
        let mut x = input.x.reshape((b * n, d))?;
        for layer in 0..self.config.layers - 1 {
            x = self.attention(layer, &x, b, rotation.as_ref())?;
            x = self.feed_forward(layer, x)?;
        }
        self.point(&x, input, (b, n), rotation.as_ref())
    }

    fn rotation(&self, positions: impl IntoIterator<Item = usize>) -> Option<Rotation> {
        self.config
            .rotary
            .map(|theta| Rotation::new(theta, self.config.d_k, positions))
    }

    /// One layer of the notes: \[B·N, d\] in and out.
    fn attention(
        &self,
        layer: usize,
        x: &Tensor,
        batch: usize,
        rotation: Option<&Rotation>,
    ) -> Result<Tensor, Error> {
        let normed = self.normed(x)?;
        let part = |part| self.project(&normed, layer, "attn_norm", part);
        let (q, k) = (
            rotated(part("attn_q")?, rotation)?,
            rotated(part("attn_k")?, rotation)?,
        );
        let v = part("attn_v")?;
        let options = Options::default().with_scale(self.config.scale());
        let concatenated = attend_rows(&q, &k, &v, self.heads(batch), &options)?;
        let out = concatenated.matmul(self.get(layer, "attn_output")?)?;
        Ok(if self.config.residual {
            (x + out)?
        } else {
            out
        })
    }

    fn feed_forward(&self, layer: usize, x: Tensor) -> Result<Tensor, Error> {
        if self.config.mlp.is_none() {
            return Ok(x);
        }
        let inner = self.project(&self.normed(&x)?, layer, "ffn_norm", "ffn_up")?;
        let out = inner.silu()?.matmul(self.get(layer, "ffn_down")?)?;
        Ok((x + out)?)
    }

    /// The last layer, of which only the rows that are read are computed.
    fn point(
        &self,
        x: &Tensor,
        input: &Input,
        (b, n): (usize, usize),
        rotation: Option<&Rotation>,
    ) -> Result<Tensor, Error> {
        let Config { heads, layers, .. } = self.config;
        let layer = layers - 1;
        let normed = self.normed(x)?;
        let flat = (0..b)
            .zip(&input.rows)
            .map(|(element, row)| (element * n + row) as u32);
        let read = normed.index_select(&Tensor::from_iter(flat, x.device())?, 0)?;
        let here = self.rotation(input.rows.iter().copied());
        let part = |x, part| self.project(x, layer, "attn_norm", part);
        let q = rotated(part(&read, "attn_q")?, here.as_ref())?;
        let k = rotated(part(&normed, "attn_k")?, rotation)?;
        let candidates = input.candidates.dim(D::Minus1)?;
        let options = Options::default()
            .with_mask(Mask::None)
            .with_scale(self.config.scale())
            .with_key_lengths(input.rows.iter().map(|row| row + 1).collect());
        // Each head's values are the candidates' columns.
        let values = input
            .candidates
            .repeat((1, 1, heads))?
            .reshape((b * n, heads * candidates))?;
        let masses = attend_rows(&q, &k, &values, self.heads(b), &options)?;
        Ok(masses.reshape((b, heads, candidates))?)
    }

    /// `batch` texts, as many heads of keys as of queries.
    fn heads(&self, batch: usize) -> Heads {
        Heads {
            batch,
            queries: self.config.heads,
            keys: self.config.heads,
        }
    }

    /// Rows after the norm without its gains, where there is one.
    fn normed(&self, x: &Tensor) -> Result<Tensor, Error> {
        if !self.config.norm {
            return Ok(x.clone());
        }
        rms_norm(x, NORM_EPS)
    }

    /// Normed rows times a matrix whose rows the norm's gains scale: (x·diag(gain))·W = x·(diag(gain)·W).
    fn project(&self, x: &Tensor, layer: usize, norm: &str, part: &str) -> Result<Tensor, Error> {
        let matrix = self.get(layer, part)?;
        if !self.config.norm {
            return project(x, matrix);
        }
        let gain = self.get(layer, norm)?.unsqueeze(1)?;
        project(x, &matrix.broadcast_mul(&gain)?)
    }

    fn get(&self, layer: usize, part: &str) -> Result<&Tensor, Error> {
        Ok(self.parameters.get(&name(layer, part))?.as_tensor())
    }
}

fn rotated(x: Tensor, rotation: Option<&Rotation>) -> Result<Tensor, Error> {
    match rotation {
        Some(rotation) => rotation.turn(&x),
        None => Ok(x),
    }
}

/// The loss of masses \[B, H, 2\] averaged over the heads, for answers \[B\]: cross-entropy on the log of the two masses,
/// plus `coverage` times −log of their sum, which asks for the rest of the row's weight too. With coverage 1 the
/// two together are −log of the answer's own mass. `floor` stands inside each logarithm.
///
/// # Errors
/// [`Error::Tensor`].
pub fn loss(masses: &Tensor, answers: &[u32], coverage: f64, floor: f64) -> Result<Tensor, Error> {
    let pooled = masses.mean(1)?;
    let answers = Tensor::new(answers, masses.device())?;
    let logits = (&pooled + floor)?.log()?;
    let right = candle_nn::loss::cross_entropy(&logits, &answers)?;
    let covered = (pooled.sum(D::Minus1)? + floor)?.log()?.mean_all()?;
    Ok((right - (covered * coverage)?)?)
}
