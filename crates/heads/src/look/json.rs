//! The JSON form of a [`Look`], described in `docs/json/look.md`: change both together.

use lookback_trace::Word;
use serde::ser::{Error as _, SerializeSeq, SerializeStruct};
use serde::{Serialize, Serializer};

use super::Look;

/// Name of the form; a change that a reader could stumble over gives it another number.
const FORMAT: &str = "lookback-look/1";

impl Serialize for Look<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let meta = self.trace().meta();
        let words: Vec<WordJson<'_>> = self.trace().words().iter().map(WordJson::new).collect();
        let mut object = serializer.serialize_struct("Look", 9)?;
        object.serialize_field("format", FORMAT)?;
        object.serialize_field("model", &meta.model)?;
        object.serialize_field("model_sha256", &meta.model_sha256)?;
        object.serialize_field("library", &meta.library)?;
        object.serialize_field("text", &meta.text)?;
        object.serialize_field("sink", &self.sink())?;
        object.serialize_field("tokens", self.tokens())?;
        object.serialize_field("words", &words)?;
        object.serialize_field("words_of_interest", &Foci(self))?;
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

/// The words of interest, each computed when its turn comes.
struct Foci<'a, 't>(&'a Look<'t>);

impl Serialize for Foci<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let count = self.0.interest().len();
        let mut list = serializer.serialize_seq(Some(count))?;
        for index in 0..count {
            let focus = self.0.focus(index).map_err(S::Error::custom)?;
            list.serialize_element(&focus)?;
        }
        list.end()
    }
}
