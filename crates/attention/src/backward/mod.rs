//! Fused gradients: dQ, dK, dV and those of the bias and the sinks, without the N×M weights.

#![expect(
    clippy::needless_range_loop,
    reason = "loops over a tile have constant bounds, so that they unroll"
)]

mod bias;
mod call;
mod columns;
mod keys;
mod pack;
mod partition;
mod plan;
mod products;
mod queries;
mod shares;
mod task;
mod tiles;
mod visible;
mod write;

pub use call::{Gradients, GradientsMut, Inputs, Options};

use crate::isa::InstructionSet;
use crate::{Error, Scoring};

/// The gradients of a loss with respect to everything that [`forward`](crate::forward::forward()) took.
///
/// # Errors
/// Shapes that do not fit, zero sizes and meaningless options, each as its own [`Error`] variant.
pub fn backward(inputs: &Inputs, options: &Options, scoring: &Scoring) -> Result<Gradients, Error> {
    backward_on(InstructionSet::best(), inputs, options, scoring)
}

/// [`backward`] on a chosen instruction set: for tests and measurements.
///
/// # Errors
/// As [`backward`].
pub fn backward_on(
    set: InstructionSet,
    inputs: &Inputs,
    options: &Options,
    scoring: &Scoring,
) -> Result<Gradients, Error> {
    let shape = inputs.validate(options, scoring)?;
    let mut gradients = Gradients::zeros(&shape, options, scoring);
    let (heads, scale) = (
        plan::heads(&shape, inputs, options, scoring)?,
        scoring.scale_for(shape.d_k)?,
    );
    set.run(plan::Backward {
        shape,
        heads: &heads,
        scale,
        gradients: gradients.view_mut(),
    });
    Ok(gradients)
}

/// [`backward`] into given arrays of any strides, whose values are overwritten.
///
/// # Errors
/// As [`backward`]; also [`Error::ShapeMismatch`] if a gradient has another shape than its operand, and
/// [`Error::NothingToDerive`] if a gradient is asked for of an option that is not there.
pub fn backward_into(
    inputs: &Inputs,
    options: &Options,
    scoring: &Scoring,
    gradients: GradientsMut,
) -> Result<(), Error> {
    let shape = inputs.validate(options, scoring)?;
    gradients.validate(&shape, scoring)?;
    let (heads, scale) = (
        plan::heads(&shape, inputs, options, scoring)?,
        scoring.scale_for(shape.d_k)?,
    );
    InstructionSet::best().run(plan::Backward {
        shape,
        heads: &heads,
        scale,
        gradients,
    });
    Ok(())
}
