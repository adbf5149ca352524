//! What an exported page keeps, and how large that is: chosen before anything is written.

use std::sync::atomic::AtomicBool;

use lookback_heads::head;
use lookback_heads::token_attention::{TokenAttention, TokenAttentionOptions};
use lookback_trace::{Dtype, HeadId, Trace};

use super::assets::{SCRIPT, STYLE, in_element};
use super::description::{Description, Kept, first_word};
use super::header::header_bytes;
use super::words::bytes_of_word;
use crate::Error;

/// Bytes that a page may have and still keep everything where nothing was chosen: about 1,000 tokens of the default
/// model.
const WHOLE_BYTES: u64 = 64_000_000;

/// Bytes of a page for which heads and words are chosen: 30 MB, as mail and chat take them.
const CHOSEN_BYTES: u64 = 30_000_000;

/// Bytes of the file that are neither script nor style nor data.
const FRAME: u64 = 673;

/// The part of them that words may take where heads are chosen too.
const WORDS_PART: f64 = 0.35;

/// Words that are kept where nobody chose any, at most: each is asked of every head while the page is made.
const MOST_WORDS: usize = 64;

/// Keys of a head's row that are kept where nothing is said.
pub const TOP: usize = 8;

/// What an exported page keeps.
///
/// A head that is kept is kept with its queries and keys: any of its weights can be asked for, and its map is there. A
/// word that is kept has its answer over all heads, and of each head its largest weights. What is not chosen is chosen
/// so that the file stays within 30 MB; a text of about 1,000 tokens or fewer is kept whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageOptions {
    /// Keeps every head, whatever the size. `heads` and `words` are then not looked at.
    pub all: bool,
    /// Heads that are kept, at least one; none for those that look most from the words that are kept, as many as fit.
    pub heads: Option<Vec<HeadId>>,
    /// Words of which all heads' answers are kept, as indices into the trace's words; none for the one that the page
    /// opens with and the last ones, as many as fit.
    pub words: Option<Vec<usize>>,
    /// The word that is seen: among those that are chosen where `words` names none, and heads are chosen by it.
    pub word: Option<usize>,
    /// Keys kept of each head's row of these words: those with the largest weights.
    pub top: usize,
}

impl Default for PageOptions {
    fn default() -> Self {
        Self {
            all: false,
            heads: None,
            words: None,
            word: None,
            top: TOP,
        }
    }
}

/// What a page will keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// None where everything is kept.
    pub(super) kept: Option<Kept>,
    heads: usize,
    words: usize,
    size: u64,
}

impl Plan {
    /// Chooses what `options` leave open. Where heads are to be chosen, all of them are asked about one word.
    ///
    /// # Errors
    /// [`Error::Heads`] where a head or a word does not exist, or `cancel` was set; [`Error::Trace`] of cross-attention.
    ///
    /// ```
    /// use lookback_view::page::{PageOptions, Plan};
    /// let trace = lookback_heads::example::Example::default().trace();
    /// let plan = Plan::new(&trace, &PageOptions::default(), &Default::default())?;
    /// assert!(plan.size() < 1_000_000 && plan.left_out().is_none());
    /// # Ok::<(), lookback_view::Error>(())
    /// ```
    pub fn new(trace: &Trace, options: &PageOptions, cancel: &AtomicBool) -> Result<Self, Error> {
        trace.require_self_attention("A page")?;
        if let Some(word) = options.word {
            named_words(trace, &[word])?;
        }
        let sizes = Sizes::new(trace, options.top)?;
        let heads = sizes.heads.len();
        let chosen = options.heads.is_some() || options.words.is_some();
        let whole = sizes.whole();
        if options.all || (!chosen && whole <= WHOLE_BYTES) {
            return Ok(Self {
                kept: None,
                heads,
                words: trace.words().len(),
                size: whole,
            });
        }
        let first = options.word.or_else(|| first_word(trace));
        // A page without a map would be none.
        let named = options.heads.as_deref().filter(|heads| !heads.is_empty());
        let named = named.map(|heads| named_heads(trace, heads)).transpose()?;
        let words = match &options.words {
            Some(words) => named_words(trace, words)?,
            None => sizes.words(trace, first, named.as_deref()),
        };
        let chosen = match named {
            Some(heads) => heads,
            None => sizes.most_looking(trace, first, &words, cancel)?,
        };
        let kept = Kept {
            heads: chosen,
            words,
            top: options.top,
        };
        Ok(Self {
            size: sizes.of(trace, &kept)?,
            kept: Some(kept),
            heads,
            words: trace.words().len(),
        })
    }

    /// Bytes of the file, within a few dozen: its few numbers that are found only while it is made are written in more
    /// or fewer digits.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The heads that are kept; none where all are.
    #[must_use]
    pub fn heads(&self) -> Option<&[HeadId]> {
        self.kept.as_ref().map(|kept| kept.heads.as_slice())
    }

    /// The words of which all heads' answers are kept; none where any word can be asked of all heads.
    #[must_use]
    pub fn words(&self) -> Option<&[usize]> {
        self.kept.as_ref().map(|kept| kept.words.as_slice())
    }

    /// What the page will not have, in a sentence; none where it has everything.
    #[must_use]
    pub fn left_out(&self) -> Option<String> {
        let kept = self.kept.as_ref()?;
        Some(format!(
            "The page keeps {} of {} heads, and {} of {} words over all heads (the {} largest weights of each).",
            kept.heads.len(),
            self.heads,
            kept.words.len(),
            self.words,
            kept.top
        ))
    }
}

/// What the parts of a page take.
struct Sizes {
    /// Script, style, description and the frame of the file.
    frame: u64,
    /// The header of the trace with every head.
    header: u64,
    /// Every head, and the bytes of its queries, keys and numbers in the trace before they are written as text.
    heads: Vec<(HeadId, u64)>,
    /// Bytes of the trace with every head: keys that heads share are there once.
    trace: u64,
    /// Bytes of one word's answer.
    word: u64,
}

impl Sizes {
    fn new(trace: &Trace, top: usize) -> Result<Self, Error> {
        let n = trace.n() as u64;
        let number = Dtype::F16.size() as u64;
        let mut heads = Vec::new();
        let mut all = 0;
        for &layer in trace.layer_ids() {
            let shape = trace.layer_shape(layer)?;
            let d_k = shape.d_k as u64;
            // LSE and, mostly, ‖v·W_o‖ in f32 beside a query; a bias that heads share is there once, and counts for each.
            let wide = if shape.has_vnorm { 8 } else { 4 };
            let bias = |heads: usize| {
                let numbers = shape.bias.map_or(0, |[h, n, m]| h.min(heads) * n * m);
                4 * numbers as u64
            };
            let head = n * (number * d_k + wide);
            let (count, kv) = (shape.heads, shape.kv_heads);
            all += count as u64 * head + kv as u64 * n * number * d_k + bias(count);
            let ids = trace.head_ids(layer).iter();
            let alone = head + n * number * d_k + bias(1);
            heads.extend(ids.map(|&head| (HeadId { layer, head }, alone)));
        }
        let description = serde_json::to_string(&Description::new(trace, &[]));
        let description = description.map_err(std::io::Error::from)?.len() as u64;
        Ok(Self {
            frame: (in_element(SCRIPT).len() + in_element(STYLE).len()) as u64
                + description
                + FRAME,
            header: header_bytes(trace, None)?,
            trace: all,
            word: bytes_of_word(trace.words().len(), heads.len(), top),
            heads,
        })
    }

    /// Everything.
    fn whole(&self) -> u64 {
        self.frame + base64(self.header + self.trace)
    }

    fn of(&self, trace: &Trace, kept: &Kept) -> Result<u64, Error> {
        let heads: u64 = kept.heads.iter().map(|id| self.head(*id)).sum();
        let words = self.word * kept.words.len() as u64;
        let header = header_bytes(trace, Some(&kept.heads))?;
        let kept = serde_json::to_string(kept).map_or(0, |json| json.len()) as u64;
        Ok(self.frame + kept + base64(header + heads) + base64(words))
    }

    fn head(&self, id: HeadId) -> u64 {
        let found = self.heads.iter().find(|(other, _)| *other == id);
        found.map_or(0, |(_, bytes)| *bytes)
    }

    /// The first word and the last ones: of a long text, that is where it is asked about.
    fn words(&self, trace: &Trace, first: Option<usize>, heads: Option<&[HeadId]>) -> Vec<usize> {
        let room = CHOSEN_BYTES.saturating_sub(self.frame + base64(self.header));
        let room = match heads {
            Some(heads) => room.saturating_sub(base64(heads.iter().map(|id| self.head(*id)).sum())),
            None => (room as f64 * WORDS_PART) as u64,
        };
        let fit = (room / base64(self.word).max(1)) as usize;
        let last = (0..trace.words().len()).rev();
        let others = last.filter(|word| Some(*word) != first);
        let mut words: Vec<usize> = first.into_iter().chain(others).collect();
        words.truncate(fit.clamp(1, MOST_WORDS));
        words.sort_unstable();
        words
    }

    /// Heads that look most at another word from the first one, as many as fit.
    fn most_looking(
        &self,
        trace: &Trace,
        first: Option<usize>,
        words: &[usize],
        cancel: &AtomicBool,
    ) -> Result<Vec<HeadId>, Error> {
        let first = first.filter(|word| words.contains(word));
        let ranked: Vec<HeadId> = match first.or(words.first().copied()) {
            Some(word) => {
                let options = TokenAttentionOptions::default();
                let attention = TokenAttention::new(trace, word, &options, cancel)?;
                // The one that is opened first: its map is there whatever else fits.
                let opened = attention.default_head;
                let ranked = attention.ranked.iter().map(|head| head.head);
                let others = ranked.filter(|head| Some(*head) != opened);
                opened.into_iter().chain(others).collect()
            }
            None => self.heads.iter().map(|(id, _)| *id).collect(),
        };
        let of_words = base64(self.word * words.len() as u64);
        let mut room =
            CHOSEN_BYTES.saturating_sub(self.frame + base64(self.header) + of_words) / 4 * 3;
        let mut chosen: Vec<HeadId> = ranked
            .iter()
            .map_while(|&id| {
                room = room.checked_sub(self.head(id))?;
                Some(id)
            })
            .collect();
        // A page without a map would be none.
        if chosen.is_empty() {
            chosen.extend(ranked.first());
        }
        chosen.sort_unstable();
        Ok(chosen)
    }
}

/// Characters of so many bytes.
fn base64(bytes: u64) -> u64 {
    bytes.div_ceil(3) * 4
}

/// Heads that exist, ascending and each once.
fn named_heads(trace: &Trace, named: &[HeadId]) -> Result<Vec<HeadId>, Error> {
    for id in named {
        head::check_in(*id, trace)?;
    }
    Ok(ascending(named))
}

/// Words that exist, ascending and each once.
fn named_words(trace: &Trace, named: &[usize]) -> Result<Vec<usize>, Error> {
    let words = trace.words().len();
    match named.iter().find(|word| **word >= words) {
        Some(&index) => Err(Error::Heads(lookback_heads::Error::NoSuchUnit {
            unit: "word",
            index,
            count: words,
        })),
        None => Ok(ascending(named)),
    }
}

fn ascending<T: Copy + Ord>(named: &[T]) -> Vec<T> {
    let mut named = named.to_vec();
    named.sort_unstable();
    named.dedup();
    named
}

#[cfg(test)]
mod tests {
    use super::*;
    use lookback_heads::default_head;
    use lookback_heads::example::Example;

    /// Room for one head alone.
    #[test]
    fn the_head_that_is_opened_is_kept_before_those_that_look_more() {
        let trace = Example {
            text: "Tom met Ann in Rome. Yet he left.".into(),
            layers: 4,
            heads: 4,
            ..Example::default()
        }
        .trace();
        let never = AtomicBool::new(false);
        let mut sizes = Sizes::new(&trace, TOP).unwrap();
        let mut differs = false;
        for word in 1..trace.words().len() {
            let room = base64(sizes.header) + base64(sizes.word) + 2 * sizes.heads[0].1;
            sizes.frame = CHOSEN_BYTES - room;
            let kept = sizes.most_looking(&trace, Some(word), &[word], &never);
            let opened = default_head(&trace, &(word..word + 1)).unwrap().head;
            assert_eq!(kept.unwrap(), [opened]);
            let options = TokenAttentionOptions::default();
            let answer = TokenAttention::new(&trace, word, &options, &never).unwrap();
            differs |= answer.ranked[0].head != opened;
        }
        assert!(differs);
    }
}
