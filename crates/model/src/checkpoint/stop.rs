//! The tokens that end an answer.

use crate::tokenizer::Tokenizer;

/// Tokens that end a turn or a document wherever a vocabulary has them, whether or not a
/// file's metadata says so: chat models are often published with only one of theirs named.
const BY_NAME: &[&str] = &[
    "<|im_end|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<end_of_turn>",
];

/// `named`, the tokenizer's eos, and those known by name; ascending, each once.
pub(super) fn tokens(tokenizer: &Tokenizer, mut named: Vec<u32>) -> Vec<u32> {
    named.extend(tokenizer.eos());
    named.extend(BY_NAME.iter().filter_map(|name| tokenizer.token_id(name)));
    named.sort_unstable();
    named.dedup();
    named
}
