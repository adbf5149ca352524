//! What a masked-word model predicts in place of a mask (Devlin et al. 2018, <https://arxiv.org/abs/1810.04805>).

use lookback_model::{Encoding, Hooks, Logits, Model, PrefillOptions};
use serde::Serialize;

use crate::Error;
use crate::who::cause::log_softmax;

/// A masked token, and what is predicted there.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Masked {
    /// Which token of the text it is, the prefix's counted.
    pub token: usize,
    /// The likeliest, the likeliest first.
    pub candidates: Vec<Filling>,
}

/// A token predicted in place of a mask.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Filling {
    /// Its id.
    pub id: u32,
    /// Its text, without the space before it.
    pub text: String,
    /// Its probability, 0 to 1.
    pub probability: f64,
}

/// The `top` likeliest tokens in the place of each mask of a text.
///
/// # Errors
/// [`Error::NoMaskedHead`] where the model does not predict masked words, [`Error::NoMask`] where the text has none to
/// predict, and the model's.
pub fn fill(
    model: &Model,
    encoding: &Encoding,
    top: usize,
    hooks: &dyn Hooks,
) -> Result<Vec<Masked>, Error> {
    let head = model.spec().head.as_ref();
    let mask = model
        .tokenizer()
        .mask()
        .filter(|_| head.is_some_and(|head| head.masked));
    let Some(mask) = mask else {
        return Err(Error::NoMaskedHead {
            architecture: model.spec().architecture,
        });
    };
    let ids = encoding.ids.iter().enumerate();
    let masks: Vec<usize> = ids
        .filter(|(_, id)| **id == mask)
        .map(|(at, _)| at)
        .collect();
    if masks.is_empty() {
        let mask = model.tokenizer().token_text(mask);
        return Err(Error::NoMask {
            mask: mask.unwrap_or_default(),
        });
    }
    let options = PrefillOptions {
        logits: Logits::At(masks.clone()),
        ..PrefillOptions::default()
    };
    let logits = model.prefill_with(&encoding.ids, &options, hooks)?.logits;
    let rows = masks.into_iter().zip(logits.outer_iter());
    Ok(rows
        .map(|(token, logits)| Masked {
            token,
            candidates: likeliest(model, &log_softmax(logits), top),
        })
        .collect())
}

fn likeliest(model: &Model, log_prob: &[f64], top: usize) -> Vec<Filling> {
    let mut order: Vec<usize> = (0..log_prob.len()).collect();
    let larger = |&a: &usize, &b: &usize| log_prob[b].total_cmp(&log_prob[a]).then(a.cmp(&b));
    order.sort_by(larger);
    let filling = |id: usize| Filling {
        id: id as u32,
        text: model
            .tokenizer()
            .decode(&[id as u32], false)
            .trim()
            .to_owned(),
        probability: log_prob[id].exp(),
    };
    order.into_iter().take(top).map(filling).collect()
}
