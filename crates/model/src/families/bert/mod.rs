//! BERT (Devlin et al. 2018, <https://arxiv.org/abs/1810.04805>), RoBERTa (Liu et al. 2019,
//! <https://arxiv.org/abs/1907.11692>) and DistilBERT (Sanh et al. 2019, <https://arxiv.org/abs/1910.01108>): encoders with
//! learned positions and LayerNorm behind each part, and a head that predicts masked words where it is stored.

#[allow(
    clippy::module_inception,
    reason = "the family is named after its first model"
)]
mod bert;
mod distilbert;
mod encoder;
mod roberta;
mod shared;

pub(super) use bert::FAMILY as BERT;
pub(super) use distilbert::FAMILY as DISTILBERT;
pub(super) use roberta::FAMILY as ROBERTA;
