//! Sizes of heads, and whether they fit together.

use crate::checkpoint::Error;
use crate::checkpoint::settings::Settings;

/// The sizes that have to fit together, whichever file they came from.
#[derive(Clone, Copy)]
pub(crate) struct HeadSizes {
    pub(crate) d: usize,
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) head_dim: Option<usize>,
}

/// What a format calls the settings of [`HeadSizes`].
#[derive(Clone, Copy)]
pub(crate) struct HeadNames {
    pub(crate) heads: &'static str,
    pub(crate) kv_heads: &'static str,
    pub(crate) head_dim: &'static str,
}

impl HeadSizes {
    /// Checks them; gives the head dimension, which is d / H where it is not given.
    pub(crate) fn head_dim(&self, settings: &Settings, names: HeadNames) -> Result<usize, Error> {
        if self.kv_heads > self.heads || !self.heads.is_multiple_of(self.kv_heads) {
            let expected = format!("a divisor of the {} query heads", self.heads);
            return Err(settings.invalid(names.kv_heads, &self.kv_heads.into(), &expected));
        }
        match self.head_dim {
            Some(head_dim) => Ok(head_dim),
            None if self.d.is_multiple_of(self.heads) => Ok(self.d / self.heads),
            None => {
                let expected = format!("a divisor of {} where no head size is given", self.d);
                Err(settings.invalid(names.heads, &self.heads.into(), &expected))
            }
        }
    }
}

/// Refuses a number of entries that cannot turn in pairs.
pub(crate) fn even(settings: &Settings, key: &str, dims: usize) -> Result<usize, Error> {
    if dims > 0 && dims.is_multiple_of(2) {
        return Ok(dims);
    }
    let expected = "even, so that rotary position embedding has pairs to turn";
    Err(settings.invalid(key, &dims.into(), expected))
}

/// d and H under these names, of a family whose heads have d / H entries.
pub(crate) fn equal_heads(
    settings: &mut Settings,
    (d_name, heads_name): (&str, &str),
) -> Result<(usize, usize), Error> {
    let d = settings.required_size(d_name)?;
    let heads = settings.required_size(heads_name)?;
    match d.is_multiple_of(heads) {
        true => Ok((d, heads)),
        false => {
            let expected = format!("a divisor of {d_name}, {d}");
            Err(settings.invalid(heads_name, &heads.into(), &expected))
        }
    }
}
