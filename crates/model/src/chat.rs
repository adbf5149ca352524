//! Chat templates: messages to the text a chat model was trained on.

use crate::tokenizer::Error;

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// What was said.
    pub content: String,
}

/// Renders `messages` with a checkpoint's Jinja template, and opens the assistant's answer.
/// `bos` and `eos` are the texts of those tokens, or empty.
///
/// # Errors
/// Where the template does not parse, or refuses the messages.
pub fn render(
    _template: &str,
    _messages: &[Message],
    _bos: &str,
    _eos: &str,
) -> Result<String, Error> {
    unimplemented!()
}
