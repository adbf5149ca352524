//! The JSON form of a [`Look`], described in `docs/json/look.md`: change both together.

use lookback_trace::Word;
use serde::ser::{Error as _, SerializeSeq, SerializeStruct};
use serde::{Serialize, Serializer};

use super::report::Look;

/// Name of the form; a change that a reader could stumble over gives it another number.
const FORMAT: &str = "lookback-look/1";

impl Serialize for Look<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.with_progress(|_| ()).serialize(serializer)
    }
}

impl<'t> Look<'t> {
    /// The JSON form, which calls `progress` with the number of words of interest that are done.
    pub fn with_progress<F: Fn(usize)>(&self, progress: F) -> impl Serialize {
        Written {
            look: self,
            progress,
        }
    }
}

/// A look as it is written, and what hears how far that is.
struct Written<'l, 't, F> {
    look: &'l Look<'t>,
    progress: F,
}

impl<F: Fn(usize)> Serialize for Written<'_, '_, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let look = self.look;
        let meta = look.trace().meta();
        let words: Vec<WordJson<'_>> = look.trace().words().iter().map(WordJson::new).collect();
        let mut object = serializer.serialize_struct("Look", 9)?;
        object.serialize_field("format", FORMAT)?;
        object.serialize_field("model", &meta.model)?;
        object.serialize_field("model_sha256", &meta.model_sha256)?;
        object.serialize_field("library", &meta.library)?;
        object.serialize_field("text", &meta.text)?;
        object.serialize_field("sink", &look.sink())?;
        object.serialize_field("tokens", look.tokens())?;
        object.serialize_field("words", &words)?;
        object.serialize_field("words_of_interest", &OfWords(self))?;
        object.end()
    }
}

/// One word: text, span, tokens.
#[derive(Serialize)]
struct WordJson<'a> {
    text: &'a str,
    span: (usize, usize),
    tokens: Vec<usize>,
}

impl<'a> WordJson<'a> {
    fn new(word: &'a Word) -> Self {
        Self {
            text: &word.text,
            span: (word.span.start, word.span.end),
            tokens: word.tokens.clone().collect(),
        }
    }
}

/// The words of interest, some of them computed at a time.
struct OfWords<'a, 'l, 't, F>(&'a Written<'l, 't, F>);

impl<F: Fn(usize)> Serialize for OfWords<'_, '_, '_, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Written { look, progress } = self.0;
        let count = look.interest().len();
        let mut list = serializer.serialize_seq(Some(count))?;
        for (done, focus) in (1..).zip(look.foci(0..count)) {
            list.serialize_element(&focus.map_err(S::Error::custom)?)?;
            progress(done);
        }
        list.end()
    }
}
