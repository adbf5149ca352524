//! Exact fused attention that can be asked what it attended to.

pub mod forward;
pub mod reference;
pub mod weights;

mod element;
mod error;
mod mask;
mod scoring;
mod shape;

pub use element::Element;
pub use error::Error;
pub use mask::Mask;
pub use scoring::Scoring;
