//! Whether a step fits in memory, asked before it is tried.

use crate::config::Config;
use crate::error::Error;

/// Bytes that a training step on `batch` texts of `tokens` tokens needs at most, about: what autograd keeps of
/// every operation and the gradients, counted from the operations of a layer, and four numbers a parameter.
#[must_use]
pub fn step_bytes(config: &Config, parameters: usize, batch: usize, tokens: usize) -> u64 {
    let Config {
        d,
        heads,
        d_k,
        d_v,
        layers,
        ..
    } = *config;
    // Norm (6 of d), residual and its input (3 of d), queries and keys before and after rotation, values, outputs; each with its gradient.
    let row = 2 * (9 * d + heads * (4 * d_k + 3 * d_v) + 3 * config.mlp.unwrap_or(0));
    let activations = (batch as u64) * (tokens as u64) * (row as u64) * (layers as u64);
    4 * (activations + 6 * parameters as u64)
}

/// Rejects a step that does not fit in free memory; where the system does not say how much that is, it is tried.
///
/// # Errors
/// [`Error::Memory`].
pub fn check(config: &Config, parameters: usize, batch: usize, tokens: usize) -> Result<(), Error> {
    let needed = step_bytes(config, parameters, batch, tokens);
    match available() {
        Some(available) if needed > available => Err(Error::Memory {
            batch,
            tokens,
            needed: needed / 1_000_000,
            available: available / 1_000_000,
        }),
        _ => Ok(()),
    }
}

/// Bytes of memory that can be had without swapping, where Linux says so.
fn available() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.split_whitespace()
        .next()?
        .parse::<u64>()
        .ok()
        .map(|kilobytes| kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_of_any_size_is_checked_before_it_is_tried() {
        let config = Config::new(576, 3, 4);
        assert!(check(&config, 1_000_000, 8, 32).is_ok());
        if available().is_some() {
            assert!(matches!(
                check(&config, 1_000_000, 1 << 20, 1024),
                Err(Error::Memory { .. })
            ));
        }
    }
}
