//! Rotary position embedding in a GGUF file.

use serde_json::json;

use super::heads::even;
use crate::checkpoint::Error;
use crate::checkpoint::settings::Settings;
use crate::checkpoint::weights::Weights;
use crate::spec::{Rope, RopeScaling};

/// The architecture's rotary embedding for heads of `head_dim` entries.
pub(crate) fn rope(
    settings: &mut Settings,
    weights: &Weights,
    head_dim: usize,
) -> Result<Rope, Error> {
    let theta = settings.positive("rope.freq_base")?.unwrap_or(10_000.0);
    let dims = settings.size("rope.dimension_count")?.unwrap_or(head_dim);
    let dims = even(settings, "rope.dimension_count", dims)?;
    if dims > head_dim {
        let expected = format!("at most the {head_dim} entries of a head");
        return Err(settings.invalid("rope.dimension_count", &dims.into(), &expected));
    }
    let stored = scaling(settings)?;
    let scaling = match (stored, factors(weights, dims)?) {
        (scaling, None) => scaling,
        (RopeScaling::None, Some(factors)) => RopeScaling::Factors(factors),
        (_, Some(_)) => {
            return Err(settings.unsupported(
                "rope.scaling.type",
                &"a scaling together with rope_freqs.weight".into(),
                "one of them",
            ));
        }
    };
    Ok(Rope {
        theta,
        dims,
        scaling,
    })
}

fn scaling(settings: &mut Settings) -> Result<RopeScaling, Error> {
    // Whether the model was trained so.
    settings.ignore(&["rope.scaling.finetuned"]);
    let original = settings.size("rope.scaling.original_context_length")?;
    let old_factor = settings.positive("rope.scale_linear")?;
    let factor = settings.positive("rope.scaling.factor")?.or(old_factor);
    let kind = settings.text("rope.scaling.type")?;
    match (kind.as_deref(), factor) {
        (Some("none"), _) | (None, None) => Ok(RopeScaling::None),
        // llama.cpp takes a factor without a type as linear.
        (Some("linear") | None, Some(factor)) => Ok(RopeScaling::Linear { factor }),
        (Some("yarn"), Some(factor)) => yarn(settings, factor, original),
        (Some("linear" | "yarn"), None) => Err(settings.missing("rope.scaling.factor")),
        (Some(other), _) => {
            let known = "none, linear, yarn, or the tensor rope_freqs.weight";
            Err(settings.unsupported("rope.scaling.type", &other.into(), known))
        }
    }
}

/// As llama.cpp computes it: longer by 1 + 0.1·ln(factor), times the file's own factor.
fn yarn(
    settings: &mut Settings,
    factor: f32,
    original: Option<usize>,
) -> Result<RopeScaling, Error> {
    const ORIGINAL: &str = "rope.scaling.original_context_length";
    settings.only("rope.scaling.yarn_ext_factor", &json!(1))?;
    let own = settings.positive("rope.scaling.attn_factor")?;
    let own = settings.positive("rope.scaling.yarn_attn_factor")?.or(own);
    let longer = if factor > 1.0 {
        0.1 * factor.ln() + 1.0
    } else {
        1.0
    };
    Ok(RopeScaling::Yarn {
        factor,
        original_context_length: original.ok_or_else(|| settings.missing(ORIGINAL))?,
        beta_fast: settings
            .positive("rope.scaling.yarn_beta_fast")?
            .unwrap_or(32.0),
        beta_slow: settings
            .positive("rope.scaling.yarn_beta_slow")?
            .unwrap_or(1.0),
        truncate: true,
        magnitude: longer * own.unwrap_or(1.0),
    })
}

/// The divisors of the frequencies that converters write for Llama 3's scaling.
fn factors(weights: &Weights, dims: usize) -> Result<Option<Vec<f32>>, Error> {
    const NAME: &str = "rope_freqs.weight";
    if !weights.contains(NAME) {
        return Ok(None);
    }
    let found = &weights.get(NAME)?.shape;
    if found[..] != [dims / 2] {
        return Err(Error::Shape {
            name: NAME.to_owned(),
            found: found.clone(),
            expected: vec![dims / 2],
        });
    }
    let factors = weights.tensor_f32(NAME)?.to_vec1()?;
    match factors.iter().position(|&factor| factor <= 0.0) {
        None => Ok(Some(factors)),
        Some(index) => Err(Error::RopeFactor {
            name: NAME.to_owned(),
            value: factors[index],
            index,
        }),
    }
}
