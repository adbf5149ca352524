#![doc = include_str!("../README.md")]

pub mod backward;
pub mod decode;
pub mod forward;
pub mod measure;
pub mod observe;
pub mod reference;
pub mod varlen;
pub mod weights;

mod element;
mod error;
mod key_ranges;
mod mask;
mod pack;
mod score;
mod scoring;
mod shape;
#[cfg(test)]
mod testing;
mod threads;

pub use element::Element;
pub use error::Error;
pub use key_ranges::KeyRanges;
pub use lookback_simd::InstructionSet;
pub use mask::Mask;
pub use scoring::Scoring;
