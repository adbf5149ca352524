//! Packing: the operands of a product A·B rearranged into the order in which the microkernel reads them.
//!
//! | operand | packed by | as |
//! | --- | --- | --- |
//! | A, some of its rows | [`pack_strip`] | a strip `[depth/16][height][16]`, times a factor |
//! | B, \[depth, columns\] | [`pack_panels`] | panels `[columns/16][depth][16]` |
//! | Bᵀ, \[columns, depth\] | [`pack_transposed`] | the same panels |
//!
//! Lengths over sixteen are rounded up, and what is beyond the operand is 0. In attention, A is Q, Bᵀ is K and B is V.
//!
//! A product of any size is packed panels, strip after strip, and a tile for each strip and one or two panels:
//!
//! ```
//! use lookback_simd::pack::{pack_panels, pack_strip};
//! use lookback_simd::{InstructionSet, Isa, Kernel, Line, RegisterTile, lines_for, multiply};
//! use ndarray::{Array2, ArrayView2, s};
//!
//! /// A·B, \[rows, columns\].
//! struct Product<'a>(ArrayView2<'a, f32>, ArrayView2<'a, f32>);
//!
//! impl Kernel for Product<'_> {
//!     type Output = Array2<f32>;
//!
//!     #[inline(always)]
//!     fn run<I: Isa>(self, isa: I) -> Array2<f32> {
//!         let Product(a, b) = self;
//!         let (depth, height) = (b.nrows(), I::NarrowTile::ROWS);
//!         let mut panels = vec![Line::ZERO; lines_for(b.ncols()) * depth];
//!         pack_panels(isa, b, &mut panels);
//!         let mut strip = vec![Line::ZERO; lines_for(depth) * height];
//!         let mut out = Array2::zeros((a.nrows(), b.ncols()));
//!         for first in (0..a.nrows()).step_by(height) {
//!             let rows = first..(first + height).min(a.nrows());
//!             pack_strip(&mut strip, a, rows.clone(), height, 1.0);
//!             for (at, panel) in panels.chunks(depth).enumerate() {
//!                 let tile: I::NarrowTile = multiply(isa, &strip, [panel, panel]);
//!                 for (r, row) in rows.clone().enumerate() {
//!                     let mut line = Line::ZERO;
//!                     for (v, &vector) in tile.row(r).as_ref().iter().enumerate() {
//!                         isa.store(vector, line.part_mut(v, I::LANES));
//!                     }
//!                     let to = out.slice_mut(s![row, at * Line::LEN..]);
//!                     to.into_iter().zip(line.0).for_each(|(to, x)| *to = x);
//!                 }
//!             }
//!         }
//!         out
//!     }
//! }
//!
//! // Small whole numbers: exact in f32, whatever the order of the sums.
//! let a = Array2::from_shape_fn((23, 40), |(i, t)| ((i * 5 + t) % 7) as f32);
//! let b = Array2::from_shape_fn((40, 19), |(t, j)| ((t * 3 + j) % 5) as f32);
//! for set in InstructionSet::available() {
//!     assert_eq!(set.run(Product(a.view(), b.view())), a.dot(&b), "{}", set.name());
//! }
//! ```

mod panels;
mod rows;
mod strip;

pub use panels::{pack_panels, pack_transposed};
pub use rows::ContiguousRows;
pub use strip::pack_strip;
