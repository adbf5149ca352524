//! What can be wrong with a question about heads and words.

use lookback_trace::{HeadId, printable, quoted};

use crate::Occurrence;

/// Why a question about heads and words has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The question was taken back.
    #[error("cancelled")]
    Cancelled,
    /// There is no such word or token.
    #[error("there is no {unit} {index}: the text has {count}, from 0")]
    NoSuchUnit {
        /// `word` or `token`.
        unit: &'static str,
        /// The one asked for, from 0.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// A head's name is not written as one.
    #[error("{} is not a head: write layer and head, both from 0, as 5.10 or L5H10", quoted(.name))]
    MalformedHead {
        /// What was given.
        name: String,
    },
    /// The model has no such head.
    #[error(
        "there is no head L{}H{}: layers are 0 to {}, and each has heads 0 to {}",
        .head.layer, .head.head, .layers - 1, .heads - 1
    )]
    NoSuchHead {
        /// The head asked for.
        head: HeadId,
        /// How many layers there are (never 0).
        layers: usize,
        /// How many query heads a layer has (never 0).
        heads: usize,
    },
    /// A word's name is not written as one.
    #[error(
        "{} names no word: write the word, or WORD#n for its nth occurrence, from 1 (he#2)",
        quoted(.name)
    )]
    MalformedWord {
        /// What was given.
        name: String,
    },
    /// The text has no word at all.
    #[error("the text has no words, so there is nothing to look back from")]
    NoWords,
    /// The word does not occur.
    #[error("{} is not a word of the text{}", quoted(.word), hint(.similar))]
    NoSuchWord {
        /// The word asked for.
        word: String,
        /// Words of the text that it may have meant; at most five.
        similar: Vec<String>,
    },
    /// The word occurs, but not that often.
    #[error("{} occurs {}, so there is no {}#{asked}", quoted(.word), times(*.occurs), printable(.word))]
    NoSuchOccurrence {
        /// The word asked for.
        word: String,
        /// Which occurrence was asked for, from 1.
        asked: usize,
        /// How often it occurs (at least once).
        occurs: usize,
    },
    /// The word occurs more than once.
    #[error("{} occurs {} in the text; say which: {}", quoted(.word), times(.occurrences.len()), list(.word, .occurrences))]
    AmbiguousWord {
        /// The word asked for.
        word: String,
        /// All its occurrences (at least two).
        occurrences: Vec<Occurrence>,
    },
    /// Several words were given where one is asked for.
    #[error("{} is {count} words of the text; name one of them", quoted(.word))]
    SeveralWords {
        /// What was asked for.
        word: String,
        /// How many words it is.
        count: usize,
    },
    /// A candidate was named that none of the words of interest sees.
    #[error("the candidate {} comes before none of {}: a head sees only what was read before", quoted(.candidate), names(.interest))]
    CandidateNotBefore {
        /// The candidate.
        candidate: String,
        /// The words of interest.
        interest: Vec<String>,
    },
    /// Fewer than two candidates come before the word.
    #[error(
        "{} has {} before it; a choice needs two: name them with their words in the text",
        quoted(.word), few(.found)
    )]
    FewCandidates {
        /// The word asked about.
        word: String,
        /// The candidates that were found; at most one.
        found: Vec<String>,
    },
    /// A cut edge is not written as one.
    #[error(
        "{} is no edge: write WORD->WORD@HEADS, from a word to an earlier one, as he->Madd@14.8 or he->Madd@all",
        quoted(.text)
    )]
    MalformedCut {
        /// What was given.
        text: String,
    },
    /// Words of many tokens that stand in many places have too many edges between them.
    #[error(
        "{} makes {edges} edges, token by token and head by head; {} are cut at most: name fewer heads",
        quoted(.name), crate::edges::MOST_EDGES
    )]
    TooManyEdges {
        /// The edges' name.
        name: String,
        /// How many edges there would be.
        edges: usize,
    },
    /// A set of questions could not be read.
    #[error("cannot read {}: {source}", .path.display())]
    ReadSet {
        /// The file.
        path: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A set holds no question that can be asked.
    #[error("{} holds no question that can be asked{}", .path.display(), in_line(.first))]
    EmptySet {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong with its first line, where it has one.
        first: Option<String>,
    },
    /// Two words begin with one token, whose logit is compared with itself.
    #[error(
        "{} and {} begin with the same token, {}, so that every part of the difference would be 0: choose \
         words that begin with different tokens", quoted(&.words.0), quoted(&.words.1), quoted(.token)
    )]
    SameToken {
        /// The words.
        words: (String, String),
        /// The token.
        token: String,
    },
    /// A word has no token.
    #[error("an empty word has no token whose logit could be taken apart; name a word")]
    NoToken,
    /// There is nothing to average over.
    #[error("the reference set has no text, so there is no mean to ablate a head to")]
    NoReference,
    /// The text has no row that says anything.
    #[error(
        "{} too few: the first token, or the prefix, is the sink, and at least one token must follow it",
        are(*.tokens)
    )]
    TooShort {
        /// How many tokens there are, the prefix's included.
        tokens: usize,
    },
    /// A number could not be computed.
    #[error("{0}")]
    Numeric(String),
    /// The text is too long to be explained.
    #[error(
        "the text has {tokens} tokens, and explain takes at most {limit}: it builds the N×N matrices that the fused \
         kernel avoids; shorten the text"
    )]
    TooLong {
        /// How many tokens there are, the prefix's included.
        tokens: usize,
        /// How many there may be.
        limit: usize,
    },
    /// A model that does not predict masked words was asked to.
    #[error(
        "this {architecture} model does not predict masked words; ask one that does (BERT with its head), or continue the text with lookback generate"
    )]
    NoMaskedHead {
        /// The architecture.
        architecture: &'static str,
    },
    /// A text without a mask was to be filled.
    #[error("the text has no mask; write {mask} where a word is to be predicted")]
    NoMask {
        /// How the model spells its mask.
        mask: String,
    },
    /// The text could not be encoded.
    #[error(transparent)]
    Tokenizer(#[from] lookback_model::tokenizer::Error),
    /// The trace's own error.
    #[error(transparent)]
    Trace(#[from] lookback_trace::Error),
    /// The model's own error.
    #[error(transparent)]
    Model(#[from] lookback_model::Error),
    /// A step of the reference, or the fused kernel, failed.
    #[error(transparent)]
    Attention(#[from] lookback_attention::Error),
}

/// How many occurrences an error lists.
const LISTED: usize = 8;

fn times(count: usize) -> String {
    match count {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        _ => format!("{count} times"),
    }
}

/// `1 token is`, `2 tokens are`.
fn are(tokens: usize) -> String {
    match tokens {
        1 => "1 token is".to_owned(),
        _ => format!("{tokens} tokens are"),
    }
}

/// The first names, each of bounded length.
fn names(names: &[String]) -> String {
    let mut listed: Vec<String> = names
        .iter()
        .take(LISTED)
        .map(|name| printable(name))
        .collect();
    if names.len() > LISTED {
        listed.push(format!("{} more", names.len() - LISTED));
    }
    listed.join(", ")
}

fn few(found: &[String]) -> String {
    match found {
        [] => "no candidate".to_owned(),
        found => format!("only the candidate {}", names(found)),
    }
}

fn in_line(line: &Option<String>) -> String {
    match line {
        None => ": it is empty".to_owned(),
        Some(reason) => format!("; {reason}"),
    }
}

fn hint(similar: &[String]) -> String {
    match similar {
        [] => String::new(),
        words => {
            let words: Vec<String> = words.iter().map(|word| printable(word)).collect();
            format!("; did you mean {}?", words.join(" or "))
        }
    }
}

fn list(word: &str, occurrences: &[Occurrence]) -> String {
    let word = printable(word);
    let mut listed: Vec<String> = occurrences
        .iter()
        .take(LISTED)
        .enumerate()
        .map(|(index, place)| format!("{word}#{} ({})", index + 1, place.context))
        .collect();
    if occurrences.len() > LISTED {
        listed.push(format!("… {word}#{}", occurrences.len()));
    }
    listed.join(", ")
}
