//! Tiles of the map that were computed, the latest of them kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use lookback_trace::HeadId;
use lookback_view::pooled::Pool;

/// Bytes that the tiles of one text may take.
const MOST_BYTES: usize = 32 << 20;

/// Cells along each side of a tile.
pub(crate) const SIDE: usize = 256;

/// Which tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) head: HeadId,
    /// Each cell pools 2^zoom queries × 2^zoom keys.
    pub(crate) zoom: u32,
    /// Tiles before it from the first query.
    pub(crate) row: usize,
    /// Tiles before it from the first key.
    pub(crate) col: usize,
    pub(crate) pool: Pool,
}

/// A tile's cells, row by row, as the page gets them.
pub(crate) type Cells = Arc<Vec<f32>>;

/// The tiles that are kept.
pub(crate) struct Tiles(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    tiles: HashMap<Key, (Cells, u64)>,
    bytes: usize,
    clock: u64,
}

impl Tiles {
    pub(crate) fn new() -> Self {
        Self(Mutex::default())
    }

    /// A tile that was computed before.
    pub(crate) fn get(&self, key: &Key) -> Option<Cells> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.clock += 1;
        let now = kept.clock;
        let (cells, used) = kept.tiles.get_mut(key)?;
        *used = now;
        Some(cells.clone())
    }

    /// Keeps a tile; those not used for longest go.
    pub(crate) fn keep(&self, key: Key, cells: &Cells) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.clock += 1;
        let now = kept.clock;
        kept.bytes += size(cells);
        if let Some((old, _)) = kept.tiles.insert(key, (cells.clone(), now)) {
            kept.bytes -= size(&old);
        }
        while kept.bytes > MOST_BYTES {
            let oldest = kept
                .tiles
                .iter()
                .min_by_key(|(_, (_, used))| *used)
                .map(|(key, _)| *key);
            let Some((old, _)) = oldest.and_then(|key| kept.tiles.remove(&key)) else {
                break;
            };
            kept.bytes -= size(&old);
        }
    }
}

fn size(cells: &Cells) -> usize {
    cells.len() * size_of::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(row: usize) -> Key {
        Key {
            head: HeadId { layer: 0, head: 0 },
            zoom: 0,
            row,
            col: 0,
            pool: Pool::Max,
        }
    }

    #[test]
    fn the_tiles_used_last_are_kept_within_the_bytes() {
        let tiles = Tiles::new();
        let cells: Cells = Arc::new(vec![0.0; SIDE * SIDE]);
        let fit = MOST_BYTES / size(&cells);
        for row in 0..fit {
            tiles.keep(key(row), &cells);
        }
        assert!(tiles.get(&key(0)).is_some());
        tiles.keep(key(fit), &cells);
        assert!(tiles.get(&key(0)).is_some() && tiles.get(&key(1)).is_none());
        assert!(tiles.0.lock().unwrap().bytes <= MOST_BYTES);
    }
}
