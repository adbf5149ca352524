//! One feed-forward network.

use crate::checkpoint::Checkpoint;
use crate::layers::{Inner, Linear, Multiplier, Product, row_chunks};
use crate::spec::{Activation, FeedForwardSpec, Network as Names, Tensor};
use crate::{Error, WeightsKind};

/// act(x·W_up)·W_down, or (act(x·W_gate) · x·W_up)·W_down, with biases within where the specification has them.
pub(super) struct Network {
    activation: Activation,
    gated: bool,
    d_ff: usize,
    /// W_gate | W_up, or W_up
    up: Linear,
    /// As long as a row of `up`'s products, or empty.
    up_bias: Vec<f32>,
    down: Linear,
}

/// How a network's matrices are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    InMemory(WeightsKind),
    /// As they are stored, widened for each use.
    Stored,
}

/// A network with its weights in the form that is fastest for a number of rows.
pub(super) struct Ready<'a> {
    network: &'a Network,
    up: Multiplier<'a>,
    down: Multiplier<'a>,
}

impl Network {
    /// Reads the network of `layer` that `names` names, of inner dimension `d_ff`.
    pub(super) fn load(
        checkpoint: &Checkpoint,
        (layer, names): (usize, Names),
        (spec, d_ff): (&FeedForwardSpec, usize),
        hold: Hold,
    ) -> Result<Self, Error> {
        let up: &[Tensor] = match spec.gated {
            true => &[names.gate(), names.up()],
            false => &[names.up()],
        };
        let name = |tensor: &Tensor| checkpoint.name(Some(layer), *tensor);
        let mut up_bias = Vec::new();
        for tensor in up.iter().filter(|_| spec.bias) {
            let name = name(&tensor.as_bias());
            up_bias.extend(checkpoint.tensor_f32(&name)?.to_vec1::<f32>()?);
        }
        let up: Vec<String> = up.iter().map(name).collect();
        let matrix = |names: &[String]| match hold {
            Hold::InMemory(kind) => Linear::load(checkpoint, names, kind),
            Hold::Stored => Linear::leave_stored(checkpoint, names),
        };
        Ok(Self {
            activation: spec.activation,
            gated: spec.gated,
            d_ff,
            up: matrix(&up)?,
            up_bias,
            down: matrix(&[name(&names.down())])?,
        })
    }

    /// Its matrices.
    pub(super) fn linears(&self) -> [&Linear; 2] {
        [&self.up, &self.down]
    }

    /// Itself, to read `rows` rows.
    pub(super) fn for_rows(&self, rows: usize) -> Result<Ready<'_>, Error> {
        Ok(Ready {
            network: self,
            up: self.up.for_rows(rows)?,
            down: self.down.for_rows(rows)?,
        })
    }

    /// What it makes of `x` \[rows, d\], without the last matrix's bias: \[rows, d\].
    pub(super) fn apply(&self, x: &[f32], rows: usize) -> Result<Vec<f32>, Error> {
        let (ready, d) = (self.for_rows(rows)?, x.len() / rows);
        let mut out = Vec::with_capacity(x.len());
        for chunk in row_chunks(rows) {
            let x = &x[chunk.start * d..chunk.end * d];
            ready
                .apply(x, chunk.len())?
                .read(|product| out.extend_from_slice(product))?;
        }
        Ok(out)
    }
}

impl Ready<'_> {
    /// What the network makes of `x` \[rows, d\], without the last matrix's bias.
    pub(super) fn apply(&self, x: &[f32], rows: usize) -> Result<Product, Error> {
        let inner = Inner {
            activation: self.network.activation,
            gated: self.network.gated,
            bias: &self.network.up_bias,
            d_ff: self.network.d_ff,
        };
        let inner = self.up.times(x, rows)?.read(|x| inner.apply(x))?;
        self.down.times(&inner, rows)
    }
}
