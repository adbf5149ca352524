//! Rotary position embedding in a GGUF file.

use serde_json::json;

use super::heads::even;
use crate::checkpoint::Error;
use crate::checkpoint::settings::Settings;
use crate::checkpoint::weights::Weights;
use crate::spec::{Rope, RopeScaling};

const ORIGINAL: &str = "rope.scaling.original_context_length";
const SHORT: &str = "rope_factors_short.weight";
const LONG: &str = "rope_factors_long.weight";

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
    let scaling = match weights.contains(LONG) {
        true => long_rope(settings, weights, dims)?,
        false => one_scaling(settings, weights, dims)?,
    };
    Ok(Rope {
        theta,
        dims,
        scaling,
    })
}

/// What the keys say, or else what `rope_freqs.weight` holds: the divisors that converters write for Llama 3's scaling.
fn one_scaling(
    settings: &mut Settings,
    weights: &Weights,
    dims: usize,
) -> Result<RopeScaling, Error> {
    let stored = scaling(settings)?;
    match (stored, factors(weights, "rope_freqs.weight", dims)?) {
        (scaling, None) => Ok(scaling),
        (RopeScaling::None, Some(factors)) => Ok(RopeScaling::Factors(factors)),
        (_, Some(_)) => Err(settings.unsupported(
            "rope.scaling.type",
            &"a scaling together with rope_freqs.weight".into(),
            "one of them",
        )),
    }
}

/// LongRoPE: both lists of divisors are tensors.
fn long_rope(
    settings: &mut Settings,
    weights: &Weights,
    dims: usize,
) -> Result<RopeScaling, Error> {
    settings.only("rope.scaling.type", &json!("longrope"))?;
    let list = |name: &'static str| {
        let missing = || Error::MissingTensor {
            name: name.to_owned(),
        };
        factors(weights, name, dims)?.ok_or_else(missing)
    };
    Ok(RopeScaling::LongRope {
        short: list(SHORT)?,
        long: list(LONG)?,
        original_context_length: settings.required_size(ORIGINAL)?,
        magnitude: settings
            .positive("rope.scaling.attn_factor")?
            .unwrap_or(1.0),
    })
}

fn scaling(settings: &mut Settings) -> Result<RopeScaling, Error> {
    // Whether the model was trained so.
    settings.ignore(&["rope.scaling.finetuned"]);
    let original = settings.size(ORIGINAL)?;
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

/// Divisors of the frequencies, where the tensor of this name is there.
fn factors(weights: &Weights, name: &str, dims: usize) -> Result<Option<Vec<f32>>, Error> {
    if !weights.contains(name) {
        return Ok(None);
    }
    let found = &weights.get(name)?.shape;
    if found[..] != [dims / 2] {
        return Err(Error::Shape {
            name: name.to_owned(),
            found: found.clone(),
            expected: vec![dims / 2],
        });
    }
    let factors = weights.tensor_f32(name)?.to_vec1()?;
    match factors.iter().position(|&factor| factor <= 0.0) {
        None => Ok(Some(factors)),
        Some(index) => Err(Error::RopeFactor {
            name: name.to_owned(),
            value: factors[index],
            index,
        }),
    }
}
