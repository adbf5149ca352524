//! Checkpoints of the Llama family (Touvron et al. 2023, <https://arxiv.org/abs/2302.13971>).

mod folder;
mod gguf;
mod tensors;

use super::family::Family;
use super::settings::Settings;
use super::weights::{RowOrder, Weights};
use super::{Config, Error};

/// Llama 1 to 3, and models that differ from it in numbers only.
pub(crate) struct Llama;

impl Family for Llama {
    fn architecture(&self) -> &'static str {
        "llama"
    }

    fn model_types(&self) -> &'static [&'static str] {
        // Mistral without its sliding window, as since version 0.2, is Llama.
        &["llama", "mistral"]
    }

    fn folder_config(&self, settings: Settings) -> Result<Config, Error> {
        folder::config(settings)
    }

    fn gguf_config(&self, settings: Settings, weights: &Weights) -> Result<Config, Error> {
        gguf::config(settings, weights)
    }

    fn canonical_name(&self, name: &str, config: &Config) -> Option<(String, RowOrder)> {
        tensors::canonical_name(name, config)
    }

    fn is_ignored(&self, name: &str, config: &Config) -> bool {
        tensors::is_ignored(name, config)
    }

    fn tensors(&self, config: &Config) -> Box<dyn Iterator<Item = (String, Vec<usize>)>> {
        tensors::all(config)
    }
}

/// The sizes that have to fit together, whichever file they came from.
struct Heads {
    d: usize,
    heads: usize,
    kv_heads: usize,
    head_dim: Option<usize>,
}

impl Heads {
    /// Checks them; gives the head dimension, which is d / H where it is not given.
    fn head_dim(&self, settings: &Settings, names: HeadNames) -> Result<usize, Error> {
        if self.kv_heads > self.heads || !self.heads.is_multiple_of(self.kv_heads) {
            let expected = format!("a divisor of the {} query heads", self.heads);
            return Err(settings.invalid(names.kv_heads, &self.kv_heads.into(), &expected));
        }
        let head_dim = match self.head_dim {
            Some(head_dim) => head_dim,
            None if self.d.is_multiple_of(self.heads) => self.d / self.heads,
            None => {
                let expected = format!("a divisor of {} where no head size is given", self.d);
                return Err(settings.invalid(names.heads, &self.heads.into(), &expected));
            }
        };
        if !head_dim.is_multiple_of(2) {
            let expected = "even, so that rotary position embedding has pairs to turn";
            return Err(settings.invalid(names.head_dim, &head_dim.into(), expected));
        }
        Ok(head_dim)
    }
}

/// What a format calls the settings of [`Heads`].
struct HeadNames {
    heads: &'static str,
    kv_heads: &'static str,
    head_dim: &'static str,
}
