//! Mixtures of experts, under the names that most families share.

use serde_json::Value;

use crate::checkpoint::Error;
use crate::checkpoint::family::{Layout, Named};
use crate::checkpoint::settings::Settings;
use crate::checkpoint::weights::Weights;
use crate::spec::{Experts, Part, Shares, Spec};

/// A mixture whose shares sum to 1, without a shared expert, under these keys.
pub(crate) fn mixture(
    settings: &mut Settings,
    [count_key, used_key]: [&str; 2],
) -> Result<Experts, Error> {
    let count = settings.required_size(count_key)?;
    let used = settings.required_size(used_key)?;
    if used > count {
        let expected = format!("at most {count_key}, {count}");
        return Err(settings.invalid(used_key, &used.into(), &expected));
    }
    if count > MOST_EXPERTS {
        let expected = format!("at most {MOST_EXPERTS}");
        return Err(settings.invalid(count_key, &count.into(), &expected));
    }
    Ok(Experts {
        count,
        used,
        shares: Shares::OfChosen,
        router_bias: false,
        shared: None,
    })
}

/// More than any model has.
const MOST_EXPERTS: usize = 4096;

/// [`mixture`] under GGUF's keys; none where the file has no experts.
pub(crate) fn mixture_gguf(settings: &mut Settings) -> Result<Option<Experts>, Error> {
    const KEYS: [&str; 2] = ["expert_count", "expert_used_count"];
    // llama.cpp's converter writes no keys, or zeros, where there are no experts.
    let none = |value: Option<&Value>| value.is_none_or(|value| value.as_u64() == Some(0));
    match none(settings.peek(KEYS[0])) {
        true => Ok(None),
        false => mixture(settings, KEYS).map(Some),
    }
}

/// Which layers are mixtures: every `decoder_sparse_step`-th, but for those that `mlp_only_layers` lists.
pub(crate) fn sparse_layers(settings: &mut Settings, layers: usize) -> Result<Vec<bool>, Error> {
    let step = settings.size("decoder_sparse_step")?.unwrap_or(1);
    let dense = settings.take("mlp_only_layers").unwrap_or(Value::Null);
    let listed: Option<Vec<u64>> = match &dense {
        Value::Null => Some(Vec::new()),
        list => list
            .as_array()
            .and_then(|list| list.iter().map(Value::as_u64).collect()),
    };
    let listed = listed.ok_or_else(|| {
        settings.invalid("mlp_only_layers", &dense, "a list of numbers of layers")
    })?;
    let sparse =
        |layer: usize| (layer + 1).is_multiple_of(step) && !listed.contains(&(layer as u64));
    Ok((0..layers).map(sparse).collect())
}

/// Makes the layers that `sparse` names mixtures of experts, of inner dimension `d_ff` where it is another than other layers'.
pub(crate) fn add_experts(spec: &mut Spec, experts: Experts, d_ff: Option<usize>, sparse: &[bool]) {
    for (layer, _) in spec
        .layers
        .iter_mut()
        .zip(sparse)
        .filter(|(_, sparse)| **sparse)
    {
        if let Some(feed_forward) = &mut layer.feed_forward {
            feed_forward.d_ff = d_ff.unwrap_or(feed_forward.d_ff);
            feed_forward.experts = Some(experts);
        }
    }
}

/// Which layers of a GGUF file are mixtures: those that have a router, of which there is one at least.
pub(crate) fn sparse_layers_gguf(weights: &Weights, layers: usize) -> Result<Vec<bool>, Error> {
    let router = |layer| format!("blk.{layer}.ffn_gate_inp.weight");
    let sparse: Vec<bool> = (0..layers)
        .map(|layer| weights.contains(&router(layer)))
        .collect();
    match sparse.contains(&true) {
        true => Ok(sparse),
        false => Err(Error::MissingTensor { name: router(0) }),
    }
}

/// Each expert's matrices: a tensor each under `mlp.experts.N.` in a folder, one tensor for all in GGUF.
pub(crate) const EXPERTS: [Named; 3] = [
    Named::new(
        Part::ExpertGate.weight(),
        "mlp.experts.{}.gate_proj.weight",
        "ffn_gate_exps.weight",
    )
    .gguf(Layout::Experts),
    Named::new(
        Part::ExpertUp.weight(),
        "mlp.experts.{}.up_proj.weight",
        "ffn_up_exps.weight",
    )
    .gguf(Layout::Experts),
    Named::new(
        Part::ExpertDown.weight(),
        "mlp.experts.{}.down_proj.weight",
        "ffn_down_exps.weight",
    )
    .gguf(Layout::Experts),
];
