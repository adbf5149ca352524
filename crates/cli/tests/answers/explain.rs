use crate::program::{SENTENCE, json, lookback, ok, refused};

#[test]
fn the_steps_are_printed_in_the_order_of_the_notes() {
    let printed = ok(&["explain", SENTENCE, "--head", "9.4", "--token", "he"]);
    let mut rest = printed.as_str();
    for part in [
        "smollm2-135m · head L9H4 · row of he",
        "1. The embeddings",
        "2. The first idea: similarity alone",
        "3. What enters layer 9",
        "4. Norm before the head",
        "5. Query",
        "N×d · d×k = N×k here 21×576 · 576×64 = 21×64",
        "6. Key",
        "7. Value",
        "8. Position",
        "9. Similarity of query and key",
        "10. Scaling",
        "11. The mask",
        "12. Softmax",
        "The row of “he” sums to 1.000000.",
        "expect the weight to itself to be high but below 1",
        // Published: L9H4 gives Vatsal .181 and Madd .078.
        "Vatsal 18.1%, Madd 7.8%",
        "13. The weighted sum",
        "14. The heads side by side",
        "15. W_o",
        "16. N×d again",
        "All 17 checks agree",
    ] {
        let at = rest.find(part);
        rest = &rest[at.unwrap_or_else(|| panic!("{part:?} is not in its place in\n{printed}"))..];
    }
    assert!(printed.lines().all(|line| line.chars().count() <= 80));
}

#[test]
fn json_is_the_explanation() {
    let answer = json(&["explain", SENTENCE, "--head", "L13H8"]);
    assert_eq!(answer["format"], "lookback-explain/2");
    assert_eq!((&answer["layer"], &answer["head"]), (&13.into(), &8.into()));
    assert_eq!(answer["word"]["label"], "he");
    let weights = &answer["outcome"]["candidates"];
    assert!((weights[0]["weight"].as_f64().unwrap() - 0.085).abs() < 5e-4);
    assert!((weights[1]["weight"].as_f64().unwrap() - 0.317).abs() < 5e-4);
    assert_eq!(answer["worst_check"]["agrees"], true);
}

#[test]
fn without_a_head_the_one_with_most_to_show_is_taken_and_named() {
    let output = lookback(&["explain", SENTENCE, "--json"]).output().unwrap();
    assert!(output.status.success());
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let name = format!("L{}H{} is shown", answer["layer"], answer["head"]);
    assert!(said.contains(&name), "{said}");
    // No head gives the candidates more.
    let sum = |weights: &[f64]| weights.iter().sum::<f64>();
    let candidates = answer["outcome"]["candidates"].as_array().unwrap();
    let shown: Vec<f64> = candidates
        .iter()
        .map(|c| c["weight"].as_f64().unwrap())
        .collect();
    let look = json(&[SENTENCE]);
    for head in look["words_of_interest"][0]["heads"].as_array().unwrap() {
        let weight = |word: usize| head["word_weights"][word][1].as_f64().unwrap();
        assert!(weight(0) + weight(5) <= sum(&shown) + 1e-4);
    }
}

#[test]
fn any_text_and_width_can_be_explained() {
    for arguments in [
        &["explain", "left", "--prefix", "none", "--width", "20"][..],
        &[
            "explain",
            "🙂 שלום \u{202e}日本語 she",
            "--width",
            "40",
            "--entries",
            "3",
            "--head",
            "0.0",
        ],
    ] {
        let printed = ok(arguments);
        let words: Vec<&str> = printed.split_whitespace().collect();
        assert!(words.join(" ").contains("checks agree."), "{printed}");
        assert!(!printed.contains('\u{202e}'));
    }
}

#[test]
fn what_cannot_be_explained_fails_in_one_line() {
    let long = "word ".repeat(2100);
    let cases: [(&[&str], &str); 4] = [
        (
            &["explain", SENTENCE, "--head", "9.9"],
            "there is no head L9H9",
        ),
        (
            &["explain", SENTENCE, "--token", "she"],
            "\"she\" is not a word of the text",
        ),
        (&["explain", ""], "the text is empty"),
        (&["explain", &long], "explain takes at most 2048"),
    ];
    for (arguments, message) in cases {
        let (code, said) = refused(arguments);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(message), "{message:?} is not in {said}");
    }
}
