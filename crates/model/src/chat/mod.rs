//! Chat templates: messages to the text a chat model was trained on.
//!
//! Templates are Jinja, written for Python's Jinja2 as `transformers` sets it up: blocks take their line's white space
//! with them, `break` and `continue` work in loops, Python's methods of texts, lists and mappings are there, and so
//! are `raise_exception` and `strftime_now` (in universal time). A template is part of a file that may be hostile: it
//! cannot read anything but what it is given, and its steps, memory, time and output are limited.

mod date;
mod template;

use crate::tokenizer::Error;
use template::Variable;

/// The longest template, in bytes. Those that describe tools at length have 20 kB.
const MAX_TEMPLATE: usize = 64 << 10;

/// The most bytes that a template may write for each token of the context. The longest tokens of real vocabularies, runs
/// of spaces, have as many: what writes more cannot fit.
const BYTES_A_TOKEN: usize = 128;

/// Stack of the thread that renders. How deep a template nests is limited where it is parsed and run, to less than a
/// quarter of this in a build without optimisation; pages of a stack that are not reached take no memory.
const STACK: usize = 64 << 20;

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// What was said.
    pub content: String,
}

/// What a template is rendered with.
#[derive(Debug, Clone, Copy)]
pub struct Conversation<'a> {
    /// The turns, in order.
    pub messages: &'a [Message],
    /// The text of the token that begins a sequence, or empty.
    pub bos: &'a str,
    /// The text of the token that ends a sequence, or empty.
    pub eos: &'a str,
    /// Tokens that the model reads. A text that is sure to have more is not written.
    pub context_length: usize,
}

/// Renders a conversation with a checkpoint's template, and opens the assistant's answer. The result spells out
/// special tokens, its bos token included where the template has one: encode it with [`crate::Prefix::None`].
///
/// ```
/// use lookback_model::chat::{Conversation, Message, render};
/// let template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>";
/// let messages = [Message { role: "user".into(), content: "Who?".into() }];
/// let conversation = Conversation { messages: &messages, bos: "", eos: "", context_length: 8192 };
/// assert_eq!(render(template, &conversation)?, "<user>Who?<assistant>");
/// # Ok::<(), lookback_model::tokenizer::Error>(())
/// ```
///
/// # Errors
/// [`Error::Template`] where the template does not parse, refuses the messages, or goes beyond a limit, which is named.
pub fn render(template: &str, conversation: &Conversation<'_>) -> Result<String, Error> {
    let failed = |detail: String| Error::Template { detail };
    let length = template.len();
    if length > MAX_TEMPLATE {
        return Err(failed(format!(
            "it has {length} bytes; more than {MAX_TEMPLATE} are not read"
        )));
    }
    std::thread::scope(|scope| {
        let render = || render_here(template, conversation);
        let thread = std::thread::Builder::new().stack_size(STACK);
        let running = thread
            .spawn_scoped(scope, render)
            .map_err(|error| failed(format!("there is no memory for its stack: {error}")))?;
        // A panic would be a defect of the template engine, on a template that may be hostile.
        let rendered = running
            .join()
            .unwrap_or_else(|_| Err("the template engine failed".to_owned()));
        rendered.map_err(failed)
    })
}

/// [`render`] on the stack of the current thread; fails with a description.
fn render_here(source: &str, conversation: &Conversation<'_>) -> Result<String, String> {
    let mut turns = Vec::with_capacity(conversation.messages.len());
    for message in conversation.messages {
        turns.push(vec![
            ("role", message.role.as_str()),
            ("content", message.content.as_str()),
        ]);
    }
    let variables = [
        ("messages", Variable::Records(turns)),
        ("tools", Variable::None),
        ("documents", Variable::None),
        ("add_generation_prompt", Variable::Bool(true)),
        ("bos_token", Variable::Text(conversation.bos)),
        ("eos_token", Variable::Text(conversation.eos)),
    ];
    let most = conversation.context_length.saturating_mul(BYTES_A_TOKEN);
    template::render(source, &variables, most).map_err(|fault| fault.to_string())
}
