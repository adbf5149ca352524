//! Whom similarity of the raw embeddings alone would choose: the notes' first formula.

use lookback_attention::{Mask, reference};
use lookback_model::{Model, Prefix};

use super::question::{Question, tokens_of};
use super::read::{From, rows_of};
use crate::Error;

/// softmax(x_i·x_j/√d) over the keys that the word may see, x the rows of the embedding table, summed over each
/// candidate's tokens and averaged over the word's: \[candidates\].
///
/// # Errors
/// The model's.
pub fn embedding_similarity(
    model: &Model,
    question: &Question,
    prefix: &Prefix,
) -> Result<Vec<f64>, Error> {
    let encoding = model.tokenizer().encode(&question.text, prefix)?;
    let x = model.embeddings(&encoding.ids)?.mapv(f64::from);
    let rows = rows_of(&encoding, question, From::Word);
    let mut sums = vec![0.0; question.candidates.len()];
    for row in rows.clone() {
        let query = x.slice(ndarray::s![row..row + 1, ..]);
        let scores = reference::scores(query, x.view())?;
        let scores = reference::scale(scores.view(), 1.0 / (x.ncols() as f64).sqrt())?;
        let seen = Mask::Causal {
            offset: row as isize,
        };
        let weights = reference::softmax(reference::mask(scores.view(), &seen)?.view())?;
        for (sum, candidate) in sums.iter_mut().zip(&question.candidates) {
            for &place in &candidate.places {
                let keys = tokens_of(&encoding, place);
                *sum += weights.slice(ndarray::s![0, keys]).sum();
            }
        }
    }
    let count = rows.len().max(1) as f64;
    Ok(sums.into_iter().map(|sum| sum / count).collect())
}
