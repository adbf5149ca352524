//! What encoding a text gives.

/// Tokens of a text and their places in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoding {
    /// Token ids, the prefix's first.
    pub ids: Vec<u32>,
    /// For each token the UTF-8 bytes [start, end) of `text` that it stands for, widened to
    /// whole characters: every token of a character made of several has that character's span.
    /// Empty for prefix tokens.
    pub spans: Vec<(usize, usize)>,
    /// How many tokens come from the prefix.
    pub prefix_tokens: usize,
    /// The text, without the prefix.
    pub text: String,
}

/// What stands before the text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Prefix {
    /// Nothing.
    None,
    /// The tokenizer's beginning-of-sequence token.
    Bos,
    /// This text, which may spell out special tokens.
    Text(String),
    /// What is declared for the model: see [`super::Tokenizer::declared_prefix`].
    #[default]
    Declared,
    /// What the tokenizer itself puts before every text: its bos token, or nothing.
    Tokenizer,
}
