//! Exact fused attention that can be asked what it attended to.
