//! What is declared to stand before every text given to a model.

/// Models, by the beginning of their name in lower case, for which another token than the
/// file's own bos does better before a text. SmolLM2 was trained on documents that
/// `<|endoftext|>` separates; its file names `<|im_start|>`, which begins a turn of a chat.
const DECLARED: &[(&str, &str)] = &[("smollm2", "<|endoftext|>")];

/// The prefix declared for the model of this name.
pub(super) fn declared(name: &str) -> Option<&'static str> {
    let name = name.to_lowercase();
    DECLARED
        .iter()
        .find(|(beginning, _)| name.starts_with(beginning))
        .map(|(_, prefix)| *prefix)
}
