//! How fast the kernels are on this machine, against what the machine can do in the same run.
//!
//! A [`BenchmarkCase`] is an operation on a shape; [`prepare`] makes its operands and gives what runs it once, for any benchmark;
//! [`measure`] runs it in turn with the [limit](peak_gflops) that it is held against, so that both meet the same machine.
//!
//! ```
//! use std::time::Duration;
//! use lookback_attention::InstructionSet;
//! use lookback_attention::measure::{BenchmarkCase, measure};
//!
//! let case = BenchmarkCase { n: 64, m: 64, ..BenchmarkCase::FORWARD };
//! let measured = measure(InstructionSet::best(), &case, Duration::ZERO, &mut || true)?;
//! assert!(measured.is_some_and(|measured| measured.gflops > 0.0));
//! # Ok::<(), lookback_attention::Error>(())
//! ```

mod benchmark_case;
mod limits;
mod prepare;
mod run;

pub use benchmark_case::{BenchmarkCase, Operation, Storage, forward_flops};
pub use limits::{peak_gflops, read_gbs};
pub use prepare::{numbers, prepare};
pub use run::{Measured, measure};
