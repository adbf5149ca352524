//! The head that has most to show of a word.

use lookback_trace::HeadId;

use super::focus::{Focus, HeadWeights};

/// A head, and what it was chosen for.
#[derive(Debug, Clone, PartialEq)]
pub struct MostInformative {
    /// Which head.
    pub head: HeadId,
    /// What it looks at: the candidates by name, or `the words before it`, or `itself` where there are none.
    pub on: String,
    /// Its weight on that.
    pub weight: f32,
}

impl Focus {
    /// Of [`Focus::heads`] the one that gives most weight to the candidates together; without candidates, to the words
    /// before; without any, to the word itself. Of equals the first.
    ///
    /// ```
    /// use lookback_heads::{Look, LookOptions};
    /// let trace = lookback_heads::example::Example::default().trace();
    /// let focus = Look::new(&trace, &LookOptions::default())?.focus(0)?;
    /// let telling = focus.most_informative();
    /// assert_eq!(telling.on, "Vatsal and Madd");
    /// # Ok::<(), lookback_heads::Error>(())
    /// ```
    #[must_use]
    pub fn most_informative(&self) -> MostInformative {
        let (words, on) = self.described_words();
        let weight = |head: &HeadWeights| -> f32 {
            let weights = words.iter().filter_map(|&w| head.word_weights.get(w));
            weights.sum()
        };
        let mut heads = self.heads.iter().map(|head| (head.head, weight(head)));
        // A look always has at least one head.
        let first = heads.next().unwrap_or((HeadId { layer: 0, head: 0 }, 0.0));
        let (head, weight) = heads.fold(
            first,
            |best, next| if next.1 > best.1 { next } else { best },
        );
        MostInformative { head, on, weight }
    }

    /// The words that a telling head looks at, and what to call them.
    fn described_words(&self) -> (Vec<usize>, String) {
        let of = |c: &super::CandidateHeads| c.candidate.words.clone();
        let words: Vec<usize> = self.candidates.iter().flat_map(of).collect();
        let names: Vec<&str> = self
            .candidates
            .iter()
            .map(|c| c.candidate.text.as_str())
            .collect();
        match (names.as_slice(), self.word) {
            ([], 0) => (vec![0], "itself".to_owned()),
            ([], word) => ((0..word).collect(), "the words before it".to_owned()),
            ([one], _) => (words, (*one).to_owned()),
            ([one, other], _) => (words, format!("{one} and {other}")),
            (many, _) => (words, format!("the {} candidates", many.len())),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::example::Example;
    use crate::{Look, LookOptions};

    #[test]
    fn no_head_gives_the_candidates_more() {
        let trace = Example::default().trace();
        let focus = Look::new(&trace, &LookOptions::default())
            .unwrap()
            .focus(0)
            .unwrap();
        let telling = focus.most_informative();
        let on = |w: &[f32]| -> f32 {
            focus
                .candidates
                .iter()
                .flat_map(|c| &c.candidate.words)
                .map(|&c| w[c])
                .sum()
        };
        let sums: Vec<f32> = focus.heads.iter().map(|h| on(&h.word_weights)).collect();
        assert_eq!(telling.weight, sums.iter().copied().fold(0.0, f32::max));
        let at = focus
            .heads
            .iter()
            .position(|h| h.head == telling.head)
            .unwrap();
        assert_eq!(sums[at], telling.weight);
    }

    #[test]
    fn without_candidates_the_words_before_count_and_the_first_word_has_only_itself() {
        for (text, on) in [("we left", "itself"), ("so we left", "the words before it")] {
            let trace = Example {
                text: text.to_owned(),
                ..Example::default()
            }
            .trace();
            let focus = Look::new(&trace, &LookOptions::default())
                .unwrap()
                .focus(0)
                .unwrap();
            assert_eq!(focus.most_informative().on, on);
        }
    }
}
