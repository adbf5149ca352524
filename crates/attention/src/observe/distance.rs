//! How far back the weight lies.

use std::ops::Range;

use lookback_simd::Line;
use ndarray::{Array2, Array3, Array4, s};

use super::area::{QueryBlock, Walk};
use super::lanes::{DistanceSums, RangeSums};
use super::layout::MAX_ROWS;
use super::observer::Observer;
use super::ranges::intersect;
use super::tile::Tile;
use crate::Error;

/// Each query's weight by the distance of the key, |position − j|, where the position is the query's index plus the
/// mask's offset.
///
/// Distances are counted in buckets of doubling width: bucket 0 is distance 0, and bucket b ≥ 1 the distances from
/// 2^(b−1) to 2^b − 1.
#[derive(Debug, Clone, Copy, Default)]
pub struct DistanceMass;

/// What [`DistanceMass`] finds.
#[derive(Debug, Clone, PartialEq)]
pub struct Distances {
    /// \[B, H, N, buckets\]: the weight on the keys of each bucket; as many buckets as any key's distance needs. NaN where
    /// any of the weights there is NaN.
    pub mass: Array4<f32>,
    /// \[B, H, N\]: Σ_j w_ij·|position − j| / Σ_j w_ij, the mean distance of the weight that lies on keys. NaN where the
    /// query has weight on no key, for then there is none, and where any of its weights is NaN.
    pub mean: Array3<f32>,
}

/// The bucket of a distance.
fn bucket(distance: usize) -> usize {
    (usize::BITS - distance.leading_zeros()) as usize
}

/// The farthest that a key lies from one of these queries that sees it.
fn farthest(walk: &Walk, batch: usize, rows: Range<usize>) -> usize {
    let far = |row: usize| {
        let keys = walk.visible(batch, row);
        let to = |key: usize| walk.position(row).abs_diff(key as isize);
        if keys.is_empty() {
            0
        } else {
            to(keys.start).max(to(keys.end - 1))
        }
    };
    rows.map(far).max().unwrap_or(0)
}

/// What a block's rows have gathered.
#[derive(Debug)]
#[doc(hidden)]
pub struct Gathered {
    /// \[rows, buckets\]
    mass: Array2<f64>,
    /// For each row: Σ w·distance, and Σ w.
    sums: Vec<[f64; 2]>,
}

impl Observer for DistanceMass {
    type Block = Gathered;
    type Output = Distances;

    fn start(&self, walk: &Walk) -> Result<Distances, Error> {
        let (b, h, n) = (walk.b(), walk.h(), walk.n());
        let farthest = (0..b).map(|batch| farthest(walk, batch, 0..n)).max();
        let buckets = bucket(farthest.unwrap_or(0)) + 1;
        walk.room("the mass by distance", &[n, buckets + 1])?;
        Ok(Distances {
            mass: Array4::zeros((b, h, n, buckets)),
            mean: Array3::zeros((b, h, n)),
        })
    }

    fn block(&self, block: &QueryBlock) -> Gathered {
        let rows = block.rows();
        let far = farthest(block.walk(), block.batch(), rows.clone());
        Gathered {
            mass: Array2::zeros((rows.len(), bucket(far) + 1)),
            sums: vec![[0.0; 2]; rows.len()],
        }
    }

    fn tile(&self, gathered: &mut Gathered, tile: &Tile) {
        let (walk, batch) = (tile.block().walk(), tile.block().batch());
        let (keys, rows, in_block) = (tile.keys(), tile.rows(), tile.first_in_block());
        let whole = whole_bucket(walk, batch, rows.clone(), &keys);
        let sums = &mut gathered.sums[in_block..];
        for (r, distance) in distance_sums(tile).into_iter().enumerate() {
            sums[r][0] += distance;
            sums[r][1] += f64::from(tile.row_sums()[r]);
        }
        let mut mass = gathered.mass.slice_mut(s![in_block.., ..]);
        match whole {
            Some(bucket) => {
                let mass = mass.column_mut(bucket);
                for (to, &sum) in mass.into_iter().zip(tile.row_sums()) {
                    *to += f64::from(sum);
                }
            }
            None => add_parts(tile, |r, bucket, sum| mass[[r, bucket]] += f64::from(sum)),
        }
    }

    fn merge(&self, output: &mut Distances, block: &QueryBlock, gathered: Gathered) {
        let (b, h, rows) = (block.batch(), block.head(), block.rows());
        let buckets = gathered.mass.ncols();
        let mut mass = output.mass.slice_mut(s![b, h, rows.clone(), ..buckets]);
        mass.zip_mut_with(&gathered.mass, |out, &mass| *out = mass as f32);
        let mut mean = output.mean.slice_mut(s![b, h, rows]);
        for (out, [sum, mass]) in mean.iter_mut().zip(gathered.sums) {
            *out = (sum / mass) as f32;
        }
    }

    fn wants_row_statistics(&self) -> bool {
        true
    }
}

/// Σ w·distance of each row of a tile.
fn distance_sums(tile: &Tile) -> impl IntoIterator<Item = f64> {
    let (walk, keys, rows) = (tile.block().walk(), tile.keys(), tile.rows());
    let mut sums = [0.0; MAX_ROWS];
    if keys.end as isize - 1 <= walk.position(rows.start) {
        // No key stands after a query: the distance to the last place, and from there to the key.
        let last = (keys.start + tile.width() * Line::LEN - 1) as isize;
        let terms = tile.row_sums().iter().zip(tile.row_moments());
        for ((sum, row), (&mass, &moment)) in sums.iter_mut().zip(rows.clone()).zip(terms) {
            let to_last = walk.position(row).saturating_sub(last) as f64;
            *sum = to_last * f64::from(mass) + f64::from(moment);
        }
    } else {
        let from_first = |row| walk.position(row).saturating_sub(keys.start as isize) as f32;
        let mut positions = [0.0; MAX_ROWS];
        for (to, row) in positions.iter_mut().zip(rows.clone()) {
            *to = from_first(row);
        }
        let positions = &positions;
        sums = tile
            .set()
            .run(DistanceSums { tile, positions })
            .map(f64::from);
    }
    sums.into_iter().take(rows.len())
}

/// Tells the weight of each row of a tile on the keys of each bucket, as (row, bucket, weight), where the row sees such keys.
fn add_parts(tile: &Tile, mut add: impl FnMut(usize, usize, f32)) {
    let (walk, batch, keys) = (tile.block().walk(), tile.block().batch(), tile.keys());
    let rows = tile.rows();
    let none: [Range<usize>; MAX_ROWS] = std::array::from_fn(|_| 0..0);
    // The keys of each row that are left: a bucket's are taken from their front.
    let (mut left, mut ranges, mut buckets) = (none.clone(), none, [0; MAX_ROWS]);
    for (left, row) in left.iter_mut().zip(rows.clone()) {
        *left = intersect(&keys, &walk.visible(batch, row));
    }
    loop {
        let mut any = false;
        for (r, row) in rows.clone().enumerate() {
            let (start, end) = (left[r].start, left[r].end);
            let (to, bucket) = match start < end {
                true => end_of_bucket(walk.position(row), start),
                false => (start, 0),
            };
            let to = to.min(end);
            ranges[r] = start - keys.start..to - keys.start;
            (left[r].start, buckets[r]) = (to, bucket);
            any |= start < to;
        }
        if !any {
            break;
        }
        let sums = tile.set().run(RangeSums {
            tile,
            ranges: &ranges,
        });
        for (r, range) in ranges.iter().enumerate().take(rows.len()) {
            if range.start < range.end {
                add(r, buckets[r], sums[r]);
            }
        }
    }
}

/// The one bucket in which all these keys lie for all these queries, if all of them see all, and none of the keys stands after
/// a query.
fn whole_bucket(
    walk: &Walk,
    batch: usize,
    rows: Range<usize>,
    keys: &Range<usize>,
) -> Option<usize> {
    let sees = |row| intersect(keys, &walk.visible(batch, row)) == *keys;
    let (first, last) = (rows.start, rows.end - 1);
    let far = walk.position(last).checked_sub(keys.start as isize)?;
    let near = walk.position(first).checked_sub(keys.end as isize - 1)?;
    let bucket = bucket(usize::try_from(near).ok()?);
    let one = far >= near && sees(first) && sees(last) && bucket == self::bucket(far as usize);
    one.then_some(bucket)
}

/// The end of the run of keys, from `key` on, that lie in the same bucket for a query at `position`; and that bucket.
fn end_of_bucket(position: isize, key: usize) -> (usize, usize) {
    let distance = position.abs_diff(key as isize);
    let bucket = bucket(distance);
    let end = if key as isize > position {
        // Distances grow: up to 2^bucket − 1.
        let left = (1_u128 << bucket) - distance as u128;
        key.saturating_add(usize::try_from(left).unwrap_or(usize::MAX))
    } else {
        // Distances shrink: down to 2^(bucket − 1), or 0.
        let least = if bucket == 0 { 0 } else { 1 << (bucket - 1) };
        key.saturating_add(distance - least).saturating_add(1)
    };
    (end, bucket)
}
