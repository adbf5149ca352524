//! What a user of the walk implements.

use std::ops::Range;

use super::area::{Area, QueryBlock, Walk};
use super::tile::Tile;
use crate::Error;

/// A statistic of the weights, taken while they pass by.
///
/// The walk cuts each head's queries into blocks of up to some hundred rows. For each block it asks for a fresh
/// [`Block`](Observer::Block), shows it every [`Tile`] of the block's rows ([`tile`](Observer::tile)), and then
/// merges it into the output ([`merge`](Observer::merge)). Blocks are computed on many threads, but a block by one
/// thread only and merged in one fixed order, so that the output has the same bits whatever the number of threads.
///
/// Within a block the tiles of one row come with their keys ascending, each visible weight in exactly one tile.
/// Nothing is said about how wide a tile is. Keys that a row may not see have weight 0 in its tiles, or no tile.
///
/// This one counts the keys that it takes to gather half of each query's weight, if taken in their order:
///
/// ```
/// use lookback_attention::observe::{Observer, QueryBlock, Tile, Walk, observe_head};
/// use lookback_attention::{Error, Scoring};
/// use ndarray::{Array1, Array2};
///
/// struct HalfWay;
///
/// impl Observer for HalfWay {
///     /// For each row of the block: the weight so far, and the keys that it took while that was below one half.
///     type Block = Vec<(f32, usize)>;
///     /// \[N\]
///     type Output = Array1<usize>;
///
///     fn start(&self, walk: &Walk) -> Result<Self::Output, Error> {
///         Ok(Array1::zeros(walk.n()))
///     }
///
///     fn block(&self, block: &QueryBlock) -> Self::Block {
///         vec![(0.0, 0); block.rows().len()]
///     }
///
///     fn tile(&self, rows: &mut Self::Block, tile: &Tile) {
///         for row in tile.iter() {
///             let (sum, keys) = &mut rows[row.in_block];
///             for weight in row.weights {
///                 *keys += usize::from(*sum < 0.5 && *weight > 0.0);
///                 *sum += weight;
///             }
///         }
///     }
///
///     fn merge(&self, output: &mut Self::Output, block: &QueryBlock, rows: Self::Block) {
///         for (i, (_, keys)) in block.rows().zip(rows) {
///             output[i] = keys;
///         }
///     }
/// }
///
/// // Keys that are all alike share the weight evenly: query i has i + 1 of them.
/// let (q, k) = (Array2::zeros((9, 4)), Array2::<f32>::zeros((9, 4)));
/// let lse = Array1::from_shape_fn(9, |i| (i as f32 + 1.0).ln());
/// let keys = observe_head(q.view(), k.view(), lse.view(), &Scoring::default(), &HalfWay)?;
/// assert_eq!(keys.to_vec(), [1, 1, 2, 2, 3, 3, 4, 4, 5]);
/// # Ok::<(), Error>(())
/// ```
///
/// Several observers share one walk, and so one computation of the weights, as a tuple of up to twelve, as a `Vec`
/// of one kind, and as an `Option`, whose `None` costs nothing.
pub trait Observer: Sync {
    /// What is gathered from one block of query rows of one head.
    type Block: Send;
    /// The answer, for all batch elements and heads.
    type Output: Send;

    /// The output before anything is merged into it.
    ///
    /// # Errors
    /// Whatever the observer was asked that these shapes cannot answer.
    fn start(&self, walk: &Walk) -> Result<Self::Output, Error>;

    /// The state in which a block begins.
    fn block(&self, block: &QueryBlock) -> Self::Block;

    /// Takes one tile of the block's weights.
    fn tile(&self, state: &mut Self::Block, tile: &Tile);

    /// Called when the block has seen its last tile, on the block's own thread: the place for work that needs no
    /// output, since merging is done by one thread at a time.
    fn end(&self, block: &QueryBlock, state: &mut Self::Block) {
        let _ = (block, state);
    }

    /// Adds a block that has ended to the output. Called for one block at a time, in a fixed order.
    fn merge(&self, output: &mut Self::Output, block: &QueryBlock, state: Self::Block);

    /// Called once, when every block is merged.
    fn finish(&self, output: &mut Self::Output) {
        let _ = output;
    }

    /// The keys of an area that matter to this observer, as one range within the area's: an empty one if none do.
    ///
    /// Weights that no observer of the walk wants are not computed; what another wants is shown to all. Called for
    /// blocks, and then for parts of them: what it gives for a part may be less than what it gives for the whole, and
    /// not more. In [`forward_and_observe`](super::forward_and_observe) all weights are computed, and this is asked of the parts alone:
    /// a part of which something is wanted is shown whole.
    fn wanted(&self, area: &Area) -> Range<usize> {
        area.keys.clone()
    }

    /// Whether to take the rows' sums, maxima, moments and entropies ([`Tile::row_sums`] and its neighbours) with every tile,
    /// while the weights are in registers. Where no observer of the walk says so, they are taken when first asked for,
    /// which takes longer.
    fn wants_row_statistics(&self) -> bool {
        false
    }
}
