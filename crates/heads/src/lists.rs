//! English word lists: what counts as a pronoun, and what is never a candidate.
//!
//! Both are kept as plain lists, in lower case, so that anyone can see why a word was or was not taken.
//! Languages other than English are served by naming the words.

/// Personal, possessive and reflexive pronouns of English. These are the words of interest where none is named.
///
/// Demonstratives (`this`, `that`), relatives (`who`, `which`) and indefinites (`someone`, `one`) are not among
/// them: most often they do not stand for a person or thing named before.
pub const PRONOUNS: &[&str] = &[
    "i",
    "me",
    "my",
    "mine",
    "myself",
    "you",
    "your",
    "yours",
    "yourself",
    "yourselves",
    "he",
    "him",
    "his",
    "himself",
    "she",
    "her",
    "hers",
    "herself",
    "it",
    "its",
    "itself",
    "we",
    "us",
    "our",
    "ours",
    "ourselves",
    "they",
    "them",
    "their",
    "theirs",
    "themself",
    "themselves",
];

/// Words that are written with a capital only because they begin a sentence, or that come before a name; with
/// [`PRONOUNS`] they are never taken for candidates. One line a kind.
#[rustfmt::skip]
pub const FUNCTION_WORDS: &[&str] = &[
    // articles, determiners, quantifiers, numbers up to ten
    "a", "an", "the", "this", "that", "these", "those", "each", "every", "either", "neither", "both", "all", "any",
    "some", "no", "none", "many", "much", "more", "most", "few", "fewer", "several", "such", "another", "other",
    "others", "enough", "half", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    // indefinite, relative and question words
    "who", "whom", "whose", "which", "what", "when", "where", "why", "how", "whoever", "whatever", "whichever",
    "whenever", "wherever", "however", "somebody", "someone", "something", "anybody", "anyone", "anything",
    "nobody", "nothing", "everybody", "everyone", "everything",
    // conjunctions
    "and", "or", "but", "nor", "so", "yet", "for", "if", "unless", "because", "since", "although", "though",
    "while", "whereas", "whether", "once", "until", "till", "than", "as", "lest", "provided",
    // prepositions
    "about", "above", "across", "after", "against", "along", "among", "around", "at", "before", "behind", "below",
    "beneath", "beside", "besides", "between", "beyond", "by", "despite", "down", "during", "except", "from", "in",
    "inside", "into", "like", "near", "of", "off", "on", "onto", "out", "outside", "over", "past", "per", "through",
    "throughout", "to", "toward", "towards", "under", "underneath", "up", "upon", "via", "with", "within",
    "without",
    // auxiliaries, and what is left of one when n't is taken off
    "am", "is", "are", "was", "were", "be", "been", "being", "do", "does", "did", "done", "have", "has", "had",
    "having", "can", "could", "may", "might", "must", "shall", "should", "will", "would", "ought", "let", "ca", "wo",
    "ai", "sha", "cannot",
    // adverbs that open a sentence, answers and greetings
    "not", "never", "ever", "always", "often", "sometimes", "usually", "again", "also", "too", "even", "just",
    "only", "then", "thus", "therefore", "hence", "otherwise", "instead", "meanwhile", "moreover", "furthermore",
    "nevertheless", "nonetheless", "still", "there", "here", "now", "today", "tomorrow", "yesterday", "soon",
    "later", "first", "second", "third", "next", "last", "finally", "suddenly", "perhaps", "maybe", "indeed",
    "actually", "eventually", "recently", "afterwards", "afterward", "already", "almost", "well", "very", "quite",
    "rather", "anyway", "yes", "oh", "ah", "ok", "okay", "please", "thanks", "hello", "hi", "hey", "dear",
    // titles before a name
    "mr", "mrs", "ms", "miss", "dr", "prof", "sir", "madam", "lord", "lady", "st",
];

/// Words that a noun, or an adjective before it, follows.
pub const DETERMINERS: &[&str] = &[
    "the", "a", "an", "this", "that", "these", "those", "my", "your", "his", "her", "its", "our",
    "their", "every", "each", "some", "any", "no", "both", "another", "two", "three",
];

/// Whether a word is one of [`DETERMINERS`], whatever its case.
#[must_use]
pub fn is_determiner(word: &str) -> bool {
    DETERMINERS.contains(&word.to_lowercase().as_str())
}

/// Whether a word is one of [`PRONOUNS`], alone or with a contracted verb (`he's`, `I'll`), in lower case or
/// capitalised.
///
/// A word of several letters all in capitals is none (`US`, `IT`), unless `all_capitals` says that the text has no
/// lower-case letter at all.
///
/// ```
/// use lookback_heads::lists::is_pronoun;
/// assert!(is_pronoun("He", false) && is_pronoun("they're", false) && is_pronoun("I", false));
/// assert!(!is_pronoun("Madd", false) && !is_pronoun("US", false));
/// assert!(is_pronoun("HE", true));
/// ```
#[must_use]
pub fn is_pronoun(word: &str, all_capitals: bool) -> bool {
    let stem = without_clitic(word);
    let shouted = stem.chars().count() > 1 && stem.chars().all(char::is_uppercase);
    (all_capitals || !shouted) && PRONOUNS.contains(&stem.to_lowercase().as_str())
}

/// Whether a word is one of [`FUNCTION_WORDS`] or [`PRONOUNS`], whatever its case, alone or with a contracted
/// ending (`Don't`, `There's`).
///
/// ```
/// use lookback_heads::lists::is_function_word;
/// assert!(is_function_word("Yet") && is_function_word("Don't") && is_function_word("It's"));
/// assert!(!is_function_word("Vatsal"));
/// ```
#[must_use]
pub fn is_function_word(word: &str) -> bool {
    let stem = without_clitic(word).to_lowercase();
    FUNCTION_WORDS.contains(&stem.as_str()) || PRONOUNS.contains(&stem.as_str())
}

/// The word without a contracted verb, negation or possessive at its end: `he's` → `he`, `Don’t` → `Do`,
/// `Madd's` → `Madd`.
#[must_use]
pub fn without_clitic(word: &str) -> &str {
    for apostrophe in ['\'', '’'] {
        if let Some((stem, ending)) = word.rsplit_once(apostrophe) {
            let ending = ending.to_lowercase();
            if ending == "t" && stem.ends_with(['n', 'N']) && stem.len() > 1 {
                return &stem[..stem.len() - 1];
            }
            let clitic = matches!(ending.as_str(), "s" | "d" | "m" | "ll" | "re" | "ve" | "");
            if clitic && !stem.is_empty() {
                return stem;
            }
        }
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_lower_case_without_repeats() {
        for list in [PRONOUNS, FUNCTION_WORDS] {
            let mut seen = std::collections::HashSet::new();
            for word in list {
                assert_eq!(*word, word.to_lowercase());
                assert!(seen.insert(word), "{word} stands twice");
            }
        }
        for word in PRONOUNS {
            assert!(!FUNCTION_WORDS.contains(word), "{word} is in both lists");
        }
    }

    #[test]
    fn endings_come_off_once() {
        for (word, stem) in [
            ("he's", "he"),
            ("they’ve", "they"),
            ("Don't", "Do"),
            ("CAN'T", "CA"),
            ("Madd's", "Madd"),
            ("boys'", "boys"),
            ("O'Brien", "O'Brien"),
            ("'s", "'s"),
            ("'", "'"),
            ("n't", "n't"),
            ("é's", "é"),
        ] {
            assert_eq!(without_clitic(word), stem, "{word}");
        }
    }
}
