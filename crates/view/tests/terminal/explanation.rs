use std::path::Path;
use std::sync::LazyLock;

use lookback_heads::explain::{ExplainOptions, Explanation, explain};
use lookback_heads::{Error, head};
use lookback_model::{LoadOptions, Model, Prefix};
use lookback_view::terminal::{ExplanationPicture, NARROWEST, WIDEST, write_explanation};
use proptest::prelude::*;
use unicode_width::UnicodeWidthStr as _;

use crate::plain::plain;

/// A model of a few thousand weights, from the model crate's test data.
fn explained(text: &str, prefix: &Prefix) -> Result<Explanation, Error> {
    static MODEL: LazyLock<Model> = LazyLock::new(|| {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../model/tests/data/tiny/grouped");
        Model::load(&data, &LoadOptions::default()).expect("the model loads")
    });
    let options = ExplainOptions {
        head: head::parse("1.1").unwrap(),
        word: None,
        model_name: "tiny".to_owned(),
        entries: 5,
    };
    explain(
        &MODEL,
        &MODEL.tokenizer().encode(text, prefix).unwrap(),
        &options,
    )
}

fn drawn(explanation: &Explanation, width: usize, listed: usize) -> String {
    let mut out = Vec::new();
    write_explanation(&mut out, explanation, &ExplanationPicture { width, listed }).unwrap();
    plain(&String::from_utf8(out).unwrap())
}

/// Numbers differ in their last digit from machine to machine, and bars with them.
fn without_numbers(picture: &str) -> String {
    let digits = |c: char| if c.is_ascii_digit() { '0' } else { c };
    let hidden: String = picture.chars().map(digits).collect();
    let lines = hidden
        .lines()
        .map(|line| line.trim_end_matches(|c| c == ' ' || ('█'..='▏').contains(&c)));
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn each_step_is_drawn() {
    let mut explanation = explained("Ann met Bob. Then he left.", &Prefix::None).unwrap();
    let checks = explanation
        .steps
        .iter_mut()
        .flat_map(|step| &mut step.checks);
    for check in checks.chain(&mut explanation.worst_check) {
        check.largest_difference = 1e-6;
    }
    for width in [80, 40] {
        let picture = without_numbers(&drawn(&explanation, width, 12));
        insta::assert_snapshot!(format!("explanation_{width}"), picture);
    }
}

#[test]
fn the_numbers_drawn_are_those_of_the_explanation() {
    let explanation = explained("Ann met Bob. Then he left.", &Prefix::None).unwrap();
    let picture = drawn(&explanation, 80, 100);
    let softmax = explanation.step("softmax").unwrap().row.last().unwrap();
    let shown = picture.split_once("Softmax").unwrap().1;
    for weight in softmax
        .values
        .iter()
        .flatten()
        .filter(|&&weight| weight > 0.001)
    {
        assert!(
            shown.contains(&format!("{:.1}%", 100.0 * weight)),
            "{weight}"
        );
    }
    let check = explanation.worst_check.clone().unwrap();
    assert!(picture.contains(&format!("{:.1e}", check.largest_difference)));
}

#[test]
fn a_check_that_fails_is_said_to() {
    let mut explanation = explained("Ann left.", &Prefix::None).unwrap();
    let step = explanation
        .steps
        .iter_mut()
        .find(|step| !step.checks.is_empty())
        .unwrap();
    step.checks[0].agrees = false;
    step.checks[0].largest_difference = 0.5;
    let picture = drawn(&explanation, 80, 12);
    assert!(
        picture.contains("differs by 5.0e-1, more than"),
        "{picture}"
    );
    assert!(picture.contains("1 of "), "{picture}");
    assert!(picture.contains("do NOT agree"), "{picture}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Any text, any width: no panic, no line too wide, nothing but text and styles.
    #[test]
    fn every_line_fits(
        text in prop_oneof![
            "[A-Za-z .,'\n]{1,30}",
            "\\PC{1,12}",
            "([a-z]{0,30}|[א-ת]{1,5}|[一-三]{1,4}|👨‍👩‍👧|\u{200f}|\u{200d}|\u{301}| |He|Ann|\t|\x1b\\[1m){1,6}",
        ],
        width in 0_usize..130,
        listed in 0_usize..20,
    ) {
        let explanation = match explained(&text, &Prefix::None) {
            Ok(explanation) => explanation,
            Err(Error::NoWords) => return Ok(()),
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        };
        let limit = width.clamp(NARROWEST, WIDEST);
        for line in drawn(&explanation, width, listed).lines() {
            prop_assert!(line.width() <= limit, "{} > {limit}: {line:?}", line.width());
            prop_assert!(!line.chars().any(char::is_control));
            prop_assert!(!line.ends_with(' '));
        }
    }
}
