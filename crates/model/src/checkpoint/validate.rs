//! Whether a checkpoint has the tensors its configuration asks for.

use super::format::Format;
use super::weights::Weights;
use super::{Config, Error};

/// Checks that each tensor of the model is there with its shape, and that none is there that
/// the model would not use.
pub(crate) fn check_tensors(
    format: &Format,
    config: &Config,
    weights: &Weights,
) -> Result<(), Error> {
    let mut used = 0;
    for (name, expected) in format.tensors(config) {
        let found = &weights.get(&name)?.shape;
        if *found != expected {
            return Err(Error::Shape {
                name,
                found: found.clone(),
                expected,
            });
        }
        used += 1;
    }
    if weights.names().count() == used {
        return Ok(());
    }
    let expected: std::collections::HashSet<String> =
        format.tensors(config).map(|(name, _)| name).collect();
    let unknown = weights
        .names()
        .filter(|name| !expected.contains(*name) && !format.is_ignored(name, config))
        .min();
    match unknown {
        None => Ok(()),
        Some(name) => Err(Error::UnknownTensor {
            name: name.to_owned(),
            architecture: format.architecture,
        }),
    }
}
