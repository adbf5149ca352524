//! The versions of the file format, and which of them a trace needs.

use lookback_attention::Mask;

use crate::layer::Stored;
use crate::{Dtype, Meta};

/// A version of the file format. Both are read; a trace is saved in the first that can hold it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// Self-attention of whole layers under a causal mask, a causal window or none.
    One,
    /// What version 1 has no words for: other masks, biases, cross-attention, some of the layers or heads, tokens after the
    /// text, no value norms, bf16, notes of one's own.
    Two,
}

impl Version {
    /// As a file's `format` says it: `lookback-trace/1`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::One => "lookback-trace/1",
            Self::Two => "lookback-trace/2",
        }
    }

    /// The first version that can hold a trace of these parts.
    pub(crate) fn needed(meta: &Meta, has_vnorm: bool, has_bias: bool) -> Self {
        let plain_mask = |mask: &Mask| {
            matches!(
                mask,
                Mask::None
                    | Mask::Causal { .. }
                    | Mask::Window { .. }
                    | Mask::StrictlyBefore { .. }
            )
        };
        let counts_from_0 = |ids: &[usize]| ids.iter().enumerate().all(|(at, &id)| at == id);
        let one = has_vnorm
            && !has_bias
            && meta.keys.is_none()
            && meta.suffix_tokens == 0
            && has_prefix_texts_alone(meta)
            && counts_from_0(&meta.layer_ids)
            && meta.head_ids.iter().all(|ids| counts_from_0(ids))
            && meta.other_layers.is_empty()
            && meta.extra.is_empty()
            && match meta.qk_dtype {
                Dtype::F32 => true,
                Dtype::F16 => meta.qk_rounding_max_weight_change.is_some(),
                Dtype::Bf16 => false,
            }
            && meta.layers.iter().all(|layer| plain_mask(&layer.mask));
        if one { Self::One } else { Self::Two }
    }

    /// The same of a trace's parts.
    pub(crate) fn needed_by(meta: &Meta, layers: &[Stored]) -> Self {
        let has_vnorm = layers.iter().all(|layer| layer.vnorm.is_some());
        let has_bias = layers.iter().any(|layer| layer.bias.is_some());
        Self::needed(meta, has_vnorm, has_bias)
    }
}

/// Whether the texts of all the prefix's tokens are known, or none, and no other token has one.
fn has_prefix_texts_alone(meta: &Meta) -> bool {
    let known = meta.token_texts.iter().flatten().count();
    known == 0 || (known == meta.prefix_tokens && meta.prefix_texts().len() == known)
}
