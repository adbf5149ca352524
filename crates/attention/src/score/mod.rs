//! Scores: what every kernel computes first, from packed queries and keys.
//!
//! Kernels work in log₂ units: scores are multiplied by log₂e, so that a weight is `2^(s − lse₂)` and the
//! exponential needs no multiplication. The factor `scale · log₂e` is multiplied into the queries when they are
//! packed. [`HeadScoring`] holds a head's options in these units, [`Bounds`] the keys that a strip's queries see, and
//! [`score_tile`] makes one tile of scores; [`normaliser`] ends a softmax.

#![expect(
    clippy::needless_range_loop,
    reason = "loops over a tile have constant bounds, so that they unroll"
)]

mod bounds;
mod head;
mod normalise;
mod rounding;
mod tile;

pub(crate) use bounds::Bounds;
pub(crate) use head::HeadScoring;
pub(crate) use normalise::{HEADROOM, normaliser};
pub(crate) use rounding::at_most_1;
pub use rounding::highest_weight;
pub(crate) use tile::{TileAt, apply_options_to_row, hide_in_row, score_tile};
