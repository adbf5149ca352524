//! The page: what the server shows, and one file that keeps it without a server.
//!
//! The page is written in TypeScript in `web/`, and what is built of it is kept in `assets/page/`.

use std::io::Write;

use base64::prelude::BASE64_STANDARD;
use base64::write::EncoderWriter;
use lookback_trace::{Dtype, Error as TraceError, Mask, SaveOptions, Trace, TraceFile};
use serde::Serialize;

use crate::Error;

/// The page of the server.
pub const INDEX: &str = include_str!("../assets/page/index.html");
/// Its script.
pub const SCRIPT: &str = include_str!("../assets/page/app.js");
/// Its style.
pub const STYLE: &str = include_str!("../assets/page/app.css");
/// Its icon.
pub const ICON: &str = include_str!("../assets/page/icon.svg");

/// What a page needs to know of a trace beside its numbers. Places in the text are in UTF-16 code units, as
/// JavaScript counts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Description {
    /// The model.
    pub model: String,
    /// Its hash.
    pub model_sha256: Option<String>,
    /// What ran it.
    pub library: String,
    /// The text.
    pub text: String,
    /// Texts of the prefix tokens; where nobody knows them, their numbers in brackets.
    pub prefix: Vec<String>,
    /// N.
    pub n: usize,
    /// Each token: its number in the vocabulary, and where it starts and ends.
    pub tokens: Vec<(u32, usize, usize)>,
    /// Each word: where it starts and ends, its first token, and the one after its last.
    pub words: Vec<(usize, usize, usize, usize)>,
    /// Query heads of each layer.
    pub heads: Vec<usize>,
    /// For each layer, whether queries see only themselves and what is before them.
    pub causal: Vec<bool>,
    /// How queries and keys are stored.
    pub qk_dtype: Dtype,
    /// The largest change of a weight by rounding them; none where nothing was rounded.
    pub rounding: Option<f32>,
    /// Whether the run was changed: heads ablated, edges cut.
    pub edited: bool,
}

impl Description {
    /// Describes a trace whose prefix tokens have these texts.
    #[must_use]
    pub fn new(trace: &Trace, prefix: &[String]) -> Self {
        let meta = trace.meta();
        let utf16 = Utf16::new(&meta.text);
        let known = |token: usize| prefix.get(token).cloned();
        Self {
            model: meta.model.clone(),
            model_sha256: meta.model_sha256.clone(),
            library: meta.library.clone(),
            prefix: (0..meta.prefix_tokens)
                .map(|token| known(token).unwrap_or_else(|| format!("[{}]", meta.tokens[token])))
                .collect(),
            n: trace.n(),
            tokens: meta
                .tokens
                .iter()
                .zip(&meta.spans)
                .map(|(&id, &(start, end))| (id, utf16.place(start), utf16.place(end)))
                .collect(),
            words: trace
                .words()
                .iter()
                .map(|w| {
                    (
                        utf16.place(w.span.start),
                        utf16.place(w.span.end),
                        w.tokens.start,
                        w.tokens.end,
                    )
                })
                .collect(),
            heads: (0..trace.layer_count())
                .map(|layer| trace.head_count(layer))
                .collect(),
            causal: meta
                .layers
                .iter()
                .map(|layer| layer.mask != Mask::None)
                .collect(),
            qk_dtype: meta.qk_dtype,
            rounding: meta.qk_rounding_max_weight_change,
            edited: meta.interventions != lookback_trace::InterventionRecord::default(),
            text: meta.text.clone(),
        }
    }
}

/// Places of a text in UTF-16 code units by their places in bytes.
struct Utf16(Vec<u32>);

impl Utf16 {
    fn new(text: &str) -> Self {
        let mut places = vec![0; text.len() + 1];
        let mut at = 0;
        for (byte, c) in text.char_indices() {
            places[byte] = at;
            at += c.len_utf16() as u32;
        }
        places[text.len()] = at;
        Self(places)
    }

    fn place(&self, byte: usize) -> usize {
        self.0.get(byte).copied().unwrap_or_default() as usize
    }
}

/// One HTML file that keeps the text view and the map of all heads, and needs neither server nor network.
///
/// It holds the trace itself, not its weights: queries and keys as f16, from which the page computes any weight as
/// a trace does. That is 2 · layers · N · (H + H_kv) · d_k bytes, a third more in base64. Where f16 cannot hold them,
/// f32 is used, twice as much.
#[derive(Debug)]
pub struct Page<'a> {
    /// JSON of a [`Description`].
    description: String,
    trace: TraceFile<'a>,
}

impl<'a> Page<'a> {
    /// Computes what is to be written, which takes longer than writing it.
    ///
    /// # Errors
    /// [`Error::Trace`].
    pub fn new(trace: &'a Trace, prefix: &[String]) -> Result<Self, Error> {
        let file = |qk_dtype| {
            trace.file(&SaveOptions {
                qk_dtype,
                values: false,
            })
        };
        let (file, qk_dtype) = match file(Dtype::F16) {
            Err(TraceError::TooLargeForF16 { .. } | TraceError::ScoresTooLargeForF16 { .. }) => {
                (file(Dtype::F32)?, Dtype::F32)
            }
            file => (file?, Dtype::F16),
        };
        let description = Description {
            qk_dtype,
            rounding: file.saved().qk_rounding_max_weight_change,
            ..Description::new(trace, prefix)
        };
        Ok(Self {
            description: serde_json::to_string(&description).map_err(std::io::Error::from)?,
            trace: file,
        })
    }

    /// Writes it.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn write(&self, out: &mut dyn Write) -> Result<(), Error> {
        write!(
            out,
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src 'unsafe-inline'; \
             style-src 'unsafe-inline'; img-src data: blob:\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>Lookback</title>\n\
             <style>{}</style>\n</head>\n<body>\n<div id=\"app\"></div>\n\
             <script type=\"application/json\" id=\"description\">{}</script>\n\
             <script type=\"application/octet-stream\" id=\"trace\">",
            in_element(STYLE),
            in_element(&self.description),
        )?;
        let mut encoded = EncoderWriter::new(&mut *out, &BASE64_STANDARD);
        self.trace.write_to(&mut encoded)?;
        encoded.finish()?;
        drop(encoded);
        write!(
            out,
            "</script>\n<script type=\"module\">{}</script>\n</body>\n</html>\n",
            in_element(SCRIPT)
        )?;
        Ok(())
    }
}

/// Keeps what stands in a script or style from ending it: in strings, `<\/` is `</`.
fn in_element(content: &str) -> String {
    content.replace("</", "<\\/").replace("<!--", "<\\u0021--")
}

#[cfg(test)]
mod tests {
    use super::*;
    use lookback_heads::example::Example;

    #[test]
    fn places_are_counted_as_javascript_counts() {
        let text = "a🙂é";
        let utf16 = Utf16::new(text);
        assert_eq!([0, 1, 5, 7].map(|byte| utf16.place(byte)), [0, 1, 3, 4]);
    }

    #[test]
    fn a_text_cannot_end_the_element_that_holds_it() {
        let trace = Example {
            text: "a </script><!--<script> b".into(),
            ..Example::default()
        }
        .trace();
        let mut page = Vec::new();
        Page::new(&trace, &[]).unwrap().write(&mut page).unwrap();
        let page = String::from_utf8(page).unwrap();
        let (_, rest) = page.split_once("id=\"description\">").unwrap();
        let (json, _) = rest.split_once("</script>").unwrap();
        let description: serde_json::Value = serde_json::from_str(json).unwrap();
        assert_eq!(description["text"], "a </script><!--<script> b");
        assert!(!json.contains("<!--"));
    }
}
