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
//! assert!(plan.size().abs_diff(file.len() as u64) < 1000);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod assets;
mod chosen;
mod description;
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

use crate::Error;

/// One HTML file that keeps the text view and maps, and needs neither server nor network.
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
            "</script>\n<script type=\"module\">{}</script>\n</body>\n</html>\n",
            in_element(SCRIPT)
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
        Err(TraceError::TooLargeForF16 { .. } | TraceError::ScoresTooLargeForF16 { .. }) => {
            file(Dtype::F32)
        }
        file => file,
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
    use lookback_trace::HeadId;

    fn written(trace: &Trace, options: &PageOptions) -> (Plan, String) {
        let plan = Plan::new(trace, options, &AtomicBool::new(false)).unwrap();
        let go_on = &mut |_, _| ControlFlow::Continue(());
        let page = Page::new(trace, &["<|start|>".to_owned()], &plan, go_on).unwrap();
        let mut file = Vec::new();
        page.write(&mut file).unwrap();
        (plan, String::from_utf8(file).unwrap())
    }

    fn description(page: &str) -> serde_json::Value {
        let (_, rest) = page.split_once("id=\"description\">").unwrap();
        let (json, _) = rest.split_once("</script>").unwrap();
        assert!(!json.contains("<!--"));
        serde_json::from_str(json).unwrap()
    }

    fn long() -> Trace {
        let words = (0..600).map(|at| ["the", "river", "went", "slow"][at % 4]);
        Example {
            text: words.collect::<Vec<_>>().join(" "),
            layers: 3,
            heads: 4,
            ..Example::default()
        }
        .trace()
    }

    #[test]
    fn a_text_cannot_end_the_element_that_holds_it() {
        let trace = Example {
            text: "a </script><!--<script> b".into(),
            ..Example::default()
        }
        .trace();
        let (_, page) = written(&trace, &PageOptions::default());
        let description = description(&page);
        assert_eq!(description["text"], "a </script><!--<script> b");
        assert!(description["kept"].is_null());
    }

    #[test]
    fn a_plan_says_how_large_the_file_will_be() {
        let trace = long();
        let head = |layer, head| HeadId { layer, head };
        for options in [
            PageOptions::default(),
            PageOptions {
                all: true,
                ..PageOptions::default()
            },
            PageOptions {
                heads: Some(vec![head(2, 3), head(0, 1), head(2, 3)]),
                ..PageOptions::default()
            },
            PageOptions {
                words: Some(vec![7, 5]),
                top: 3,
                ..PageOptions::default()
            },
            PageOptions {
                heads: Some(vec![head(1, 1)]),
                words: Some(Vec::new()),
                ..PageOptions::default()
            },
        ] {
            let (plan, page) = written(&trace, &options);
            let bytes = page.len() as u64;
            assert!(
                plan.size().abs_diff(bytes) < 1024,
                "{options:?}: {} is not {bytes}",
                plan.size()
            );
        }
    }

    #[test]
    fn what_is_named_is_kept_in_order_and_once_and_what_does_not_exist_is_said() {
        let trace = long();
        let ids = |names: &[(usize, usize)]| -> Vec<HeadId> {
            let id = |&(layer, head)| HeadId { layer, head };
            names.iter().map(id).collect()
        };
        let mut options = PageOptions {
            heads: Some(ids(&[(2, 3), (0, 1), (2, 3)])),
            words: Some(vec![9, 4, 9]),
            ..PageOptions::default()
        };
        let (plan, page) = written(&trace, &options);
        assert_eq!(plan.heads(), Some(&ids(&[(0, 1), (2, 3)])[..]));
        assert_eq!(plan.words(), Some(&[4, 9][..]));
        let kept = &description(&page)["kept"];
        assert_eq!(
            kept["heads"][1],
            serde_json::json!({ "layer": 2, "head": 3 })
        );
        assert_eq!(kept["words"], serde_json::json!([4, 9]));
        assert_eq!(
            plan.left_out().unwrap(),
            "The page keeps 2 of 12 heads, and 2 of 600 words over all heads (the 8 largest weights of each)."
        );
        options.words = Some(vec![600]);
        let refused = Plan::new(&trace, &options, &AtomicBool::new(false)).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "there is no word 600: the text has 600, from 0"
        );
        options.heads = Some(ids(&[(9, 0)]));
        options.words = None;
        let refused = Plan::new(&trace, &options, &AtomicBool::new(false)).unwrap_err();
        assert!(refused.to_string().contains("there is no head L9H0"));
    }

    #[test]
    fn words_are_kept_as_the_library_answers() {
        use lookback_heads::token_attention::{TokenAttention, TokenAttentionOptions};
        let trace = Example::default().trace();
        let never = AtomicBool::new(false);
        let block = words::block(&trace, 9, 2, &never).unwrap();
        let (count, heads) = (trace.words().len(), 6);
        assert_eq!(block.len() as u64, words::bytes_of_word(count, heads, 2));
        let number = |at: usize| {
            let bytes = block[4 * at..4 * at + 4].try_into().unwrap();
            (f32::from_le_bytes(bytes), u32::from_le_bytes(bytes))
        };
        let options = TokenAttentionOptions::default();
        let answer = TokenAttention::new(&trace, 9, &options, &never).unwrap();
        assert_eq!(number(3).0, answer.given[3]);
        assert_eq!(number(count + 11).0, answer.received[11]);
        assert_eq!(number(3 * count).0, answer.hidden);
        for head in &answer.ranked {
            let at = 2 * head.head.layer + head.head.head;
            assert_eq!(number(3 * count + 3 + 2 * at).0, head.hidden);
            for (place, most) in head.most.iter().take(2).enumerate() {
                let weight = 3 * count + 3 + 2 * heads + 2 * at + place;
                assert_eq!(number(weight).0, most.weight);
                assert_eq!(number(weight + 2 * heads).1 as usize, most.index);
            }
        }
    }
}
