//! Chat templates: messages to the text a chat model was trained on.
//!
//! Templates are Jinja, written for Python's Jinja2 as `transformers` sets it up: blocks take
//! their line's white space with them, `break` and `continue` work in loops, Python's methods
//! of texts, lists and mappings are there, and so are `raise_exception` and `strftime_now`
//! (in universal time). A template is part of a file that may be hostile: it cannot read
//! anything but what it is given, and stops after a fixed number of steps.

mod date;
mod json;

use std::time::SystemTime;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, ErrorKind, Value, context};

use crate::tokenizer::{Error, one_line};

/// Steps that a template may take. Real ones take a few dozen a message.
const STEPS: u64 = 500_000;

/// The longest template, in bytes. Those that describe tools at length have 20 kB.
const MAX_TEMPLATE: usize = 64 << 10;

/// The most joins (`~`) in a template. A chain of them takes the engine time that grows with the square of its length,
/// up to a minute for [`MAX_TEMPLATE`] bytes, before it counts steps. Real templates have a few dozen.
const MAX_JOINS: usize = 1000;

/// Stack of the thread that renders. The template engine takes nested expressions, and the values that they make,
/// by recursion, with no limit of its own on some: `1+1+1…`, or a list put into a list in a loop. The deepest that
/// [`MAX_TEMPLATE`] bytes can write, and [`STEPS`] steps can make, took less than 48 MB in an optimised build; pages
/// of a stack that are not reached take no memory.
const STACK: usize = 256 << 20;

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// What was said.
    pub content: String,
}

/// Renders `messages` with a checkpoint's template, and opens the assistant's answer. `bos` and
/// `eos` are the texts of those tokens, or empty. The result spells out special tokens, its bos
/// token included where the template has one: encode it with [`crate::Prefix::None`].
///
/// ```
/// use lookback_model::chat::{Message, render};
/// let template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>";
/// let message = Message { role: "user".into(), content: "Who?".into() };
/// assert_eq!(render(template, &[message], "", "")?, "<user>Who?<assistant>");
/// # Ok::<(), lookback_model::tokenizer::Error>(())
/// ```
///
/// # Errors
/// [`Error::Template`] where the template does not parse, or refuses the messages.
pub fn render(template: &str, messages: &[Message], bos: &str, eos: &str) -> Result<String, Error> {
    let failed = |detail: String| Error::Template { detail };
    check_size(template).map_err(failed)?;
    std::thread::scope(|scope| {
        let render = || render_here(template, messages, bos, eos);
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

/// Refuses what would keep the template engine busy before it counts its steps.
fn check_size(template: &str) -> Result<(), String> {
    let length = template.len();
    if length > MAX_TEMPLATE {
        return Err(format!(
            "it has {length} bytes; more than {MAX_TEMPLATE} are not read"
        ));
    }
    let joins = template.bytes().filter(|&byte| byte == b'~').count();
    if joins > MAX_JOINS {
        return Err(format!(
            "it joins texts with ~ in {joins} places; more than {MAX_JOINS} are not read"
        ));
    }
    Ok(())
}

/// [`render`] on the stack of the current thread; fails with a description.
fn render_here(
    template: &str,
    messages: &[Message],
    bos: &str,
    eos: &str,
) -> Result<String, String> {
    let template = without_generation_marks(template);
    let rendered = environment()
        .template_from_str(&template)
        .and_then(|template| {
            template.render(context! {
                messages => Serde(messages),
                tools => Value::from(()),
                documents => Value::from(()),
                add_generation_prompt => true,
                bos_token => bos,
                eos_token => eos,
            })
        });
    rendered.map_err(|error| describe(&error))
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()
        .expect("these options leave the delimiters as they are");
    environment.set_syntax(syntax);
    environment.set_fuel(Some(STEPS));
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.add_function("raise_exception", |message: String| {
        Err::<Value, _>(minijinja::Error::new(
            ErrorKind::InvalidOperation,
            format!("it refuses these messages: {message}"),
        ))
    });
    environment.add_function("strftime_now", |format: &str| {
        date::format(SystemTime::now(), format).ok_or_else(|| {
            minijinja::Error::new(
                ErrorKind::InvalidOperation,
                format!("the date format {format:?} is not supported"),
            )
        })
    });
    environment.add_filter("tojson", json::tojson);
    environment
}

/// What went wrong, and in which line.
fn describe(error: &minijinja::Error) -> String {
    let detail = match error.detail() {
        Some(detail) => one_line(detail),
        None => error.kind().to_string(),
    };
    match error.line() {
        Some(line) => format!("{detail} (line {line} of the template)"),
        None => detail,
    }
}

/// Turns `{% generation %}`, by which training marks the assistant's words, into a block that
/// changes nothing.
fn without_generation_marks(template: &str) -> String {
    let mut result = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(start) = rest.find("{%") {
        let (before, tag) = rest.split_at(start);
        result.push_str(before);
        let end = tag.find("%}").map_or(tag.len(), |end| end + 2);
        let (tag, after) = tag.split_at(end);
        let word = tag.trim_matches(|c: char| "{}%+-".contains(c) || c.is_whitespace());
        match word {
            "generation" => result.push_str(&tag.replace("generation", "if true")),
            "endgeneration" => result.push_str(&tag.replace("endgeneration", "endif")),
            _ => result.push_str(tag),
        }
        rest = after;
    }
    result.push_str(rest);
    result
}
