//! Which layers and heads of a model a trace holds.

use crate::error::ensure;
use crate::layer::Stored;
use crate::{Error, Meta};

/// Numbers of layers and heads are below this: far above any model's, and few enough to be listed.
pub(crate) const MOST: usize = 1 << 16;

/// The numbers, in the model, of the layers and heads that a trace holds.
#[derive(Debug)]
pub(crate) struct Ids {
    /// Ascending.
    layers: Vec<usize>,
    /// For each of them its query heads, ascending.
    heads: Vec<Vec<usize>>,
}

impl Ids {
    /// Those that the metadata states, else 0, 1, ….
    pub(crate) fn new(meta: &Meta, layers: &[Stored]) -> Result<Self, Error> {
        let count = layers.len();
        let stated = |what: &str, ids: &[usize], count: usize| -> Result<Vec<usize>, Error> {
            ensure(ids.len() == count, || {
                format!("there are {} {what} of {count}", ids.len())
            })?;
            ensure(ids.is_sorted_by(|a, b| a < b), || {
                format!("the {what} do not ascend")
            })?;
            ensure(ids.last().is_none_or(|&last| last < MOST), || {
                format!("the {what} reach {MOST}, more than any model has")
            })?;
            Ok(ids.to_vec())
        };
        let layer_ids = match meta.layer_ids.as_slice() {
            [] => (0..count).collect(),
            ids => stated("`layer_ids`", ids, count)?,
        };
        let each = &meta.head_ids;
        ensure(each.is_empty() || each.len() == count, || {
            format!("`head_ids` has {} lists for {count} layers", each.len())
        })?;
        let heads = layers.iter().enumerate().map(|(at, layer)| {
            let heads = layer.q.heads;
            match each.get(at) {
                None => Ok((0..heads).collect()),
                Some(ids) => stated(&format!("`head_ids` of layer {at}"), ids, heads),
            }
        });
        let heads = heads.collect::<Result<_, _>>()?;
        let ids = Self {
            layers: layer_ids,
            heads,
        };
        ids.validate_others(meta)?;
        Ok(ids)
    }

    /// Layers without softmax attention are none of those that are held.
    fn validate_others(&self, meta: &Meta) -> Result<(), Error> {
        let others = &meta.other_layers;
        let ascend = others.is_sorted_by(|a, b| a.layer < b.layer);
        let small = others.last().is_none_or(|last| last.layer < MOST);
        ensure(ascend && small, || {
            format!("the `other_layers` do not ascend, or reach {MOST}")
        })?;
        for other in others {
            ensure(self.find(other.layer).is_none(), || {
                format!(
                    "layer {} is one of the `other_layers`, without softmax attention, and has tensors",
                    other.layer
                )
            })?;
            ensure(!other.kind.is_empty(), || {
                format!(
                    "the kind of layer {} in `other_layers` is empty",
                    other.layer
                )
            })?;
        }
        Ok(())
    }

    /// The layers' numbers.
    pub(crate) fn layers(&self) -> &[usize] {
        &self.layers
    }

    /// The numbers of a layer's query heads; none where there is no such layer.
    pub(crate) fn heads(&self, layer: usize) -> &[usize] {
        self.find(layer).map_or(&[], |at| &self.heads[at])
    }

    /// At which place a layer is held.
    pub(crate) fn find(&self, layer: usize) -> Option<usize> {
        self.layers.binary_search(&layer).ok()
    }

    /// Whether the layers are the model's first: their numbers are 0, 1, ….
    pub(crate) fn has_first_layers(&self) -> bool {
        count_from_0(&self.layers)
    }

    /// Whether a layer's heads are its first: their numbers are 0, 1, ….
    pub(crate) fn has_first_heads(&self, layer: usize) -> bool {
        count_from_0(self.heads(layer))
    }
}

fn count_from_0(ascending: &[usize]) -> bool {
    ascending
        .last()
        .is_none_or(|&last| last + 1 == ascending.len())
}

/// Ascending numbers in words: `0 to 11`, `3, 5 to 7`.
pub(crate) fn in_words(ascending: &[usize]) -> String {
    let runs = ascending.chunk_by(|a, b| a + 1 == *b).map(|run| match run {
        [one] => one.to_string(),
        [first, .., last] => format!("{first} to {last}"),
        [] => String::new(),
    });
    runs.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_said_in_runs() {
        assert_eq!(in_words(&[0, 1, 2]), "0 to 2");
        assert_eq!(in_words(&[3, 5, 6, 9]), "3, 5 to 6, 9");
    }
}
