//! The record of what was changed while the model ran.

use crate::error::ensure;
use crate::ids::{Ids, MOST};
use crate::layer::Stored;
use crate::{Error, Meta, Site};

/// A record of interventions names heads and tokens that exist. Those of layers and heads that the trace does not hold cannot be
/// checked beyond that their numbers are ones.
pub(super) fn all(meta: &Meta, layers: &[Stored], ids: &Ids) -> Result<(), Error> {
    let record = &meta.interventions;
    let n = meta.tokens.len();
    let m = meta.keys.as_ref().map_or(n, |keys| keys.tokens.len());
    let head = |what: &str, layer: usize, head: usize| {
        let known = ids.find(layer).map(|at| layers[at].q.heads);
        let exists = match known {
            Some(heads) if ids.has_first_heads(layer) => head < heads,
            Some(_) => head < MOST,
            None => !ids.has_first_layers() && layer < MOST && head < MOST,
        };
        ensure(exists, || {
            format!("`edits` has {what} in head {layer}.{head}, which does not exist")
        })
    };
    for cut in &record.cut {
        head("a cut edge", cut.layer, cut.head)?;
        ensure(cut.i < n && cut.j < m, || {
            format!("`edits` cuts the edge {} to {} of {n} tokens", cut.i, cut.j)
        })?;
    }
    for ablated in record.ablated.iter().chain(&record.mean_ablated) {
        head("an ablation", ablated.layer, ablated.head)?;
    }
    for patched in &record.patched {
        let of_keys = matches!(patched.site, Site::K | Site::V);
        match ids.find(patched.layer) {
            // Key heads are not numbered where only some of the query heads are there.
            Some(at) if of_keys && ids.has_first_heads(patched.layer) => {
                ensure(patched.head < layers[at].k.heads, || {
                    format!(
                        "`edits` has a patch in head {}.{}, which does not exist",
                        patched.layer, patched.head
                    )
                })?;
            }
            _ => head("a patch", patched.layer, patched.head)?,
        }
        let (rows, tokens) = (patched.rows, if of_keys { m } else { n });
        let end = patched.first.checked_add(rows);
        ensure(end.is_some_and(|end| end <= tokens), || {
            format!(
                "`edits` patches {rows} tokens from {} on, of {tokens}",
                patched.first
            )
        })?;
    }
    for scaled in &record.scaled {
        head("a scaling", scaled.layer, scaled.head)?;
        ensure(scaled.factor.is_finite(), || {
            format!(
                "`edits` scales head {}.{} by {}",
                scaled.layer, scaled.head, scaled.factor
            )
        })?;
    }
    Ok(())
}
