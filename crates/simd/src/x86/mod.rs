//! The tables of intrinsics of x86-64.

mod avx2;
mod avx512;
mod blocks;
mod leading;
mod prefetch;
mod tokens;

pub use tokens::{Avx2, Avx512};
