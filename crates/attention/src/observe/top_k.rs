//! Each query's heaviest keys, exactly.

use lookback_simd::{Isa, Kernel, Line};
use ndarray::{Array4, ArrayView3, s};

use super::area::{QueryBlock, Walk};
use super::candidates::{Candidates, NO_KEY};
use super::insert::{Factors, Insert};
use super::observer::Observer;
use super::tile::Tile;
use crate::Error;
use crate::shape::same;

/// The k keys on which each query has the most weight, or the most weight times a factor of the key.
///
/// Exact: heaviest first, and among equals the earlier key first. Keys of weight (or product) 0 are not listed.
///
/// ```
/// use lookback_attention::Scoring;
/// use lookback_attention::observe::{TopK, observe_head};
/// use ndarray::{Array1, Array2};
///
/// // Keys that are all alike share the weight evenly: query i has i + 1 of them.
/// let x = Array2::zeros((4, 8));
/// let lse = Array1::from_shape_fn(4, |i| (i as f32 + 1.0).ln());
/// let top = observe_head(x.view(), x.view(), lse.view(), &Scoring::default(), &TopK::by_weight(2))?;
/// assert_eq!(top.list(0, 0, 3).collect::<Vec<_>>(), [(0, 0.25), (1, 0.25)]);
/// assert_eq!(top.list(0, 0, 0).collect::<Vec<_>>(), [(0, 1.0)]);
/// # Ok::<(), lookback_attention::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct TopK<'a> {
    k: usize,
    factors: Option<ArrayView3<'a, f32>>,
}

impl<'a> TopK<'a> {
    /// The k keys of the largest weight w_ij.
    pub fn by_weight(k: usize) -> TopK<'a> {
        TopK { k, factors: None }
    }

    /// The k keys of the largest product w_ij·f_j, for factors f \[B, H, M\] that are finite and not negative, such as
    /// ‖v_j·W_o‖ (Kobayashi et al., "Attention is Not Only a Weight", 2020). Where B is 1, all batch elements share them.
    pub fn by_product(k: usize, factors: ArrayView3<'a, f32>) -> TopK<'a> {
        TopK {
            k,
            factors: Some(factors),
        }
    }
}

/// What [`TopK`] finds.
#[derive(Debug, Clone, PartialEq)]
pub struct Heaviest {
    /// \[B, H, N, k\] (or M in k's place, if that is less): the keys, heaviest first; [`Heaviest::NONE`] where a query's
    /// list has ended.
    pub keys: Array4<u32>,
    /// The same shape: the weight, or weight times factor; 0 where the list has ended. NaN ranks before every number.
    pub values: Array4<f32>,
}

impl Heaviest {
    /// Stands in [`keys`](Heaviest::keys) where there is no key.
    pub const NONE: u32 = NO_KEY;

    /// The list of query `i` of head `h` of batch element `b`, as (key, value).
    ///
    /// # Panics
    /// If there is no such query.
    pub fn list(
        &self,
        b: usize,
        h: usize,
        i: usize,
    ) -> impl Iterator<Item = (usize, f32)> + use<'_> {
        let keys = self.keys.slice(s![b, h, i, ..]).into_iter();
        let values = self.values.slice(s![b, h, i, ..]).into_iter();
        keys.zip(values)
            .take_while(|(key, _)| **key != Heaviest::NONE)
            .map(|(&key, &value)| (key as usize, value))
    }
}

/// What a block has gathered.
#[derive(Debug)]
#[doc(hidden)]
pub struct Gathered {
    lists: Candidates,
    factors: Option<Factors>,
}

impl Observer for TopK<'_> {
    type Block = Gathered;
    type Output = Heaviest;

    fn start(&self, walk: &Walk) -> Result<Heaviest, Error> {
        if let Some(factors) = &self.factors {
            let (b, h, m) = factors.dim();
            if b != 1 {
                same("B", ("the factors", b), ("q", walk.b()))?;
            }
            same("H", ("the factors", h), ("q", walk.h()))?;
            same("M", ("the factors", m), ("k", walk.m()))?;
            if let Some(&factor) = factors.iter().find(|f| !(f.is_finite() && **f >= 0.0)) {
                return Err(Error::InvalidOption {
                    option: "factors",
                    value: factor.into(),
                    expected: "each must be finite and not negative",
                });
            }
        }
        if walk.m() > Heaviest::NONE as usize {
            return Err(Error::InvalidOption {
                option: "M of a list of the heaviest keys",
                value: walk.m() as f64,
                expected: "it must be below 2^32",
            });
        }
        let k = self.k.min(walk.m());
        walk.room("the lists of keys", &[walk.n(), k, 2])?;
        let dim = (walk.b(), walk.h(), walk.n(), k);
        Ok(Heaviest {
            keys: Array4::from_elem(dim, Heaviest::NONE),
            values: Array4::zeros(dim),
        })
    }

    fn block(&self, block: &QueryBlock) -> Gathered {
        Gathered {
            lists: Candidates::new(block.rows().len(), self.k.min(block.walk().m())),
            factors: self.factors_of(block),
        }
    }

    fn tile(&self, gathered: &mut Gathered, tile: &Tile) {
        if gathered.lists.k() > 0 {
            tile.set().run(Insert {
                tile,
                factors: gathered.factors.as_ref().map(|all| all.of_tile(tile)),
                lists: &mut gathered.lists,
            });
        }
    }

    fn end(&self, block: &QueryBlock, gathered: &mut Gathered) {
        block.set.run(Sort(&mut gathered.lists));
    }

    fn merge(&self, output: &mut Heaviest, block: &QueryBlock, gathered: Gathered) {
        let lists = gathered.lists;
        let at = s![block.batch(), block.head(), block.rows(), ..];
        let mut keys = output.keys.slice_mut(at);
        let mut values = output.values.slice_mut(at);
        let rows = keys.outer_iter_mut().zip(values.outer_iter_mut());
        for (r, (mut keys, mut values)) in rows.enumerate() {
            let (found_keys, found_values) = lists.row(r);
            for (to, from) in keys.iter_mut().zip(found_keys) {
                *to = *from;
            }
            for (to, from) in values.iter_mut().zip(found_values) {
                *to = *from;
            }
        }
    }

    fn wants_row_statistics(&self) -> bool {
        // The maxima of words spare it most of the weights.
        true
    }
}

impl TopK<'_> {
    /// The factors of a block's visible keys.
    fn factors_of(&self, block: &QueryBlock) -> Option<Factors> {
        let all = self.factors.as_ref()?;
        let (batch, keys) = (block.batch().min(all.dim().0 - 1), block.visible());
        let first = keys.start / Line::LEN * Line::LEN;
        let all = all.slice(s![batch, block.head(), first..keys.end]);
        Some(Factors::new(first, all))
    }
}

/// Ends all lists.
struct Sort<'t>(&'t mut Candidates);

impl Kernel for Sort<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        for r in 0..self.0.rows() {
            self.0.sort(isa, r);
        }
    }
}
