//! Cutting a text into words before merging, within a time.
//!
//! A tokenizer.json may hold any pattern, and one with look-ahead or references back can take minutes for a page. The
//! library cannot be stopped, and where a pattern runs out of its own limit it leaves the rest of the text uncut without a
//! word. So the patterns are applied here: a clock is looked at after each match, and a match that goes back too often
//! is an error.

use std::time::{Duration, Instant};

use fancy_regex::{Regex, RegexBuilder};
use tokenizers::pattern::{Invert, Pattern};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::split::SplitPattern;
use tokenizers::{Offsets, PreTokenizedString, PreTokenizer, SplitDelimiterBehavior};

use super::Error;
use super::error::one_line;

/// The longest time for a text, and what each of its bytes adds. Real tokenizers take less than a microsecond a byte.
const TIME: Duration = Duration::from_secs(5);
const TIME_A_BYTE: Duration = Duration::from_micros(4);

/// How often one match may go back. Patterns of real tokenizers do a few times; where nothing matches, once for each
/// letter and alternative.
const STEPS_BACK: usize = 1_000_000;

/// The same in texts of more than [`LONG`] bytes, where each step may be long itself.
const STEPS_BACK_WHERE_LONG: usize = 100_000;
const LONG: usize = 8192;

/// When encoding a text has to be done, and whether somebody still wants it.
pub(super) struct Clock<'a> {
    start: Instant,
    allowed: Duration,
    cancelled: &'a dyn Fn() -> bool,
}

impl<'a> Clock<'a> {
    pub(super) fn start(text: &str, cancelled: &'a dyn Fn() -> bool) -> Self {
        let bytes = u32::try_from(text.len()).unwrap_or(u32::MAX);
        Self {
            start: Instant::now(),
            allowed: TIME + TIME_A_BYTE * bytes,
            cancelled,
        }
    }

    /// Fails where the time is up, or nobody wants the text any more.
    pub(super) fn check(&self) -> Result<(), Error> {
        if (self.cancelled)() {
            return Err(Error::Cancelled);
        }
        if self.start.elapsed() <= self.allowed {
            return Ok(());
        }
        Err(Error::Slow {
            seconds: self.allowed.as_secs(),
        })
    }
}

/// The steps that cut a text, in order.
pub(super) struct Words(Vec<Step>);

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
    Pattern(Box<Lengths>),
}

/// One pattern, for short texts and for long ones.
struct Lengths {
    short: Regex,
    long: Regex,
}

impl Words {
    pub(super) fn new(steps: Option<&PreTokenizerWrapper>) -> Result<Self, Error> {
        let steps = match steps {
            None => &[],
            Some(PreTokenizerWrapper::Sequence(sequence)) => sequence.as_ref(),
            Some(step) => std::slice::from_ref(step),
        };
        Ok(Self(steps.iter().map(Step::new).collect::<Result<_, _>>()?))
    }

    pub(super) fn cut(
        &self,
        text: &mut PreTokenizedString,
        clock: &Clock<'_>,
    ) -> Result<(), Error> {
        for step in &self.0 {
            clock.check()?;
            match step {
                Step::Library(step) => step.pre_tokenize(text).map_err(failed)?,
                Step::Split(split) => split.cut(text, clock)?,
            }
        }
        Ok(())
    }
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
            SplitPattern::Regex(pattern) => By::Pattern(Box::new(Lengths {
                short: compiled(pattern, STEPS_BACK)?,
                long: compiled(pattern, STEPS_BACK_WHERE_LONG)?,
            })),
        };
        Ok(Self::Split(Box::new(Split {
            by,
            behavior: split.behavior,
            invert: split.invert,
        })))
    }
}

fn compiled(pattern: &str, steps_back: usize) -> Result<Regex, Error> {
    let mut builder = RegexBuilder::new(pattern);
    builder.backtrack_limit(steps_back);
    builder.build().map_err(|error| Error::Json {
        detail: one_line(error),
    })
}

impl Split {
    fn cut(&self, text: &mut PreTokenizedString, clock: &Clock<'_>) -> Result<(), Error> {
        let matches = Matches {
            by: &self.by,
            clock,
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
    clock: &'a Clock<'a>,
}

impl Pattern for Matches<'_> {
    fn find_matches(&self, inside: &str) -> tokenizers::Result<Vec<(Offsets, bool)>> {
        if inside.is_empty() {
            return Ok(vec![((0, 0), false)]);
        }
        let mut parts = Vec::new();
        let mut end = 0;
        let mut push = |start: usize, next: usize| -> tokenizers::Result<()> {
            self.clock.check()?;
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
            By::Pattern(lengths) => {
                let is_short = inside.len() <= LONG;
                let pattern = if is_short {
                    &lengths.short
                } else {
                    &lengths.long
                };
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
