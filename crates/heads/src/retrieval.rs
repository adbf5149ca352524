//! Retrieval heads: heads that look at the very token that is to be copied from far back (Wu et al. 2024, "Retrieval
//! Head Mechanistically Explains Long-Context Factuality", <https://arxiv.org/abs/2404.15574>).
//!
//! A needle, a sentence that says something odd, stands at some depth in a text that has nothing to do with it; behind
//! the text the question is asked that the needle answers. Wu et al. let the model answer, and count for each head the
//! answer's tokens at which the head's greatest weight lies on that same token within the needle. Here the answer is
//! given to the model (teacher forcing), since a small model's own answer may be another:
//!
//! score(h) = share of the answer's tokens t_i, over all needles, where argmax_j w_(i−1),j is the place of t_i in the needle.
//!
//! The row before a token is the one that predicts it. A score says that a head points at what is copied, not that the
//! model copies by it.

use lookback_model::{Encoding, Hooks, Logits, Model, Prefix, TraceOptions};
use lookback_trace::{HeadId, Trace};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::random::SplitMix;
use crate::who::question::tokens_of;

/// One head's retrieval score.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Retrieval {
    /// The head.
    #[serde(flatten)]
    pub head: HeadId,
    /// Share of the answers' tokens at which the head's greatest weight lies on the same token in the needle, 0 to 1.
    pub retrieval: f64,
}

/// A needle in its text, with the question and the answer behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeedleTest {
    /// The whole text.
    pub text: String,
    /// Where the answer stands in the needle, in bytes.
    pub needle: (usize, usize),
    /// Where it stands again at the end.
    pub answer: (usize, usize),
}

/// What the text around the needle is made of.
const HAY: &[&str] = &[
    "The harbour was quiet in the early morning.",
    "A train left the station every twenty minutes.",
    "Most of the houses on the hill were built of stone.",
    "The committee met again to discuss the new bridge.",
    "Rain fell on the fields for the third day.",
    "Children played near the fountain until dinner.",
    "The library closed early because of the holiday.",
    "Several people waited outside the bakery.",
    "The river had been low since the middle of summer.",
    "An old map of the region hung on the wall.",
    "The teacher explained the lesson twice.",
    "Prices at the market rose a little this year.",
    "The museum opened a room for modern painting.",
    "Farmers brought apples and pears to the square.",
    "The road to the coast was closed for repairs.",
    "A letter from the council arrived on Monday.",
    "The engineers measured the height of the tower.",
    "Nobody remembered who had planted the trees.",
    "The orchestra practised in the town hall.",
    "Two ships were seen far out at sea.",
    "The winter was mild and the snow melted quickly.",
    "A new road was planned along the railway.",
    "The doctor visited the village once a week.",
    "Some of the windows had been left open.",
];

/// Who keeps something, where, and what: the answer is two of the last list with two adjectives, none twice.
const WHO: &[&str] = &[
    "Ann", "Peter", "Laura", "Simon", "Clara", "Martin", "Helen", "George",
];
const WHERE: &[&str] = &[
    "attic", "cellar", "garage", "kitchen", "garden", "office", "stable", "tower",
];
const HOW: &[&str] = &[
    "purple", "wooden", "broken", "golden", "tiny", "striped", "frozen", "silver",
];
const WHAT: &[&str] = &[
    "violin", "lantern", "umbrella", "compass", "turtle", "balloon", "trumpet", "ladder",
];

impl NeedleTest {
    /// `count` needles, at depths spread evenly over texts of `sentences` sentences, all following from `seed`.
    #[must_use]
    pub fn random((count, sentences): (usize, usize), seed: u64) -> Vec<Self> {
        let mut random = SplitMix::new(seed);
        (0..count)
            .map(|test| {
                Self::one(
                    &mut random,
                    sentences,
                    (2 * test + 1) * sentences / (2 * count.max(1)),
                )
            })
            .collect()
    }

    /// One needle after `depth` sentences of hay.
    fn one(random: &mut SplitMix, sentences: usize, depth: usize) -> Self {
        let mut pick = |list: &[&'static str]| list[random.below(list.len())];
        let (who, place) = (pick(WHO), pick(WHERE));
        let answer = format!(
            "a {} {} {} {}",
            pick(HOW),
            pick(HOW),
            pick(WHAT),
            pick(WHAT)
        );
        let mut text = String::new();
        let mut needle = (0, 0);
        for sentence in 0..=sentences {
            if sentence == depth {
                text.push_str(&format!("In the {place}, {who} keeps "));
                needle = (text.len(), text.len() + answer.len());
                text.push_str(&format!("{answer}. "));
            }
            if sentence < sentences {
                text.push_str(pick(HAY));
                text.push(' ');
            }
        }
        text.push_str(&format!(
            "What does {who} keep in the {place}? In the {place}, {who} keeps "
        ));
        let start = text.len();
        text.push_str(&answer);
        Self {
            needle,
            answer: (start, text.len()),
            text,
        }
    }

    /// Whether the answer's words are different tokens, not all the one that stands for the unknown.
    fn is_read(&self, encoding: &Encoding) -> bool {
        let mut ids = encoding.ids[tokens_of(encoding, self.answer)].to_vec();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        2 * ids.len() > count
    }

    /// Pairs of places: the row that predicts a token of the answer, and that token in the needle. Tokens of the two that
    /// are not the same are left out.
    fn pairs(&self, encoding: &Encoding) -> Vec<(usize, usize)> {
        let (needle, answer) = (
            tokens_of(encoding, self.needle),
            tokens_of(encoding, self.answer),
        );
        let same = |&(a, j): &(usize, usize)| encoding.ids[a] == encoding.ids[j];
        let pairs = answer.zip(needle).filter(same);
        pairs
            .filter(|&(a, _)| a > 0)
            .map(|(a, j)| (a - 1, j))
            .collect()
    }
}

/// Every head's retrieval score on some needles, in order; none where the model's context or vocabulary cannot hold
/// them. `done` hears of each needle that is read.
///
/// # Errors
/// The model's.
pub fn retrieval(
    model: &Model,
    prefix: &Prefix,
    tests: &[NeedleTest],
    hooks: &dyn Hooks,
    done: &mut dyn FnMut(),
) -> Result<Option<Vec<Retrieval>>, Error> {
    let spec = model.spec();
    let heads = crate::head::all(spec.layers.len(), spec.heads);
    let mut found: Vec<Retrieval> = heads
        .map(|head| Retrieval {
            head,
            retrieval: 0.0,
        })
        .collect();
    let mut tokens = 0;
    let options = TraceOptions {
        logits: Logits::None,
        ..TraceOptions::default()
    };
    for test in tests {
        let encoding = model.tokenizer().encode(&test.text, prefix)?;
        if encoding.ids.len() > spec.context_length || !test.is_read(&encoding) {
            return Ok(None);
        }
        let trace = model.trace(&encoding, &options, hooks)?.trace;
        let pairs = test.pairs(&encoding);
        tokens += pairs.len();
        for one in &mut found {
            one.retrieval += hits(&trace, one.head, &pairs)? as f64;
        }
        done();
    }
    found
        .iter_mut()
        .for_each(|one| one.retrieval /= tokens.max(1) as f64);
    Ok((tokens > 0).then_some(found))
}

/// In how many of these rows a head's greatest weight lies on the key beside it.
fn hits(trace: &Trace, id: HeadId, pairs: &[(usize, usize)]) -> Result<usize, Error> {
    let head = trace.head(id.layer, id.head)?;
    let mut hits = 0;
    for &(row, key) in pairs {
        let top = head.top_k(row, 1)?;
        hits += usize::from(top.first().is_some_and(|&(j, _)| j == key));
    }
    Ok(hits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needles_stand_where_they_say_at_all_depths() {
        let tests = NeedleTest::random((10, 20), 1);
        assert_eq!(tests, NeedleTest::random((10, 20), 1));
        assert_ne!(tests, NeedleTest::random((10, 20), 2));
        for test in &tests {
            let at = |(start, end): (usize, usize)| &test.text[start..end];
            assert_eq!(at(test.needle), at(test.answer));
            assert!(test.text.ends_with(at(test.answer)));
        }
        let depth = |test: &NeedleTest| test.needle.0 as f64 / test.text.len() as f64;
        assert!(depth(&tests[0]) < 0.15 && depth(&tests[9]) > 0.75);
        assert!(
            tests
                .windows(2)
                .all(|pair| depth(&pair[0]) < depth(&pair[1]))
        );
    }
}
