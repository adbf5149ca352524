//! Vector algorithms written once, compiled for every instruction set, chosen when the program runs.
//!
//! A kernel over numbers wants the processor's vectors, and a program that is shipped does not know the processor. This crate is a
//! thin layer between the two: vectors of f32 with some thirty operations ([`Isa`]), memory in cache lines ([`Line`]), tiles of
//! accumulators that stay in registers ([`RegisterTile`]), the matrix product that such tiles are made for ([`multiply`]), the
//! packing of its operands ([`pack`]), and elementary functions ([`math`]). It knows nothing of attention or of models.
//!
//! # A kernel
//!
//! A computation is a value that implements [`Kernel`]: its fields are the operands, and `run` is the algorithm for any [`Isa`].
//! [`InstructionSet::run`] enters the instruction set and runs it there.
//!
//! ```
//! use lookback_simd::math::exp2_bounded;
//! use lookback_simd::{InstructionSet, Isa, Kernel, Line};
//!
//! /// The softmax of a row; what lies beyond its end is −∞, whose weight is 0.
//! struct Softmax<'a>(&'a mut [Line]);
//!
//! impl Kernel for Softmax<'_> {
//!     type Output = ();
//!
//!     #[inline(always)]
//!     fn run<I: Isa>(self, isa: I) {
//!         let row = Line::flat_mut(self.0);
//!         let mut top = isa.splat(f32::MIN);
//!         for x in row.chunks_exact(I::LANES) {
//!             top = isa.max(isa.load(x), top);
//!         }
//!         let top = isa.splat(isa.largest(top));
//!         // e^(x − top) = 2^((x − top) · log₂e)
//!         let (log2_e, mut sum) = (isa.splat(std::f32::consts::LOG2_E), isa.splat(0.0));
//!         for x in row.chunks_exact_mut(I::LANES) {
//!             let weight = exp2_bounded(isa, isa.mul(isa.sub(isa.load(x), top), log2_e));
//!             sum = isa.add(sum, weight);
//!             isa.store(weight, x);
//!         }
//!         let factor = isa.splat(1.0 / isa.sum(sum));
//!         for x in row.chunks_exact_mut(I::LANES) {
//!             isa.store(isa.mul(isa.load(x), factor), x);
//!         }
//!     }
//! }
//!
//! // Two equal scores, one that is less by ln 2, and nothing else.
//! let mut scores = Line([f32::NEG_INFINITY; 16]);
//! scores.0[..3].copy_from_slice(&[1.0, 1.0, 1.0 - std::f32::consts::LN_2]);
//! for set in InstructionSet::available() {
//!     let mut row = [scores; 2];
//!     row[1] = Line([f32::NEG_INFINITY; 16]);
//!     set.run(Softmax(&mut row));
//!     for (found, exact) in Line::flat(&row).iter().zip([0.4, 0.4, 0.2, 0.0]) {
//!         assert!((found - exact).abs() < 1e-6, "{}", set.name());
//!     }
//! }
//! ```
//!
//! `examples/softmax.rs` is this and a dot product with their errors and times; the documentation of [`pack`] has a matrix product.
//!
//! # Instruction sets as proofs
//!
//! An instruction that the processor lacks is undefined behaviour, so that calling an intrinsic is `unsafe`. Here a value of an
//! [`Isa`] type is the proof that the processor has it: the only constructors of [`Avx2`] and [`Avx512`] ask the processor, and
//! such a value cannot be had otherwise. Each method takes the proof by value, as a parameter of no size, and is safe. So `unsafe`
//! stands in the tables of intrinsics, each block of it with the property that it relies on, and in no kernel.
//!
//! ```text
//! InstructionSet::run(kernel) → Isa::run(kernel)  [target_feature]  → Kernel::run::<I>  [inline(always)]
//!                                                                     → multiply, exp2, …  [inline(always)]
//! ```
//!
//! The instruction set is entered once for a whole computation, not for each operation: [`Isa::run`] is a function with
//! `#[target_feature]`, and everything below is inlined into it and compiled with what it may use. One `match` chooses between the
//! compiled versions. Three rules keep that fast:
//!
//! * **Every function that takes or returns a vector is `#[inline(always)]`.** One that is not inlined is compiled for the oldest
//!   processor: it passes vectors through memory, and each intrinsic in it becomes a call.
//! * **Vectors do not pass through closures**, which cannot carry the attribute. Loops do what iterator adapters would.
//! * **Loops over a tile have constant bounds** ([`RegisterTile::ROWS`], [`RegisterTile::VECTORS`]), so that they unroll and each
//!   accumulator becomes a register. A tile that is indexed in a loop which does not unroll has an address, and is in memory for
//!   good: for such loops store a tile, work on the copy and load it again.
//!
//! What several threads run is a kernel for each thread, entered there: a closure that is handed to another thread is compiled
//! without the instruction set.
//!
//! # Memory in lines
//!
//! [`Line`] is sixteen f32 at the address of a cache line. Every lane count divides sixteen, so that a layout in lines is the same
//! for all instruction sets, packed once and read by any, and no load of a vector straddles two lines. Loads and stores take
//! slices and check their length; within unrolled loops the compiler proves the checks away. What else the tables ask of their
//! callers (the domain of [`Isa::ldexp`], operands of a product that fit each other) is checked where debug assertions are on, and
//! the panic names the values and the line of the kernel.
//!
//! # Tiles and registers
//!
//! The one product is a strip of rows times one or two panels of sixteen columns. For each t it loads the panels' line, and for each
//! row broadcasts one number and multiplies and adds: every element is one chain in the order of t. How large the tile is decides
//! the speed. It must have enough chains that none waits (a multiply-add takes four cycles, two can begin in each: eight vectors
//! at least), use each load often, and leave registers for the operands:
//!
//! | | lanes | registers | wide tile | accumulators, panel, broadcast | loads for multiply-adds, a step of t |
//! | --- | --- | --- | --- | --- | --- |
//! | `avx512` | 16 | 32 | 14 × 32 | 28 + 2 + 1 | 2 + 14 for 28 |
//! | `avx2` | 8 | 16 | 6 × 16 | 12 + 2 + 1 | 2 + 6 for 12 |
//! | `portable` with 16 registers | 4 | 16 | 2 × 16 | 8 + 4 + 1 | 4 + 2 for 8 |
//! | `portable` with 32 registers (AArch64) | 4 | 32 | 5 × 16 | 20 + 4 + 1 | 4 + 5 for 20 |
//!
//! With two loads and two multiply-adds a cycle, the loads take 0.45 to 0.75 of the arithmetic's time, and so hide behind it.
//! [`Isa::NarrowTile`] has the same rows, one panel wide, for the last panel of an odd number.
//!
//! # Numbers
//!
//! * [`math::exp2`] is within two units in the last place where the result is a normal number and exactly 1 at 0; [`math::tanh`]
//!   within eight, near 0 too. Both let NaN through. The tests hold them to that against f64.
//! * The same call on the same instruction set gives the same bits. Two instruction sets differ by rounding: in whether a
//!   multiply-add rounds once, and in the order in which lanes are summed at the end.
//! * [`Isa::max`] and [`Isa::min`] give their second operand where either is NaN, as the x86 instructions do: the order of the
//!   operands decides whether NaN passes or is passed over.
//!
//! # What was tried
//!
//! Measured in the attention kernels, whose notes have the conditions (`attention::forward`, `attention::backward`,
//! `attention::observe`):
//!
//! * Packing in the order of the packed lines instead of that of the rows in memory: 8.2 instead of 6.9% of the gradients' time.
//!   Sixteen rows side by side are a pattern that the processor does not foresee; [`pack::pack_transposed`] asks for the rows that
//!   come next.
//! * Transposing by scalar loads instead of in registers, with AVX-512: the gradients reach 54 instead of 65% of peak.
//! * One chain that checks a whole block for values that are not finite: 2,048 multiply-adds one after the other. A chain for each row
//!   hides behind the loads.
//! * Tiles indexed in loops that do not unroll: 3.5% of the forward pass in a copy, and every exponential waited for it.
//! * The exponential's polynomial in two halves side by side: saves 0.2 to 0.3 of some 7 cycles a vector, for a larger error.
//!
//! # Testing a kernel
//!
//! [`InstructionSet::available`] lists what the machine has. [`Emulated`] is an instruction set of any lane count and tile in
//! plain Rust, so that one lane and sixteen are tried wherever the tests run. A result that has one right answer (moves, comparisons,
//! sums of small whole numbers) must be that on all of them; others are held against f64.
//!
//! # Another instruction set
//!
//! One file beside `x86/avx2.rs` that implements [`Isa`] for a token of its own, whose constructor asks the processor; an entry in
//! `select.rs`. The tests of this crate run on it as soon as it is available. AArch64 has no table of its own yet: there the
//! compiler turns [`Portable`]'s arrays into NEON.

#![expect(
    clippy::needless_range_loop,
    reason = "loops over a tile have constant bounds, so that they unroll"
)]

pub mod math;
pub mod pack;

mod contract;
mod emulated;
mod isa;
mod line;
mod multiply;
mod rank;
mod select;
mod tile;
mod widen;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use emulated::{Emulated, Portable};
pub use isa::{Isa, Kernel};
pub use line::{Line, lines_for};
pub use multiply::{multiply, multiply_onto, multiply_rows};
pub use select::{InstructionSet, UnavailableInstructionSet};
pub use tile::RegisterTile;
pub use widen::{Widen, widen};
#[cfg(target_arch = "x86_64")]
pub use x86::{Avx2, Avx512};

/// The README's example is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
