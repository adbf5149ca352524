//! The answers for many words of interest.

use std::ops::Range;

use super::{Focus, Look};
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

impl<'l, 't> Foci<'l, 't> {
    pub(super) fn new(look: &'l Look<'t>, places: Range<usize>) -> Self {
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
