//! Cutting a text into words before merging, within a time.
//!
//! A tokenizer.json may hold any pattern, and one with look-ahead or references back can take minutes for a page. The
//! library cannot be stopped, and where a pattern runs out of its own limit it leaves the rest of the text uncut without a
//! word. So the patterns are applied here: a clock is looked at after each match, and a match that goes back too often
//! is an error. A single match can still take any time, since what it looks ahead at is not counted and cannot be broken
//! off: patterns are applied on a thread of their own, which is left to itself when the time is up ([`Clock::on_thread`]).

use std::sync::Arc;

use fancy_regex::{Regex, RegexBuilder};
use tokenizers::pattern::{Invert, Pattern};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::split::SplitPattern;
use tokenizers::{Offsets, PreTokenizedString, PreTokenizer, SplitDelimiterBehavior};

use super::Error;
use super::clock::{Clock, Waiting};
use super::error::one_line;

/// How often one match may go back. Patterns of real tokenizers do a few times; where nothing matches, once for each
/// letter and alternative.
const STEPS_BACK: usize = 1_000_000;

/// The most memory that a part of a pattern between two look-arounds is compiled into. That of the largest real one takes less
/// than a tenth, and a hostile one has some hundred parts.
const COMPILED: usize = 1 << 20;

/// The steps that cut a text, in order.
pub(super) struct Words(Arc<Vec<Step>>);

enum Step {
    Split(Box<Split>),
    /// Steps whose patterns are the library's own.
    Library(PreTokenizerWrapper),
}

struct Split {
    by: By,
    behavior: SplitDelimiterBehavior,
    invert: bool,
}

enum By {
    Text(String),
    Pattern(Regex),
}

impl Words {
    pub(super) fn new(steps: Option<&PreTokenizerWrapper>) -> Result<Self, Error> {
        let steps = match steps {
            None => &[],
            Some(PreTokenizerWrapper::Sequence(sequence)) => sequence.as_ref(),
            Some(step) => std::slice::from_ref(step),
        };
        let steps: Vec<Step> = steps.iter().map(Step::new).collect::<Result<_, _>>()?;
        Ok(Self(Arc::new(steps)))
    }

    pub(super) fn cut(
        &self,
        text: &mut PreTokenizedString,
        clock: &Clock<'_>,
    ) -> Result<(), Error> {
        let has_pattern =
            |step: &Step| matches!(step, Step::Split(split) if matches!(split.by, By::Pattern(_)));
        if !self.0.iter().any(has_pattern) {
            return cut_by(&self.0, text, &clock.waiting());
        }
        let steps = Arc::clone(&self.0);
        let mut whole = std::mem::replace(text, "".into());
        *text = clock.on_thread(move |waiting| {
            cut_by(&steps, &mut whole, waiting)?;
            Ok(whole)
        })?;
        Ok(())
    }
}

fn cut_by(steps: &[Step], text: &mut PreTokenizedString, waiting: &Waiting) -> Result<(), Error> {
    for step in steps {
        waiting.check()?;
        match step {
            Step::Library(step) => step.pre_tokenize(text).map_err(failed)?,
            Step::Split(split) => split.cut(text, waiting)?,
        }
    }
    Ok(())
}

/// An error of the library's, or one of ours that went through it.
pub(super) fn failed(error: tokenizers::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => *error,
        Err(error) => Error::Encode {
            detail: one_line(error),
        },
    }
}

impl Step {
    fn new(step: &PreTokenizerWrapper) -> Result<Self, Error> {
        let PreTokenizerWrapper::Split(split) = step else {
            return Ok(Self::Library(step.clone()));
        };
        let by = match &split.pattern {
            SplitPattern::String(text) => By::Text(text.clone()),
            SplitPattern::Regex(pattern) => By::Pattern(compiled(pattern)?),
        };
        Ok(Self::Split(Box::new(Split {
            by,
            behavior: split.behavior,
            invert: split.invert,
        })))
    }
}

fn compiled(pattern: &str) -> Result<Regex, Error> {
    let mut builder = RegexBuilder::new(pattern);
    builder
        .backtrack_limit(STEPS_BACK)
        .delegate_size_limit(COMPILED);
    builder.build().map_err(|error| Error::Json {
        detail: one_line(error),
    })
}

impl Split {
    fn cut(&self, text: &mut PreTokenizedString, waiting: &Waiting) -> Result<(), Error> {
        let matches = Matches {
            by: &self.by,
            waiting,
        };
        let cut = text.split(|_, part| match self.invert {
            true => part.split(Invert(matches), self.behavior),
            false => part.split(matches, self.behavior),
        });
        cut.map_err(failed)
    }
}

/// A pattern that looks at the clock.
#[derive(Clone, Copy)]
struct Matches<'a> {
    by: &'a By,
    waiting: &'a Waiting,
}

impl Pattern for Matches<'_> {
    fn find_matches(&self, inside: &str) -> tokenizers::Result<Vec<(Offsets, bool)>> {
        if inside.is_empty() {
            return Ok(vec![((0, 0), false)]);
        }
        let mut parts = Vec::new();
        let mut end = 0;
        let mut push = |start: usize, next: usize| -> tokenizers::Result<()> {
            self.waiting.check()?;
            if end != start {
                parts.push(((end, start), false));
            }
            parts.push(((start, next), true));
            end = next;
            Ok(())
        };
        match self.by {
            By::Text(text) => {
                for (at, found) in inside.match_indices(text.as_str()) {
                    push(at, at + found.len())?;
                }
            }
            By::Pattern(pattern) => {
                for found in pattern.find_iter(inside) {
                    let found = found.map_err(|_| Error::Encode {
                        detail: "its pattern that cuts words goes back too often in this text"
                            .to_owned(),
                    })?;
                    push(found.start(), found.end())?;
                }
            }
        }
        if end != inside.len() {
            parts.push(((end, inside.len()), false));
        }
        Ok(parts)
    }
}
