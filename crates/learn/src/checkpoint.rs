//! Where training can go on from: parameters, moments and progress in one safetensors file, which appears whole or not at all.

use std::collections::{BTreeMap, HashMap};
use std::io::Write as _;
use std::path::Path;

use candle_core::{Device, Tensor};
use lookback_model::write_atomic;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::error::Error;
use crate::optimizer::Moments;
use crate::parameters::Parameters;
use crate::settings::Settings;
use crate::timing::Timing;

/// What a checkpoint says beside its tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Progress {
    pub(crate) format: String,
    pub(crate) config: Config,
    pub(crate) settings: Settings,
    /// Steps done.
    pub(crate) step: usize,
    /// The smallest validation loss so far, and the step it belongs to.
    pub(crate) best: Option<(f64, usize)>,
    /// What the steps have cost.
    #[serde(rename = "spent")]
    pub(crate) timing: Timing,
}

pub(crate) const FORMAT: &str = "lookback-training/1";
const KEY: &str = "lookback";
/// Far beyond any model that is trained here.
const LARGEST: u64 = 8 << 30;

/// A run as it stands between two steps.
pub(crate) struct State {
    pub(crate) progress: Progress,
    pub(crate) moments: Moments,
    /// Parameters of the step with the smallest validation loss.
    pub(crate) best: BTreeMap<String, Tensor>,
}

/// Saves a run.
pub(crate) fn save(path: &Path, state: &State, parameters: &Parameters) -> Result<(), Error> {
    let mut tensors: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
    let bytes = |values: &[f32]| {
        values
            .iter()
            .flat_map(|x| x.to_le_bytes())
            .collect::<Vec<u8>>()
    };
    let numbers =
        |tensor: &Tensor| -> Result<Vec<f32>, Error> { Ok(tensor.flatten_all()?.to_vec1()?) };
    for (name, var) in parameters.iter() {
        tensors.push((
            format!("parameter.{name}"),
            var.dims().to_vec(),
            bytes(&numbers(var)?),
        ));
        if let Some(moments) = state.moments.by_name.get(name) {
            for (part, values) in ["first", "second"].iter().zip(moments) {
                tensors.push((format!("{part}.{name}"), var.dims().to_vec(), bytes(values)));
            }
        }
    }
    for (name, tensor) in &state.best {
        tensors.push((
            format!("best.{name}"),
            tensor.dims().to_vec(),
            bytes(&numbers(tensor)?),
        ));
    }
    let damaged = |detail: String| Error::Checkpoint {
        path: path.to_owned(),
        detail,
    };
    let json =
        serde_json::to_string(&state.progress).map_err(|error| damaged(error.to_string()))?;
    let metadata = HashMap::from([(KEY.to_owned(), json)]);
    let mut views = Vec::with_capacity(tensors.len());
    for (name, shape, data) in &tensors {
        let view = TensorView::new(Dtype::F32, shape.clone(), data);
        views.push((
            name.as_str(),
            view.map_err(|error| damaged(error.to_string()))?,
        ));
    }
    let whole = safetensors::serialize(views, Some(metadata))
        .map_err(|error| damaged(error.to_string()))?;
    write_atomic(path, |file| file.write_all(&whole)).map_err(Error::io(path))
}

/// Reads a run back into `parameters`, which must be those of the same configuration.
pub(crate) fn load(
    path: &Path,
    config: &Config,
    settings: &Settings,
    parameters: &Parameters,
) -> Result<State, Error> {
    let damaged = |detail: String| Error::Checkpoint {
        path: path.to_owned(),
        detail,
    };
    let size = std::fs::metadata(path).map_err(Error::io(path))?.len();
    if size > LARGEST {
        return Err(damaged(format!(
            "it has {size} bytes, more than any checkpoint"
        )));
    }
    let bytes = std::fs::read(path).map_err(Error::io(path))?;
    let (_, metadata) =
        SafeTensors::read_metadata(&bytes).map_err(|error| damaged(error.to_string()))?;
    let json = metadata.metadata().as_ref().and_then(|all| all.get(KEY));
    let json = json.ok_or_else(|| {
        damaged(format!(
            "it has no metadata {KEY:?}: it is no training checkpoint"
        ))
    })?;
    let progress: Progress =
        serde_json::from_str(json).map_err(|error| damaged(error.to_string()))?;
    if progress.format != FORMAT {
        return Err(damaged(format!(
            "its format is {:?}, not {FORMAT:?}",
            progress.format
        )));
    }
    if progress.config != *config {
        return Err(damaged(format!(
            "it is of another model, {:?}, not {config:?}",
            progress.config
        )));
    }
    if progress.settings != *settings {
        return Err(damaged(format!(
            "it was trained with other settings, {:?}, not {settings:?}",
            progress.settings
        )));
    }
    let tensors = SafeTensors::deserialize(&bytes).map_err(|error| damaged(error.to_string()))?;
    let read = |name: &str, shape: &[usize]| -> Result<Vec<f32>, Error> {
        let view = tensors
            .tensor(name)
            .map_err(|error| damaged(format!("{name}: {error}")))?;
        if view.dtype() != Dtype::F32 || view.shape() != shape {
            return Err(damaged(format!(
                "{name} is {:?} {:?}, not F32 {shape:?}",
                view.dtype(),
                view.shape()
            )));
        }
        let values = view
            .data()
            .as_chunks::<4>()
            .0
            .iter()
            .map(|b| f32::from_le_bytes(*b));
        Ok(values.collect())
    };
    let mut state = State {
        moments: Moments {
            steps: progress.step,
            ..Moments::default()
        },
        best: BTreeMap::new(),
        progress,
    };
    // All is read before anything is changed.
    let mut found = Vec::new();
    for (name, var) in parameters.iter() {
        let shape = var.dims();
        let tensor = |part: &str| -> Result<Tensor, Error> {
            Ok(Tensor::from_vec(
                read(&format!("{part}.{name}"), shape)?,
                shape,
                &Device::Cpu,
            )?)
        };
        found.push((var, tensor("parameter")?));
        let moments = [
            read(&format!("first.{name}"), shape)?,
            read(&format!("second.{name}"), shape)?,
        ];
        state.moments.by_name.insert(name.to_owned(), moments);
        if state.progress.best.is_some() {
            state.best.insert(name.to_owned(), tensor("best")?);
        }
    }
    for (var, tensor) in found {
        var.set(&tensor)?;
    }
    Ok(state)
}
