//! The answers for many words of interest.

use std::ops::Range;

use super::focus::Focus;
use super::report::Look;
use crate::Error;

/// How many weights on words the answers that are computed together hold, about: 64 MiB of them.
const WEIGHTS_AT_A_TIME: usize = 16 << 20;

/// The answers for some words of interest, in order; nothing comes after an error. See [`Look::foci`].
#[derive(Debug)]
pub struct Foci<'l, 't> {
    look: &'l Look<'t>,
    /// Those that are still to be computed.
    places: Range<usize>,
    pub(super) at_a_time: usize,
    computed: std::vec::IntoIter<Focus>,
}

impl<'t> Look<'t> {
    /// The answer for one word of interest, by its place in [`Look::interest`].
    ///
    /// Time grows with heads × N × d_k; memory with heads × words.
    ///
    /// # Errors
    /// [`Error::Trace`] where the trace's numbers turn out to be damaged.
    ///
    /// # Panics
    /// Where there is no such word of interest.
    pub fn focus(&self, index: usize) -> Result<Focus, Error> {
        let mut foci = Focus::of_words(self, &[index])?;
        Ok(foci.remove(0))
    }

    /// The answers for some words of interest, by their places, in order: each the same as [`focus`](Self::focus) gives.
    ///
    /// They are computed some at a time, so that a layer's keys are packed once for many words, and the answers of all
    /// words need not be in memory together.
    ///
    /// # Errors
    /// As [`focus`](Self::focus).
    ///
    /// # Panics
    /// Where there are no such words of interest.
    pub fn foci(&self, places: Range<usize>) -> Foci<'_, 't> {
        Foci::new(self, places)
    }
}

impl<'l, 't> Foci<'l, 't> {
    fn new(look: &'l Look<'t>, places: Range<usize>) -> Self {
        let weights = look.head_count() * look.trace().words().len();
        Self {
            look,
            places,
            at_a_time: (WEIGHTS_AT_A_TIME / weights.max(1)).max(1),
            computed: Vec::new().into_iter(),
        }
    }
}

impl Iterator for Foci<'_, '_> {
    type Item = Result<Focus, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(focus) = self.computed.next() {
            return Some(Ok(focus));
        }
        let places: Vec<usize> = self.places.by_ref().take(self.at_a_time).collect();
        if places.is_empty() {
            return None;
        }
        match Focus::of_words(self.look, &places) {
            Ok(foci) => {
                self.computed = foci.into_iter();
                self.computed.next().map(Ok)
            }
            Err(error) => {
                self.places = 0..0;
                Some(Err(error))
            }
        }
    }
}
