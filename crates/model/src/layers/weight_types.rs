//! The types of weights: as a file stores them, and as they are held in memory.

use std::collections::{BTreeMap, BTreeSet};

use candle_core::quantized::GgmlDType;

use crate::checkpoint::{Checkpoint, StoredType};
use crate::{Error, WeightsKind};

/// Weights that stand side by side in one [`Linear`](super::Linear), by their names in the checkpoint (`[outputs, inputs]` each).
pub(crate) type WeightNames<'a> = &'a [String];

/// The type that a matrix is held in, and the types of the weights that stand side by side in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WeightTypes {
    pub(super) dtype: GgmlDType,
    stored: Vec<StoredType>,
}

impl WeightTypes {
    /// How the weights called `names` are held together.
    pub(super) fn new(
        checkpoint: &Checkpoint,
        names: WeightNames,
        kind: WeightsKind,
    ) -> Result<Self, Error> {
        let (mut stored, mut inputs) = (Vec::with_capacity(names.len()), 0);
        for name in names {
            stored.push(checkpoint.stored_type(name)?);
            inputs = checkpoint.shape(name)?[1];
        }
        let dtype = match kind {
            WeightsKind::F32 => GgmlDType::F32,
            WeightsKind::Quantized => kept_type(&stored, inputs),
        };
        Ok(Self { dtype, stored })
    }
}

/// The type that weights are held in together. Types that are multiplied by fast are kept as they are stored; all
/// else is requantised to Q8_0, whose error (at most 1/254 of a block's largest weight) is small beside that of the
/// 4-bit types; f32 where rows are no whole number of blocks.
fn kept_type(stored: &[StoredType], inputs: usize) -> GgmlDType {
    use GgmlDType::{BF16, F16, F32, Q4K, Q5K, Q6K, Q8_0};
    match stored.first() {
        Some(&StoredType::Candle(dtype))
            if matches!(dtype, F16 | BF16 | Q8_0 | Q4K | Q5K | Q6K)
                && stored.iter().all(|other| other.candle() == Some(dtype)) =>
        {
            dtype
        }
        _ if inputs.is_multiple_of(Q8_0.block_size()) => Q8_0,
        _ => F32,
    }
}

/// In words, which numbers products with these matrices are computed on: each type that weights are held in, and
/// what they are stored as where that is another.
pub(crate) fn describe<'a>(all: impl IntoIterator<Item = &'a WeightTypes>) -> String {
    let mut sources: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for held in all {
        let stored = held.stored.iter().map(|dtype| dtype.name());
        sources
            .entry(StoredType::Candle(held.dtype).name())
            .or_default()
            .extend(stored);
    }
    let described = sources.into_iter().map(|(held, mut stored)| {
        if held != "F32" {
            return match stored.iter().all(|&stored| stored == held) {
                true => held.to_owned(),
                false => format!("{held} (from {})", listed(stored)),
            };
        }
        stored.remove("F32");
        if stored.is_empty() {
            return "f32".to_owned();
        }
        let exact = stored
            .iter()
            .all(|stored| matches!(*stored, "F16" | "BF16"));
        let how = if exact { "widened" } else { "dequantised" };
        format!("f32 ({how} from {})", listed(stored))
    });
    listed(described)
}

/// `a, b and c`.
fn listed<T: AsRef<str>>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<T> = items.into_iter().collect();
    let mut text = String::new();
    for (index, item) in items.iter().enumerate() {
        text.push_str(match index {
            0 => "",
            _ if index + 1 == items.len() => " and ",
            _ => ", ",
        });
        text.push_str(item.as_ref());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use GgmlDType::{BF16, F16, F32, Q4_1, Q4K, Q6K, Q8_0};

    fn of(types: &[GgmlDType]) -> Vec<StoredType> {
        types.iter().copied().map(StoredType::Candle).collect()
    }

    fn held(dtype: GgmlDType, stored: &[GgmlDType]) -> WeightTypes {
        WeightTypes {
            dtype,
            stored: of(stored),
        }
    }

    #[test]
    fn fast_types_are_kept_and_mixtures_are_not() {
        for dtype in [F16, BF16, Q8_0, Q4K, Q6K] {
            assert_eq!(kept_type(&of(&[dtype; 3]), 256), dtype);
        }
        assert_eq!(kept_type(&of(&[Q4K, Q4K, Q6K]), 256), Q8_0);
        assert_eq!(kept_type(&of(&[Q4_1]), 32), Q8_0);
        assert_eq!(kept_type(&of(&[F32]), 16), F32);
        assert_eq!(kept_type(&of(&[F16]), 17), F16);
        assert_eq!(kept_type(&[StoredType::Iq4Nl; 2], 32), Q8_0);
    }

    #[test]
    fn descriptions_say_what_is_held_and_where_it_comes_from() {
        let described = |all: &[WeightTypes]| describe(all);
        let f32s = [held(F32, &[Q4_1, Q4_1]), held(F32, &[Q8_0])];
        assert_eq!(described(&f32s), "f32 (dequantised from Q4_1 and Q8_0)");
        assert_eq!(described(&[held(F32, &[F32])]), "f32");
        let widened = [held(F32, &[F16]), held(F32, &[F32])];
        assert_eq!(described(&widened), "f32 (widened from F16)");
        let mixed = [
            held(Q8_0, &[Q4K, Q6K]),
            held(Q4K, &[Q4K, Q4K]),
            held(Q8_0, &[Q4K]),
        ];
        assert_eq!(described(&mixed), "Q4_K and Q8_0 (from Q4_K and Q6_K)");
        let three = [held(Q8_0, &[Q8_0]), held(Q6K, &[Q6K]), held(F16, &[F16])];
        assert_eq!(described(&three), "F16, Q6_K and Q8_0");
    }
}
