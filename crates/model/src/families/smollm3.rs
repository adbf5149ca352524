//! SmolLM3 (Bakouch et al. 2025, <https://huggingface.co/blog/smollm3>): Llama of which every fourth layer does not turn
//! queries and keys (NoPE; Yang et al. 2025, <https://arxiv.org/abs/2501.18795>).

use serde_json::Value;

use super::config::folder::{self, Defaults};
use super::config::rope::{RopeDefaults, one_rope};
use super::config::windows::{layer_kinds, window_span};
use super::llama::{self, IGNORED, LAYER, OUTSIDE};
use crate::checkpoint::Error;
use crate::checkpoint::family::{Example, Family};
use crate::checkpoint::settings::Settings;
use crate::spec::Spec;

pub(super) const FAMILY: Family = Family {
    architecture: "smollm3",
    model_types: &["smollm3"],
    classes: &["SmolLM3ForCausalLM"],
    base_classes: &["SmolLM3Model"],
    folder: read_folder,
    gguf: |settings, weights, family| {
        let mut spec = llama::read_gguf(settings, weights, family)?;
        // llama.cpp has no key for it.
        let turns: Vec<bool> = (0..spec.layers.len())
            .map(|layer| !every(INTERVAL, layer))
            .collect();
        stop_turning(&mut spec, &turns);
        Ok(spec)
    },
    base_prefix: "model.",
    layer_prefix: "model.layers.",
    outside: OUTSIDE,
    layer: LAYER,
    ignored: IGNORED,
    examples: &[Example::untested(
        "hf:HuggingFaceTB/SmolLM3-3B-Base",
        "Apache-2.0",
        6150,
    )],
};

/// Every so many layers one does not turn, where nothing else is said.
const INTERVAL: usize = 4;

/// Whether a layer is the last of `interval` ones.
fn every(interval: usize, layer: usize) -> bool {
    (layer + 1).is_multiple_of(interval)
}

fn read_folder(settings: &mut Settings, family: &Family) -> Result<Spec, Error> {
    folder::explicit(settings, "smollm3", &["num_key_value_heads"])?;
    let defaults = Defaults {
        context: 32_768,
        tied: true,
        ..Defaults::LLAMA
    };
    let rope = |settings: &mut Settings, defaults: RopeDefaults| {
        let defaults = RopeDefaults {
            theta: 2e6,
            ..defaults
        };
        one_rope(settings, defaults)
    };
    let mut spec = folder::decoder_with(settings, family, defaults, rope)?;
    llama::read_biases(settings, &mut spec)?;
    let turns = turning_layers(settings, spec.layers.len())?;
    stop_turning(&mut spec, &turns);
    read_windows(settings, &mut spec, &turns)?;
    Ok(spec)
}

/// Which layers turn queries and keys: `no_rope_layers`, in which 1 stands for those that do.
fn turning_layers(settings: &mut Settings, layers: usize) -> Result<Vec<bool>, Error> {
    const KEY: &str = "no_rope_layers";
    let interval = settings.size("no_rope_layer_interval")?;
    let Some(found) = settings.take(KEY) else {
        let interval = interval.unwrap_or(INTERVAL);
        return Ok((0..layers).map(|layer| !every(interval, layer)).collect());
    };
    let turns = |value: &Value| match value.as_u64() {
        Some(0) => Some(false),
        Some(1) => Some(true),
        _ => None,
    };
    let all: Option<Vec<bool>> = found
        .as_array()
        .and_then(|values| values.iter().map(turns).collect());
    all.filter(|all| all.len() == layers).ok_or_else(|| {
        settings.invalid(KEY, &found, &format!("0 or 1 for each of {layers} layers"))
    })
}

fn stop_turning(spec: &mut Spec, turns: &[bool]) {
    for (layer, &turns) in spec.layers.iter_mut().zip(turns) {
        if !turns {
            layer.attention.rope = None;
        }
    }
}

/// Where `use_sliding_window` says so, the layers that do not turn have a window, unless `layer_types` names others.
fn read_windows(settings: &mut Settings, spec: &mut Spec, turns: &[bool]) -> Result<(), Error> {
    let used = settings.bool("use_sliding_window")?.unwrap_or(false);
    let window = settings.size("sliding_window")?;
    let has_window = |layer: usize| used && window.is_some() && !turns[layer];
    let kinds = layer_kinds(settings, spec.layers.len(), has_window)?;
    if window.is_none() && kinds.contains(&true) {
        return Err(settings.missing("sliding_window"));
    }
    for (layer, windowed) in spec.layers.iter_mut().zip(kinds) {
        layer.attention.span = window_span(window.filter(|_| windowed), spec.context_length);
    }
    Ok(())
}
