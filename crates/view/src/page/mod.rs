//! The page: what the server shows, and one file that keeps it without a server.
//!
//! The page is written in TypeScript in `web/`, and what is built of it is kept in `assets/page/`.
//!
//! # One file
//! A [`Plan`] says what the file will keep and how large it will be; [`Page`] computes and writes it.
//!
//! ```
//! use std::ops::ControlFlow;
//! use lookback_view::page::{Page, PageOptions, Plan};
//!
//! let trace = lookback_heads::example::Example::default().trace();
//! let options = PageOptions { heads: Some(vec![lookback_heads::head::parse("1.1")?]), ..PageOptions::default() };
//! let plan = Plan::new(&trace, &options, &Default::default())?;
//! assert!(plan.left_out().unwrap().starts_with("The page keeps 1 of 6 heads"));
//! let page = Page::new(&trace, &["<|start|>".to_owned()], &plan, &mut |_done, _of| ControlFlow::Continue(()))?;
//! let mut file = Vec::new();
//! page.write(&mut file)?;
//! assert!(plan.size().abs_diff(file.len() as u64) < 128);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod assets;
mod chosen;
mod description;
mod header;
mod plan;
mod words;

use std::io::Write;
use std::ops::ControlFlow;
use std::sync::atomic::AtomicBool;

use base64::prelude::BASE64_STANDARD;
use base64::write::EncoderWriter;
use lookback_trace::{Dtype, Error as TraceError, SaveOptions, Trace, TraceFile};

pub use assets::{ICON, INDEX, SCRIPT, STYLE};
pub use description::{Description, Kept};
pub use plan::{PageOptions, Plan, TOP};

use assets::{in_element, source};

use crate::Error;

/// One HTML file that keeps the text view and maps, and needs neither server nor network.
///
/// Its content-security policy names its own script and style by their hashes, and nothing else may run or load.
///
/// It holds a trace, not weights: queries and keys as f16, from which the page computes any weight as a trace does.
/// That is 2 · N · (H + H_kv) · d_k bytes a layer, a third more in base64. Where f16 cannot hold them, f32 is used,
/// twice as much, and [`Plan::size`] says too little. Of a long text it holds the heads and words of its [`Plan`].
#[derive(Debug)]
pub struct Page<'a> {
    /// JSON of a [`Description`].
    description: String,
    trace: Stored<'a>,
    /// The blocks of the words that are kept.
    words: Vec<u8>,
}

/// The file of the trace within a page.
#[derive(Debug)]
enum Stored<'a> {
    /// Of the whole trace, widened or rounded while it is written.
    Whole(TraceFile<'a>),
    /// Of chosen heads.
    Chosen(Vec<u8>),
}

impl<'a> Page<'a> {
    /// Computes what is to be written, which takes longer than writing it. `progress` hears of words done and in all;
    /// `Break` ends it.
    ///
    /// # Errors
    /// [`Error::Trace`], [`Error::Heads`], and [`Error::Cancelled`].
    pub fn new(
        trace: &'a Trace,
        prefix: &[String],
        plan: &Plan,
        progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<Self, Error> {
        let kept = plan.kept.as_ref();
        let (asked, top) = kept.map_or((&[][..], 0), |kept| (&kept.words[..], kept.top));
        let mut words = Vec::new();
        for (at, &word) in asked.iter().enumerate() {
            if progress(at, asked.len()).is_break() {
                return Err(Error::Cancelled);
            }
            words.extend(words::block(trace, word, top, &AtomicBool::new(false))?);
        }
        if progress(asked.len(), asked.len()).is_break() {
            return Err(Error::Cancelled);
        }
        let (file, stored) = match kept {
            None => {
                let file = rounded(trace)?;
                (file.saved(), Stored::Whole(file))
            }
            Some(kept) => {
                let chosen = chosen::of_heads(trace, &kept.heads)?;
                let file = rounded(&chosen)?;
                let mut bytes = Vec::new();
                file.write_to(&mut bytes)?;
                (file.saved(), Stored::Chosen(bytes))
            }
        };
        let description = Description {
            rounding: file.qk_rounding_max_weight_change,
            kept: kept.cloned(),
            ..Description::new(trace, prefix)
        };
        Ok(Self {
            description: serde_json::to_string(&description).map_err(std::io::Error::from)?,
            trace: stored,
            words,
        })
    }

    /// Writes it.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn write(&self, out: &mut dyn Write) -> Result<(), Error> {
        let (style, script) = (in_element(STYLE), in_element(SCRIPT));
        write!(
            out,
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src {}; style-src {}; \
             img-src data: blob:; base-uri 'none'; form-action 'none'\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>Lookback</title>\n\
             <style>{style}</style>\n</head>\n<body>\n<div id=\"app\"></div>\n\
             <script type=\"application/json\" id=\"description\">{}</script>\n\
             <script type=\"application/octet-stream\" id=\"trace\">",
            source(&script),
            source(&style),
            in_element(&self.description),
        )?;
        let mut encoded = EncoderWriter::new(&mut *out, &BASE64_STANDARD);
        match &self.trace {
            Stored::Whole(file) => file.write_to(&mut encoded)?,
            Stored::Chosen(bytes) => encoded.write_all(bytes)?,
        }
        encoded.finish()?;
        drop(encoded);
        write!(
            out,
            "</script>\n<script type=\"application/octet-stream\" id=\"words\">"
        )?;
        let mut encoded = EncoderWriter::new(&mut *out, &BASE64_STANDARD);
        encoded.write_all(&self.words)?;
        encoded.finish()?;
        drop(encoded);
        write!(
            out,
            "</script>\n<script type=\"module\">{script}</script>\n</body>\n</html>\n",
        )?;
        Ok(())
    }
}

/// The trace's file with queries and keys as f16, or as f32 where f16 cannot hold them.
fn rounded(trace: &Trace) -> Result<TraceFile<'_>, TraceError> {
    let file = |qk_dtype| {
        trace.file(&SaveOptions {
            qk_dtype,
            values: false,
        })
    };
    match file(Dtype::F16) {
        Err(TraceError::TooLargeFor { .. } | TraceError::ScoresTooLargeFor { .. }) => {
            file(Dtype::F32)
        }
        file => file,
    }
}

#[cfg(test)]
mod tests;
