//! LoRA adapters as PEFT writes them: a folder with adapter_config.json and adapter_model.safetensors, which is merged into the
//! model that it was trained for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::family::{Family, Layout};
use super::folder_weights::read_pickled;
use super::low_rank::{LowRank, Update};
use super::map::MappedFile;
use super::safetensors::{read_header, stored};
use super::settings::Settings;
use super::small_files::read_json;
use super::weights::Weights;
use super::{Error, OpenOptions};

const CONFIG: &str = "adapter_config.json";
const WEIGHTS: &str = "adapter_model.safetensors";
/// What older versions of PEFT wrote.
const PICKLED: &str = "adapter_model.bin";

/// An adapter that can be merged.
pub(super) struct Adapter {
    folder: PathBuf,
    /// α.
    alpha: f32,
    /// α of modules whose names end so.
    alphas: Vec<(String, f32)>,
    /// Whether B·A is scaled by α/√r and not α/r.
    by_root: bool,
    /// The model that it is said to belong to.
    base: Option<String>,
    /// Names of its unknown keys that were passed over.
    accepted: Vec<String>,
    notes: Vec<String>,
}

impl Adapter {
    /// The adapter in `folder`, if that is one's.
    ///
    /// # Errors
    /// What cannot be merged, by name.
    pub(super) fn read(folder: &Path, options: &OpenOptions) -> Result<Option<Self>, Error> {
        let path = folder.join(CONFIG);
        if !path.exists() {
            return Ok(None);
        }
        let Value::Object(values) = read_json(&path)? else {
            return Err(Error::Json {
                path,
                detail: "it is no object".to_owned(),
            });
        };
        let settings = Settings::new(path.display().to_string(), "", values);
        let mut settings = settings.accepting(&options.accept_keys);
        settings.only("peft_type", &json!("LORA"))?;
        // The matrices say their rank themselves.
        settings.ignore(&["r"]);
        let alpha = settings.number("lora_alpha")?.unwrap_or(8.0);
        let alphas = alphas(&mut settings)?;
        let by_root = settings.bool("use_rslora")?.unwrap_or(false);
        let base = settings.text("base_model_name_or_path")?;
        refuse_others(&mut settings)?;
        Ok(Some(Self {
            folder: folder.to_owned(),
            alpha,
            alphas,
            by_root,
            base,
            accepted: settings.accepted(),
            notes: settings.passed(),
        }))
    }

    /// Options for its model: without the keys that were the adapter's own.
    pub(super) fn options_of_base(&self, options: &OpenOptions) -> OpenOptions {
        let mut options = options.clone();
        options
            .accept_keys
            .retain(|key| !self.accepted.contains(key));
        options
    }

    /// The folder of the model that it belongs to: the one that was named, else the one that it names itself.
    ///
    /// # Errors
    /// [`Error::AdapterBase`] where there is none.
    pub(super) fn base(&self, named: Option<&Path>) -> Result<PathBuf, Error> {
        let own = || {
            let base = self.base.as_deref().filter(|base| !base.is_empty())?;
            let candidates = [PathBuf::from(base), self.folder.join(base)];
            candidates.into_iter().find(|path| path.is_dir())
        };
        let base = match named {
            Some(named) => named.to_owned(),
            None => own().ok_or_else(|| Error::AdapterBase {
                folder: self.folder.clone(),
                base: self.base.clone(),
            })?,
        };
        if !base.is_dir() || base.join(CONFIG).exists() {
            return Err(Error::AdapterBaseKind { base });
        }
        Ok(base)
    }

    /// Adds its updates to a model's weights, and says so.
    ///
    /// # Errors
    /// A tensor that cannot be merged, or fits none of the model's, by name.
    pub(super) fn merge(
        self,
        weights: Weights,
        family: &Family,
        tied: bool,
    ) -> Result<(Weights, Vec<String>), Error> {
        let (path, own) = self.own_weights(family)?;
        let (mut files, mut tensors) = weights.into_parts();
        let mut ranks = BTreeSet::new();
        let modules = modules(&own, &path)?;
        let count = modules.len();
        for (module, pair) in modules {
            let name = format!("{module}.weight");
            let with_prefix = format!("{}{name}", family.base_prefix);
            let refused = |detail: String| Error::AdapterTensor {
                path: path.clone(),
                module: module.clone(),
                detail,
            };
            if tied && pair.of_embeddings {
                let detail =
                    "the model's output head is its embedding table, and would not be adapted";
                return Err(refused(detail.to_owned()));
            }
            let mut names = [name, with_prefix].into_iter();
            let name = names.find(|name| tensors.contains_key(name));
            if tied && family.is_of_head(&format!("{module}.weight")) {
                let detail =
                    "the model's output head is its embedding table, and cannot be adapted alone";
                return Err(refused(detail.to_owned()));
            }
            let Some((name, tensor)) = name.and_then(|name| {
                let tensor = tensors.get_mut(&name)?;
                Some((name, tensor))
            }) else {
                return Err(refused("the model has no such matrix".to_owned()));
            };
            let ([rank, inputs], [outputs, _]) = (pair.a.shape, pair.b.shape);
            let expected = match is_transposed(family, &name) {
                true => [inputs, outputs],
                false => [outputs, inputs],
            };
            if tensor.shape != expected {
                let shape = &tensor.shape;
                return Err(refused(format!(
                    "it is of [{outputs}, {inputs}], and the model's matrix of {shape:?}"
                )));
            }
            if tensor.update.is_some() {
                return Err(refused("it is there under two names".to_owned()));
            }
            let scale = self.scale(&module, rank);
            let low_rank = LowRank::new(pair.a.values, pair.b.values, rank, scale);
            tensor.update = Some(Update::new(low_rank));
            ranks.insert(rank);
        }
        files.extend(own.into_parts().0);
        let mut notes = self.notes;
        let ranks: Vec<String> = ranks.iter().map(usize::to_string).collect();
        notes.push(format!(
            "the LoRA adapter (rank {}) is merged into {count} matrices of the model",
            ranks.join(", ")
        ));
        Ok((Weights::new(files, tensors), notes))
    }

    /// Its own file and the tensors in it.
    fn own_weights(&self, family: &Family) -> Result<(PathBuf, Weights), Error> {
        let [path, pickled] = [WEIGHTS, PICKLED].map(|name| self.folder.join(name));
        if !path.exists() && pickled.exists() {
            let weights = read_pickled(&pickled, family)?;
            return Ok((pickled, weights));
        }
        if !path.exists() {
            return Err(Error::MissingFile {
                folder: self.folder.clone(),
                file: WEIGHTS,
                hint: format!(", and no {PICKLED} either"),
            });
        }
        let files = vec![MappedFile::open(&path)?];
        let tensors = stored(read_header(&files[0], 0, family)?, &files)?;
        Ok((path, Weights::new(files, tensors)))
    }

    /// What B·A of a module is scaled by.
    fn scale(&self, module: &str, rank: usize) -> f32 {
        let mut alphas = self.alphas.iter();
        let own = alphas.find(|(name, _)| {
            let before = module.strip_suffix(name.as_str());
            before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
        });
        let alpha = own.map_or(self.alpha, |(_, alpha)| *alpha);
        let rank = rank as f32;
        alpha / if self.by_root { rank.sqrt() } else { rank }
    }
}

/// Whether the family stores the matrix of this name with rows and columns exchanged.
fn is_transposed(family: &Family, name: &str) -> bool {
    let mut all = family.outside.iter().chain(family.layer);
    all.any(|named| {
        let before = name.strip_suffix(named.folder);
        let is_it = before.is_some_and(|before| before.is_empty() || before.ends_with('.'));
        is_it
            && matches!(
                named.folder_layout,
                Layout::Transposed | Layout::TransposedBlock
            )
    })
}

/// `alpha_pattern`: patterns of the ends of modules' names, of which plain names are read.
fn alphas(settings: &mut Settings) -> Result<Vec<(String, f32)>, Error> {
    let Some(found) = settings.take("alpha_pattern") else {
        return Ok(Vec::new());
    };
    let read = |(name, alpha): (&String, &Value)| {
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
        let alpha = alpha.as_f64().filter(|alpha| alpha.is_finite())?;
        (name.chars().all(is_name)).then(|| (name.clone(), alpha as f32))
    };
    let entries = found.as_object().map(|entries| entries.iter().map(read));
    let alphas: Option<Vec<_>> = entries.and_then(Iterator::collect);
    alphas.ok_or_else(|| {
        settings.unsupported(
            "alpha_pattern",
            &found,
            "plain names of modules, each with a number",
        )
    })
}

/// Refuses what changes the model in another way, or what it is merged into.
fn refuse_others(settings: &mut Settings) -> Result<(), Error> {
    settings.only("bias", &json!("none"))?;
    for key in [
        "use_dora",
        "use_qalora",
        "use_bdlora",
        "lora_bias",
        "is_prompt_learning",
    ] {
        settings.only(key, &json!(false))?;
    }
    for key in [
        "modules_to_save",
        "layer_replication",
        "trainable_token_indices",
        "target_parameters",
        "alora_invocation_tokens",
        "arrow_config",
    ] {
        match settings.take(key) {
            Some(Value::Array(list)) if list.is_empty() => {}
            Some(Value::Object(entries)) if entries.is_empty() => {}
            Some(value) => return Err(settings.unsupported(key, &value, "none")),
            None => {}
        }
    }
    // These initialisations subtract the first B·A from the model's own weights, which the base folder here still has.
    if let Some(begun) = settings.take("init_lora_weights")
        && ["pissa", "olora", "corda", "loftq", "lora_ga"]
            .iter()
            .any(|way| {
                begun
                    .as_str()
                    .is_some_and(|text| text.to_lowercase().starts_with(way))
            })
    {
        let supported = "ways that leave the model's own weights as they are";
        return Err(settings.unsupported("init_lora_weights", &begun, supported));
    }
    settings.ignore(NEUTRAL);
    settings.finish()
}

/// Keys that change nothing, or that the tensors say themselves.
const NEUTRAL: &[&str] = &[
    "auto_mapping",
    "corda_config",
    "ensure_weight_tying",
    "eva_config",
    "exclude_modules",
    "fan_in_fan_out",
    "inference_mode",
    "layers_pattern",
    "layers_to_transform",
    "loftq_config",
    "lora_dropout",
    "lora_ga_config",
    "megatron_config",
    "megatron_core",
    "peft_version",
    "qalora_group_size",
    "rank_pattern",
    "revision",
    "runtime_config",
    "target_modules",
    "task_type",
];

/// A matrix in f32.
struct Matrix {
    values: Vec<f32>,
    shape: [usize; 2],
}

impl Matrix {
    fn read(weights: &Weights, name: &str, path: &Path) -> Result<Self, Error> {
        let shape = &weights.get(name)?.shape;
        let &[rows, columns] = &shape[..] else {
            return Err(Error::AdapterTensor {
                path: path.to_owned(),
                module: name.to_owned(),
                detail: format!("it is of {shape:?}, and no matrix"),
            });
        };
        Ok(Self {
            values: weights.tensor_f32(name)?.flatten_all()?.to_vec1()?,
            shape: [rows, columns],
        })
    }

    fn transposed(&self) -> Self {
        let [rows, columns] = self.shape;
        let column = |c: usize| (0..rows).map(move |r| self.values[r * columns + c]);
        Self {
            values: (0..columns).flat_map(column).collect(),
            shape: [columns, rows],
        }
    }
}

/// A module's update.
struct Pair {
    /// \[rank, inputs\].
    a: Matrix,
    /// \[outputs, rank\].
    b: Matrix,
    of_embeddings: bool,
}

/// What stands behind a module's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    A,
    B,
    EmbeddingA,
    EmbeddingB,
}

/// All updates, by the model's names of the modules.
fn modules(weights: &Weights, path: &Path) -> Result<BTreeMap<String, Pair>, Error> {
    let mut names: BTreeMap<String, BTreeMap<Side, &str>> = BTreeMap::new();
    for name in weights.names() {
        let Some((module, side)) = module(name) else {
            return Err(Error::AdapterTensor {
                path: path.to_owned(),
                module: name.to_owned(),
                detail: "it is no part of LoRA's two matrices".to_owned(),
            });
        };
        let sides = names.entry(module.to_owned()).or_default();
        if let Some(other) = sides.insert(side, name) {
            return Err(Error::AdapterTensor {
                path: path.to_owned(),
                module: module.to_owned(),
                detail: format!("a matrix of it is there twice, as {name} and {other}"),
            });
        }
    }
    let mut pairs = BTreeMap::new();
    for (module, sides) in names {
        let of = |side| Matrix::read(weights, sides[&side], path);
        let pair = match sides.keys().copied().collect::<Vec<_>>()[..] {
            [Side::A, Side::B] => Pair {
                a: of(Side::A)?,
                b: of(Side::B)?,
                of_embeddings: false,
            },
            // The table is read by rows: its transpose has the form of other matrices.
            [Side::EmbeddingA, Side::EmbeddingB] => Pair {
                a: of(Side::EmbeddingB)?.transposed(),
                b: of(Side::EmbeddingA)?.transposed(),
                of_embeddings: true,
            },
            _ => {
                return Err(Error::AdapterTensor {
                    path: path.to_owned(),
                    module,
                    detail:
                        "it has one of LoRA's two matrices, lora_A and lora_B, and not the other"
                            .to_owned(),
                });
            }
        };
        if pair.a.shape[0] != pair.b.shape[1] {
            let (a, b) = (pair.a.shape, pair.b.shape);
            return Err(Error::AdapterTensor {
                path: path.to_owned(),
                module,
                detail: format!("its matrices, of {a:?} and {b:?}, are of two ranks"),
            });
        }
        pairs.insert(module, pair);
    }
    if pairs.is_empty() {
        return Err(Error::AdapterTensor {
            path: path.to_owned(),
            module: "the file".to_owned(),
            detail: "it holds no tensors".to_owned(),
        });
    }
    Ok(pairs)
}

/// The module of a tensor's name and which of its matrices it is. Older files have the adapter's own name, `default`, in it.
fn module(name: &str) -> Option<(&str, Side)> {
    let name = name.strip_prefix("base_model.model.").unwrap_or(name);
    let sides = [
        (".lora_A", Side::A),
        (".lora_B", Side::B),
        (".lora_embedding_A", Side::EmbeddingA),
        (".lora_embedding_B", Side::EmbeddingB),
    ];
    sides.into_iter().find_map(|(marked, side)| {
        let (module, rest) = name.split_once(marked)?;
        let known = match side {
            Side::A | Side::B => [".weight", ".default.weight"],
            Side::EmbeddingA | Side::EmbeddingB => ["", ".default"],
        };
        (known.contains(&rest) && !module.is_empty()).then_some((module, side))
    })
}

/// The model that the adapter in `folder` says it belongs to, if there is an adapter that says so.
pub(super) fn named_base(folder: &Path) -> Option<String> {
    let json = read_json(&folder.join(CONFIG)).ok()?;
    json["base_model_name_or_path"].as_str().map(str::to_owned)
}
