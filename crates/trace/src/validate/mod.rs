//! What must hold of every trace, wherever it comes from.
//!
//! A file may be damaged or made to do harm, so that everything that later code relies on (sizes, order, ranges,
//! signs) is established here, once, before a [`Trace`](crate::Trace) exists.

mod interventions;
mod layers;
mod tokens;

use crate::error::ensure;
use crate::ids::Ids;
use crate::layer::Stored;
use crate::{Dtype, Error, Meta, Version, quoted};

/// Refuses a trace whose parts contradict each other; gives the numbers of its layers and heads.
pub(crate) fn all(meta: &Meta, layers: &[Stored], version: Version) -> Result<Ids, Error> {
    tokens::all(meta)?;
    ensure(!layers.is_empty(), || "it has no layers".into())?;
    ensure(layers.len() == meta.layers.len(), || {
        format!(
            "`layers` describes {} layers, and there are tensors of {}",
            meta.layers.len(),
            layers.len()
        )
    })?;
    layers::all(meta, layers)?;
    let ids = Ids::new(meta, layers)?;
    interventions::all(meta, layers, &ids)?;
    rounding(meta, version)?;
    let own = |key: &String| key.starts_with(crate::metadata::OWN);
    match meta.extra.keys().find(|key| !own(key)) {
        None => Ok(ids),
        Some(key) => Err(Error::Inconsistent(format!(
            "the note {} does not begin with `x_`",
            quoted(key)
        ))),
    }
}

/// What rounding did to the weights is known wherever there was any.
fn rounding(meta: &Meta, version: Version) -> Result<(), Error> {
    let change = meta.qk_rounding_max_weight_change;
    let known = meta.qk_dtype == Dtype::F32 || change.is_some();
    ensure(known || version == Version::Two, || {
        "`qk_dtype` is f16, and `qk_rounding_max_weight_change` is missing".into()
    })?;
    ensure(change.is_none_or(|c| (0.0..=1.0).contains(&c)), || {
        "`qk_rounding_max_weight_change` is not between 0 and 1".into()
    })
}
