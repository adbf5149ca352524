//! Words, and weights from word to word.

use lookback_trace::{Error, Meta, Scoring, Trace, Word, WordWeights, Words};
use ndarray::Array1;
use proptest::prelude::*;

use crate::common::{SMALL, causal, layers, meta, sound};

/// Each character its own token.
fn by_character(text: &str) -> Vec<(usize, usize)> {
    let chars = text.char_indices();
    chars.map(|(at, c)| (at, at + c.len_utf8())).collect()
}

fn texts(words: &Words) -> Vec<&str> {
    words.iter().map(|w| w.text.as_str()).collect()
}

fn split(text: &str) -> Vec<String> {
    let words = Words::new(text, &by_character(text));
    texts(&words).into_iter().map(str::to_owned).collect()
}

#[test]
fn words_punctuation_and_apostrophes() {
    assert_eq!(
        split("Vatsal studies a lot, Madd doesn't. Yet…"),
        [
            "Vatsal", "studies", "a", "lot", ",", "Madd", "doesn't", ".", "Yet", "…"
        ]
    );
    assert_eq!(
        split("it’s Vatsal's 'own'"),
        ["it’s", "Vatsal's", "'", "own", "'"]
    );
    assert_eq!(
        split("3.14, 1,000 and snake_case"),
        ["3.14", ",", "1,000", "and", "snake_case"]
    );
    assert_eq!(split("well-known e.g."), ["well", "-", "known", "e.g", "."]);
}

#[test]
fn scripts_of_the_world() {
    // Combining marks stay with their letters, whether composed or not.
    assert_eq!(split("cafe\u{301} naïve"), ["cafe\u{301}", "naïve"]);
    assert_eq!(split("我们看。"), ["我", "们", "看", "。"]);
    assert_eq!(split("カタカナ"), ["カタカナ"]);
    // Right to left: the order is that of reading.
    assert_eq!(split("שלום, עולם!"), ["שלום", ",", "עולם", "!"]);
    assert_eq!(split("مرحبا بالعالم"), ["مرحبا", "بالعالم"]);
    assert_eq!(split("नमस्ते दुनिया"), ["नमस्ते", "दुनिया"]);
}

#[test]
fn an_emoji_with_all_its_parts_is_one_word() {
    let family = "\u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467}";
    let waving = "\u{1F44B}\u{1F3FD}";
    let flag = "\u{1F1EE}\u{1F1F3}";
    assert_eq!(
        split(&format!("hi {family}{waving} {flag}")),
        ["hi", family, waving, flag]
    );
}

#[test]
fn texts_without_words() {
    for text in ["", "   ", "\n\t \u{a0}\u{3000}\r\n", "\u{0}\u{7}\u{85}"] {
        let words = Words::new(text, &by_character(text));
        assert!(words.is_empty(), "{text:?}: {words:?}");
        assert_eq!((words.len(), words.of_token(0)), (0, None));
    }
}

#[test]
fn tokens_of_a_word() {
    // `Vat` `sal` ` stud` `ies` ` `, with a prefix token before them.
    let words = Words::new(
        "Vatsal studies ",
        &[(0, 0), (0, 3), (3, 6), (6, 11), (11, 14), (14, 15)],
    );
    let word = |text: &str, span, tokens| Word {
        text: text.into(),
        span,
        tokens,
    };
    let expected = [word("Vatsal", 0..6, 1..3), word("studies", 7..14, 3..5)];
    assert!(words.iter().eq(&expected), "{words:?}");
    let of: Vec<Option<usize>> = (0..7).map(|token| words.of_token(token)).collect();
    assert_eq!(of, [None, Some(0), Some(0), Some(1), Some(1), None, None]);
}

#[test]
fn tokens_that_share_a_character_are_one_words() {
    // An emoji of four bytes in three tokens, each with the whole character's span.
    let words = Words::new("a🙂b", &[(0, 1), (1, 5), (1, 5), (1, 5), (5, 6)]);
    assert_eq!(texts(&words), ["a", "🙂", "b"]);
    assert_eq!(words.get(1).unwrap().tokens, 1..4);
    // A token of the last byte of one ideograph and the first of the next holds both together.
    let words = Words::new("我们看", &[(0, 3), (0, 6), (3, 6), (6, 9)]);
    assert_eq!(texts(&words), ["我们", "看"]);
    assert_eq!(words.get(0).unwrap().tokens, 0..3);
}

#[test]
fn words_that_a_token_straddles_become_one() {
    let words = Words::new("end.\" So", &[(0, 3), (3, 5), (5, 8)]);
    assert_eq!(texts(&words), ["end", ".\"", "So"]);
    // A token over a space: the space between the words belongs to the word that they become.
    let words = Words::new("New York is", &[(0, 5), (5, 8), (8, 11)]);
    assert_eq!(texts(&words), ["New York", "is"]);
    assert_eq!(words.get(0).unwrap().tokens, 0..2);
    // One token for all.
    let words = Words::new("New York is", &[(0, 11)]);
    assert_eq!(texts(&words), ["New York is"]);
}

#[test]
fn words_that_no_token_stands_for_are_left_out() {
    assert_eq!(
        texts(&Words::new("one two three", &[(0, 3), (8, 13)])),
        ["one", "three"]
    );
    // Spans that a sound trace cannot have.
    assert_eq!(texts(&Words::new("one two", &[(0, 3), (90, 99)])), ["one"]);
    assert!(Words::new("one", &[(3, 0)]).is_empty());
}

#[test]
fn a_word_of_a_text_sums_keys_and_averages_queries() {
    let trace = sound();
    assert_eq!(texts(trace.words()), ["I", "don't", "."]);
    let all = trace.weights(1, 2, 0..6, 0..6).unwrap();
    // `don't` is tokens 2 and 3; token 0 is the prefix, and token 5 is white space.
    let mean = |j: usize| (all[[2, j]] + all[[3, j]]) / 2.0;
    let expected = WordWeights {
        words: vec![mean(1), mean(2) + mean(3), mean(4)],
        prefix: mean(0),
        other: mean(5),
    };
    let found = trace.word_weights(1, 2, 1).unwrap();
    let close = |a: f32, b: f32| (a - b).abs() < 1e-6;
    assert!(close(found.prefix, expected.prefix) && close(found.other, expected.other));
    assert!(
        found
            .words
            .iter()
            .zip(&expected.words)
            .all(|(&a, &b)| close(a, b))
    );
    assert!(close(
        found.words.iter().sum::<f32>() + found.prefix + found.other,
        1.0
    ));
    assert!(found.words[1] > 0.0 && found.prefix > 0.0);
}

#[test]
fn words_heads_and_queries_that_are_not_there() {
    let trace = sound();
    let message = |error: Error| error.to_string();
    assert_eq!(
        message(trace.word_weights(0, 0, 3).unwrap_err()),
        "there is no word 3: the text has 3 words that tokens stand for"
    );
    assert!(matches!(
        trace.word_weights(5, 0, 0),
        Err(Error::NoSuchLayer { .. })
    ));
    let head = trace.head(0, 0).unwrap();
    assert!(matches!(
        head.mean_row(2..2),
        Err(Error::NoSuchTokens { .. })
    ));
    assert!(matches!(
        head.mean_row(2..7),
        Err(Error::NoSuchTokens { .. })
    ));
    let nameless = Meta {
        text: "\n".repeat(9),
        ..meta(vec![causal()])
    };
    let trace = Trace::new(nameless, layers(&[causal()], &[])).unwrap();
    assert!(matches!(
        trace.word_weights(0, 0, 0),
        Err(Error::NoSuchWord { words: 0, .. })
    ));
}

#[test]
fn special_tokens_after_the_text_are_apart_from_its_words() {
    let words = Words::new("ab", &[(0, 0), (0, 1), (1, 2), (2, 2)]);
    let row = Array1::from(vec![0.5, 0.125, 0.25, 0.125]);
    let folded = WordWeights::from_keys(row.view(), &words, 1);
    assert_eq!(
        folded,
        WordWeights {
            words: vec![0.375],
            prefix: 0.5,
            other: 0.125
        }
    );
}

#[test]
fn a_long_word_takes_no_room_for_all_its_rows() {
    // All 150 tokens are one word, more than the rows that are held at a time.
    let n = 150;
    let described = Scoring::new(0.3, lookback_trace::Mask::None);
    let layer = crate::common::layer(
        &mut crate::common::Numbers::new(3),
        crate::common::Sizes { n, ..SMALL },
        &described,
        &[],
    );
    let meta = Meta {
        text: "x".repeat(n),
        tokens: vec![1; n],
        spans: (0..n).map(|i| (i, i + 1)).collect(),
        prefix_tokens: 0,
        ..meta(vec![described])
    };
    let trace = Trace::new(meta, vec![layer]).unwrap();
    let found = trace.word_weights(0, 0, 0).unwrap();
    assert!((found.words[0] - 1.0).abs() < 1e-5, "{found:?}");
    let mean = trace
        .weights(0, 0, 0..n, 0..n)
        .unwrap()
        .mean_axis(ndarray::Axis(0))
        .unwrap();
    let row = trace.head(0, 0).unwrap().mean_row(0..n).unwrap();
    assert!(row.iter().zip(&mean).all(|(a, b)| (a - b).abs() < 1e-6));
}

proptest! {
    /// Whatever the text and however it is cut into tokens, words are in order, share no token, and are what the
    /// text holds where they say they are.
    #[test]
    fn words_are_in_order_and_share_no_token(text in "\\PC{0,40}", cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20)) {
        let mut bounds: Vec<usize> = by_character(&text).iter().map(|s| s.0).collect();
        bounds.push(text.len());
        let mut chosen: Vec<usize> = cuts.iter().map(|at| *at.get(&bounds)).collect();
        chosen.extend([0, text.len()]);
        chosen.sort_unstable();
        let spans: Vec<(usize, usize)> = chosen.windows(2).map(|w| (w[0], w[1])).collect();
        let words = Words::new(&text, &spans);
        let mut before = (0, 0);
        for (at, word) in words.iter().enumerate() {
            prop_assert_eq!(&text[word.span.clone()], &word.text);
            prop_assert!(word.span.start >= before.0 && word.tokens.start >= before.1);
            prop_assert!(!word.tokens.is_empty());
            prop_assert_eq!(word.text.trim(), &word.text);
            for token in word.tokens.clone() {
                prop_assert_eq!(words.of_token(token), Some(at));
            }
            before = (word.span.end, word.tokens.end);
        }
        // Every token with something to see belongs to a word, and no white space stands around one.
        for (token, &(start, end)) in spans.iter().enumerate() {
            let seen = text[start..end].chars().any(|c| !c.is_whitespace() && !c.is_control());
            prop_assert!(words.of_token(token).is_some() || !seen, "token {}", token);
        }
    }
}
