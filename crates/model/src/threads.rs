//! How many threads a model runs on.

/// Threads of the two pools that a model's work is shared among.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threads {
    /// Attention and products on f32 weights: `RAYON_NUM_THREADS`, else one for each processor.
    pub rayon: usize,
    /// Products on quantised weights: `CANDLE_NUM_THREADS`, else `RAYON_NUM_THREADS`, else candle's choice.
    pub candle: usize,
}

/// The threads that this process uses.
#[must_use]
pub fn threads() -> Threads {
    let candle = std::env::var("CANDLE_NUM_THREADS")
        .ok()
        .and_then(|threads| threads.parse().ok())
        .filter(|&threads| threads > 0);
    Threads {
        rayon: rayon::current_num_threads(),
        candle: candle.unwrap_or_else(candle_core::utils::get_num_threads),
    }
}
