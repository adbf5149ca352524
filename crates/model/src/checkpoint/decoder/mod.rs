//! Settings of decoders, as most families name them: those of `transformers` in config.json
//! and GGUF's keys. A [`Format`](super::format::Format) whose family has none of its own uses
//! these.

mod folder;
mod gguf;
mod known;

pub(crate) use folder::config as folder_config;
pub(crate) use gguf::config as gguf_config;

use super::Error;
use super::settings::Settings;

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
