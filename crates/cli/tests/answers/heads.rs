use crate::program::{SENTENCE, json, ok, refused};

#[test]
fn every_head_has_a_row_and_any_column_sorts() {
    let answer = json(&["heads", SENTENCE]);
    let heads = answer["heads"].as_array().unwrap();
    assert_eq!(
        (heads.len(), answer["prefix_tokens"].as_u64()),
        (270, Some(1))
    );
    let sink: f64 = heads.iter().map(|h| h["sink"].as_f64().unwrap()).sum();
    assert!(sink > 100.0 && sink < 170.0, "{sink}");
    let printed = ok(&["heads", SENTENCE, "--sort", "induction", "--top", "3"]);
    assert!(
        printed.lines().all(|line| line.chars().count() <= 80),
        "{printed}"
    );
    assert!(
        printed.contains("L18H6") && printed.contains("Not drawn for want of room"),
        "{printed}"
    );
    let (code, said) = refused(&["heads", SENTENCE, "--sort", "fame", "--no-probes"]);
    assert!(code == Some(1) && said.contains("no column \"fame\"") && said.contains("entropy"));
}

#[test]
fn an_ablated_head_changes_what_comes_after_it_and_nothing_before() {
    let plain = json(&["heads", SENTENCE, "--no-probes"]);
    let without = json(&[
        "heads",
        SENTENCE,
        "--no-probes",
        "--ablate",
        "5.1",
        "--cut",
        "he->Madd@9.4",
    ]);
    let row = |answer: &serde_json::Value, at: usize| answer["heads"][at].clone();
    for at in 0..6 * 9 {
        assert_eq!(row(&plain, at), row(&without, at));
    }
    assert_ne!(row(&plain, 6 * 9), row(&without, 6 * 9));
    assert_eq!(
        without["interventions"],
        "L5H1 ablated, edges cut: he->Madd@9.4"
    );
    let (_, said) = refused(&["heads", SENTENCE, "--ablate", "30.0"]);
    assert!(said.contains("there is no head L30H0"), "{said}");
    let (_, said) = refused(&["heads", SENTENCE, "--cut", "Madd->he"]);
    assert!(said.contains("comes before none of"), "{said}");
}

#[test]
fn look_and_generate_take_the_same_changes() {
    let trace = |changes: &[&str]| {
        let answer = json(
            &[
                &["look", SENTENCE, "--word", "he", "--head", "9.4"],
                changes,
            ]
            .concat(),
        );
        answer["words_of_interest"][0]["heads"][0]["word_weights"].clone()
    };
    let madd = |weights: &serde_json::Value| {
        let weights = weights.as_array().unwrap();
        weights.iter().find(|pair| pair[0] == 5).unwrap()[1]
            .as_f64()
            .unwrap()
    };
    assert!(madd(&trace(&[])) > 0.05);
    assert_eq!(madd(&trace(&["--cut", "he->Madd@9.4"])), 0.0);
    let written =
        |changes: &[&str]| ok(&[&["generate", SENTENCE, "--tokens", "8"], changes].concat());
    assert_eq!(written(&[]), written(&[]));
    let heads: Vec<String> = (0..9).map(|h| format!("0.{h}")).collect();
    assert_ne!(written(&[]), written(&["--ablate", &heads.join(",")]));
}

#[test]
fn tables_are_saved_in_every_form() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for name in ["heads.json", "heads.csv", "heads.parquet", "heads.npy"] {
        ok(&["stats", SENTENCE, "-o", &path(name)]);
        assert!(std::fs::metadata(path(name)).unwrap().len() > 1000);
    }
    let csv = std::fs::read_to_string(path("heads.csv")).unwrap();
    assert_eq!(csv.lines().count(), 271);
    ok(&[
        "stats",
        SENTENCE,
        "--rows",
        "--top",
        "2",
        "-o",
        &path("rows.csv"),
    ]);
    let rows = std::fs::read_to_string(path("rows.csv")).unwrap();
    let mut lines = rows.lines();
    assert_eq!(
        lines.next().unwrap(),
        "head,layer,index,query,token,entropy,mean_distance,key_1,token_1,weight_1,key_2,token_2,weight_2"
    );
    // The first token sees itself alone.
    assert_eq!(
        lines.next().unwrap(),
        "L0H0,0,0,0,<|endoftext|>,0,0,0,<|endoftext|>,1,,,"
    );
    assert!(lines.next().unwrap().starts_with("L0H0,0,0,1,V,"));
    let (_, said) = refused(&["stats", SENTENCE, "-o", &path("heads.txt")]);
    assert!(said.contains(".parquet or .npy"), "{said}");
}

#[test]
fn importance_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("kept.jsonl");
    let kept = kept.to_str().unwrap();
    let first = json(&["importance", SENTENCE, "--heads", "0.0,9.4", "--keep", kept]);
    assert_eq!(first["heads"].as_array().unwrap().len(), 2);
    // A line cut short, as an interruption leaves it.
    let mut text = std::fs::read_to_string(kept).unwrap();
    text.truncate(text.len() - 5);
    std::fs::write(kept, &text).unwrap();
    let again = json(&["importance", SENTENCE, "--heads", "0.0,9.4", "--keep", kept]);
    assert_eq!(first, again);
    assert_eq!(std::fs::read_to_string(kept).unwrap().lines().count(), 3);
    let (_, said) = refused(&["importance", "Another text.", "--keep", kept]);
    assert!(
        said.contains("does not belong to this model and text"),
        "{said}"
    );
}

#[test]
fn a_text_compared_with_itself_differs_in_nothing() {
    let same = json(&["compare", SENTENCE, "--with", SENTENCE]);
    assert_eq!(same["format"], "lookback-compare/1");
    assert_eq!(same["first"], same["second"]);
    let heads = same["heads"].as_array().unwrap();
    assert!(heads.len() == 270 && heads.iter().all(|row| row["difference"] == 0.0));
    let other = json(&[
        "compare",
        SENTENCE,
        "--with",
        "Another text.",
        "--by",
        "entropy",
    ]);
    let heads = other["heads"].as_array().unwrap();
    assert!(
        heads
            .iter()
            .any(|row| row["difference"].as_f64().unwrap().abs() > 0.1)
    );
    let (_, said) = refused(&[
        "compare",
        SENTENCE,
        "--with",
        "Another text.",
        "--by",
        "fame",
    ]);
    assert!(
        said.contains("no column \"fame\"") && said.contains("entropy") && !said.contains("layer")
    );
}

#[test]
fn scores_are_drawn_as_svg_and_png() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    ok(&["heads", SENTENCE, "-o", &path("heads.svg")]);
    let drawing = std::fs::read_to_string(path("heads.svg")).unwrap();
    // A cell a head of every score, each with its number.
    let scores = ["sink", "induction", "copying", "retrieval", "value sink"];
    assert!(
        scores
            .iter()
            .all(|name| drawing.contains(&format!(">{name}<")))
    );
    assert_eq!(drawing.matches("<title>L29H8: ").count(), 16);
    let one = [
        "heads",
        SENTENCE,
        "--no-probes",
        "--scores",
        "entropy",
        "--dark",
        "-o",
    ];
    ok(&[one.as_slice(), &[&path("one.png")]].concat());
    assert!(
        std::fs::read(path("one.png"))
            .unwrap()
            .starts_with(b"\x89PNG")
    );
    let (_, said) = refused(&[one.as_slice(), &[&path("one.png")]].concat());
    assert!(said.contains("--force"), "{said}");
    ok(&[one.as_slice(), &[&path("one.png"), "--force"]].concat());
    let (_, said) = refused(&[
        "heads",
        SENTENCE,
        "--scores",
        "fame",
        "--no-probes",
        "-o",
        &path("x.svg"),
    ]);
    assert!(
        said.contains("no score \"fame\"") && said.contains("entropy"),
        "{said}"
    );
    let (_, said) = refused(&["heads", SENTENCE, "-o", &path("x.gif")]);
    assert!(said.contains(".svg") && said.contains(".parquet"), "{said}");
}

#[test]
fn parts_of_a_logit_difference_sum_to_it() {
    let text = "When Mary and John went to the store, John gave a drink to";
    let asked = ["attribute", text, "--for", "Mary", "--against", "John"];
    let answer = json(&asked);
    let number = |value: &serde_json::Value| value.as_f64().unwrap();
    let heads = answer["heads"].as_array().unwrap();
    let parts: f64 = heads.iter().map(|h| number(&h["part"])).sum();
    let sum = parts + number(&answer["embedding"]) + number(&answer["rest"]);
    assert!(heads.len() == 270 && (sum - number(&answer["difference"])).abs() < 1e-9);
    assert_eq!(
        (&answer["for"]["text"], &answer["against"]["text"]),
        (&" Mary".into(), &" John".into())
    );
    let without = json(&[asked.as_slice(), &["--ablate", "14.3"]].concat());
    assert_eq!(number(&without["heads"][14 * 9 + 3]["part"]), 0.0);
    assert!(ok(&asked).starts_with("logit of \"Mary\" − logit of \"John\""));
    let (_, said) = refused(&["attribute", text, "--for", "", "--against", "John"]);
    assert!(said.contains("an empty word"), "{said}");
    for against in ["Mary", " Mary", "Maryxq"] {
        let (code, said) = refused(&["attribute", text, "--for", "Mary", "--against", against]);
        assert!(
            code == Some(1) && said.contains("begin with the same token, \"Mary\""),
            "{said}"
        );
    }
}

#[test]
fn rollout_is_shared_out_among_words_and_prefix() {
    let answer = json(&["rollout", SENTENCE, "--word", "he"]);
    let words = answer["words"].as_array().unwrap();
    let sum: f64 = words.iter().map(|w| w["rollout"].as_f64().unwrap()).sum();
    // Every token of this text belongs to a word or a punctuation mark.
    let all = sum + answer["prefix_rollout"].as_f64().unwrap();
    assert!(
        words.last().unwrap()["word"] == "he" && (all - 1.0).abs() < 1e-4,
        "{all}"
    );
    let printed = ok(&["rollout", SENTENCE]);
    let flowing = printed.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flowing.contains("Rollout of “he”") && flowing.contains("That is its nature"));
    // The words' shares are of what does not end at the sink, and are not all too small to be seen.
    assert!(
        printed
            .lines()
            .filter(|line| line.contains('%') && !line.contains("<0.1%"))
            .count()
            > 5
    );
    let (_, said) = refused(&["rollout", SENTENCE, "--word", "she"]);
    assert!(said.contains("is not a word of the text"), "{said}");
}

#[test]
fn heads_are_ablated_to_their_mean_over_texts() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(
        path("texts.txt"),
        "The cat sat on the mat.\n\nHe went home early.\n",
    )
    .unwrap();
    std::fs::write(path("empty.txt"), " \n\n").unwrap();
    let (texts, empty) = (path("texts.txt"), path("empty.txt"));
    let over = |file| {
        [
            "heads",
            SENTENCE,
            "--no-probes",
            "--ablate",
            "9.4",
            "--mean-over",
            file,
        ]
    };
    let mean = json(&over(&texts));
    let zero = json(&["heads", SENTENCE, "--no-probes", "--ablate", "9.4"]);
    assert_eq!(mean["interventions"], "L9H4 ablated to the mean output");
    assert_eq!(mean["heads"][9 * 9], zero["heads"][9 * 9]);
    assert_ne!(mean["heads"][10 * 9], zero["heads"][10 * 9]);
    let (_, said) = refused(&over(&empty));
    assert!(said.contains("has no text"), "{said}");
    let who = json(&["who", SENTENCE, "--ablate", "9.4", "--mean-over", &texts]);
    let effects = who["cause"]["effects"].as_array().unwrap();
    let to: Vec<_> = effects
        .iter()
        .filter_map(|e| e["intervention"]["to"].as_str())
        .collect();
    assert_eq!(to, ["zero", "mean"]);
}
