use lookback_heads::example::Example;
use lookback_heads::{Error, Look, LookOptions, head};
use lookback_trace::{Layer, Mask, Trace};
use lookback_view::terminal::{LookPicture, NARROWEST, WIDEST, write_look};
use ndarray::Axis;
use proptest::prelude::*;
use unicode_width::UnicodeWidthStr as _;

use crate::plain::plain;

fn styled(trace: &Trace, options: &LookOptions, picture: &LookPicture) -> Result<String, Error> {
    let mut out = Vec::new();
    let look = Look::new(trace, options)?;
    write_look(&mut out, &look, picture).unwrap();
    Ok(String::from_utf8(out).unwrap())
}

fn drawn(trace: &Trace, options: &LookOptions, picture: &LookPicture) -> String {
    plain(&styled(trace, options, picture).unwrap())
}

fn wide(width: usize) -> LookPicture {
    LookPicture {
        width,
        ..LookPicture::default()
    }
}

fn named(prefix: &str) -> LookOptions {
    LookOptions {
        prefix: vec![prefix.to_owned()],
        ..LookOptions::default()
    }
}

#[test]
fn the_sentence_of_the_notes() {
    let trace = Example::default().trace();
    let options = named("<|endoftext|>");
    for width in [120, 80, 40, 20] {
        let name = format!("sentence_{width}");
        insta::assert_snapshot!(name, drawn(&trace, &options, &wide(width)));
    }
}

#[test]
fn chosen_heads_without_a_prefix() {
    let trace = Example {
        prefix_tokens: 0,
        ..Example::default()
    }
    .trace();
    let options = LookOptions {
        words: vec!["gets".parse().unwrap()],
        candidates: vec!["lot".parse().unwrap()],
        heads: vec![head::parse("1.1").unwrap()],
        ..LookOptions::default()
    };
    let picture = LookPicture {
        listed: 3,
        head_by_head: true,
        ..LookPicture::default()
    };
    insta::assert_snapshot!("chosen_heads", drawn(&trace, &options, &picture));
}

#[test]
fn a_long_text_is_shown_around_its_words_of_interest() {
    let text = format!(
        "Ann met Bob.{} Then she left.{} Did he see it, or did they?",
        " Nothing else was said that day.".repeat(20),
        " It rained.".repeat(30)
    );
    let trace = Example {
        text,
        ..Example::default()
    }
    .trace();
    insta::assert_snapshot!("long", drawn(&trace, &named("<bos>"), &wide(80)));
}

#[test]
fn colours_can_be_read_on_white_and_on_black() {
    let styled = styled(
        &Example::default().trace(),
        &named("<bos>"),
        &LookPicture::default(),
    )
    .unwrap();
    let codes: std::collections::BTreeSet<&str> = styled
        .split("\x1b[")
        .skip(1)
        .filter_map(|part| part.split_once('m'))
        .flat_map(|(codes, _)| codes.split(';'))
        .collect();
    // Reset, bold, dimmed, underlined, magenta, cyan: no white, black, yellow, blue or bright ones.
    let allowed = ["0", "1", "2", "36", "35", "4"];
    assert!(codes.iter().all(|code| allowed.contains(code)), "{codes:?}");
}

/// The example cuts no character; a byte-level tokenizer does, and gives all its tokens the character's span.
#[test]
fn a_character_of_several_tokens_is_shown_once() {
    let like = Example {
        text: "a b he".to_owned(),
        layers: 1,
        heads: 1,
        ..Example::default()
    }
    .trace();
    let mut meta = like.meta().clone();
    meta.text = "🙂 he".to_owned();
    meta.spans = vec![(0, 0), (0, 4), (0, 4), (4, 7)];
    let only = like.head(0, 0).unwrap();
    let layer = Layer {
        q: only.q().to_owned().insert_axis(Axis(0)),
        k: only.k().to_owned().insert_axis(Axis(0)),
        lse: only.lse().to_owned().insert_axis(Axis(0)),
        ..Layer::default()
    };
    let trace = Trace::new(meta, vec![layer]).unwrap();
    let picture = drawn(&trace, &named("<bos>"), &wide(80));
    assert!(picture.contains("🙂×2 ▸he"), "{picture}");
}

#[test]
fn what_the_text_holds_does_not_reach_the_terminal() {
    let text = "A\x1b[2Jnn \u{202e}met\tBob\r\nand \u{200b}he left\u{7}.";
    let trace = Example {
        text: text.to_owned(),
        ..Example::default()
    }
    .trace();
    let picture = drawn(&trace, &named("\x1b]0;x\x07"), &wide(80));
    let harmful = |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{202e}' | '\u{200b}');
    assert!(!picture.contains(harmful), "{picture:?}");
    assert!(picture.contains("\\u{1b}]0;x\\u{7}"));
}

fn masks() -> impl Strategy<Value = Mask> {
    prop_oneof![
        Just(Mask::None),
        (-2_isize..3).prop_map(|offset| Mask::Causal { offset }),
        (1_usize..6, -2_isize..3).prop_map(|(window, offset)| Mask::Window { window, offset }),
        (0_usize..6, -2_isize..3)
            .prop_map(|(radius, offset)| Mask::SymmetricWindow { radius, offset }),
    ]
}

/// A picture shows what a word sees on either side of it, and the numbers of the whole row.
#[test]
fn without_a_mask_words_behind_are_shown_too() {
    let trace = Example {
        text: "she met Ann".to_owned(),
        mask: Mask::None,
        ..Example::default()
    }
    .trace();
    let look = Look::new(&trace, &LookOptions::default()).unwrap();
    let focus = look.focus(0).unwrap();
    assert_eq!(focus.all_heads.ranked.len(), 3);
    let picture = drawn(&trace, &named("<bos>"), &wide(80));
    for ranked in &focus.all_heads.ranked {
        let word = &trace.words().get(ranked.word).unwrap().text;
        let number = format!("{:.1}%", 100.0 * ranked.share);
        let shows = |line: &str| line.trim_start().starts_with(word) && line.contains(&number);
        assert!(picture.lines().any(shows), "{word} {number}\n{picture}");
    }
    assert!(picture.contains("Ann"), "{picture}");
}

/// A full bar is 100%, whatever the largest number.
#[test]
fn bars_have_a_fixed_meaning() {
    let trace = Example::default().trace();
    let look = Look::new(&trace, &LookOptions::default()).unwrap();
    let focus = look.focus(0).unwrap();
    let picture = drawn(&trace, &named("<bos>"), &wide(100));
    // Columns of the longest bar that there is room for.
    let room = 40.0;
    for ranked in focus.all_heads.ranked.iter().take(8) {
        let number = format!("{:.1}%", 100.0 * ranked.share);
        let line = picture.lines().find(|line| line.contains(&number)).unwrap();
        let whole = line.chars().filter(|&c| c == '█').count() as f32;
        assert!((whole - room * ranked.share).abs() <= 1.0, "{line}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Any text, any width: no panic, no line too wide, nothing but text and styles.
    #[test]
    fn every_line_fits(
        text in prop_oneof![
            "[A-Za-z .,'\n]{1,60}",
            "\\PC{1,30}",
            "([a-z]{0,30}|[א-ת]{1,5}|[一-三]{1,9}|👨‍👩‍👧|🇩🇪|\u{200f}|\u{200d}|\u{301}| |He|Ann|\t|\x1b\\[1m){1,12}",
        ],
        prefix in "\\PC{0,30}",
        prefix_tokens in 0_usize..3,
        width in 0_usize..130,
        listed in 0_usize..6,
        mask in masks(),
    ) {
        let example = Example { text, prefix_tokens, layers: 1, mask, ..Example::default() };
        // A token has at most four characters; a mask's offset lies within the text.
        prop_assume!(example.mask.offset().unsigned_abs() <= prefix_tokens + example.text.len().div_ceil(16));
        let trace = example.trace();
        let picture = LookPicture { width, listed, head_by_head: true, ..LookPicture::default() };
        let styled = match styled(&trace, &named(&prefix), &picture) {
            Ok(styled) => styled,
            Err(Error::NoWords) => return Ok(()),
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        };
        let limit = width.clamp(NARROWEST, WIDEST);
        for line in plain(&styled).lines() {
            prop_assert!(line.width() <= limit, "{} > {limit}: {line:?}", line.width());
            prop_assert!(!line.chars().any(char::is_control));
            prop_assert!(!line.ends_with(' '));
        }
    }
}
