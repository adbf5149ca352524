//! The model that ships, from its file: the marks it has to reach, and the sentences it was not taught.
//!
//! `cargo test -p lookback-learn --test shipped -- --nocapture` prints what it reaches.

#![allow(clippy::print_stdout, reason = "what is measured is printed")]

use lookback_learn::accuracy::{correct, interval, measure, similarity_masses};
use lookback_learn::batch::{Example, Table};
use lookback_learn::sentences::{Item, ReadFrom, Set, Split, notes};
use lookback_learn::{Base, evaluation_set, inference};
use lookback_model::store::{PRONOUN, Silent, Store};
use lookback_model::{LoadOptions, Model};

fn path() -> std::path::PathBuf {
    PRONOUN.address()
}

fn model() -> Model {
    Model::load(&path(), &LoadOptions::default()).unwrap()
}

fn accuracy(model: &Model, name: &str, items: &[Item], read: ReadFrom) -> f64 {
    let masses = inference::masses(model, items, read).unwrap();
    let examples = Example::all(items, model.tokenizer(), read).unwrap();
    let measured = measure(&masses, &examples);
    let [low, high] = interval(&correct(&masses, &examples), 0);
    println!(
        "{name}: {:.2}% [{:.2}, {:.2}] of {}; on the answer {:.3}, on the other {:.3}",
        measured.accuracy * 100.0,
        low * 100.0,
        high * 100.0,
        measured.count,
        measured.on_answer,
        measured.on_other
    );
    measured.accuracy
}

#[test]
fn held_out_names_and_templates_are_answered() {
    let model = model();
    let of = |split: Split| {
        accuracy(
            &model,
            split.name(),
            &evaluation_set::items(split, Set::Pronoun, 100),
            ReadFrom::Pronoun,
        )
    };
    assert!(of(Split::HeldOutNames) >= 0.98);
    assert!(of(Split::HeldOutTemplates) >= 0.90);
}

/// Sentences of the set that heads are asked about, of which training shows no name, verb or outcome.
#[test]
fn sentences_of_others_are_reported() {
    let model = model();
    let lines = include_str!("data/yetso.jsonl").lines();
    let items: Vec<Item> = lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for template in ["yetso0", "yetso1", "yetso5", "yetso10"] {
        let of: Vec<Item> = items
            .iter()
            .filter(|item| item.template == template)
            .cloned()
            .collect();
        assert_eq!(of.len(), 4);
        accuracy(&model, template, &of, ReadFrom::Pronoun);
    }
}

#[test]
fn the_notes_sentence_and_its_swaps_point_where_they_should() {
    let model = model();
    let items = notes();
    for (item, masses) in items
        .iter()
        .zip(inference::masses(&model, &items, ReadFrom::Pronoun).unwrap())
    {
        println!("{:.3} {:.3}  {}", masses[0], masses[1], item.text);
        let answer = item.answer_index();
        assert!(
            masses[answer] > 0.5 && masses[1 - answer] < 0.1,
            "{masses:?} {}",
            item.text
        );
    }
}

/// The row of the pronoun cannot see the outcome: where it is a bad one, the answer is that of the good one, and wrong.
#[test]
fn a_bad_outcome_after_the_pronoun_is_not_seen() {
    let model = model();
    let items = evaluation_set::items(Split::HeldOutNames, Set::Outcome, 20);
    let (bad, good): (Vec<Item>, Vec<Item>) = items
        .chunks(2)
        .map(|pair| (pair[1].clone(), pair[0].clone()))
        .unzip();
    let masses = |items: &[Item]| inference::masses(&model, items, ReadFrom::Pronoun).unwrap();
    for (bad, good) in masses(&bad).iter().zip(masses(&good)) {
        // The same numbers but for the order of sums in products of another number of rows.
        assert!((bad[0] - good[0]).abs() < 1e-5 && (bad[1] - good[1]).abs() < 1e-5);
    }
    assert!(accuracy(&model, "bad outcomes", &bad, ReadFrom::Pronoun) < 0.05);
}

#[test]
fn similarity_of_embeddings_alone_is_chance() {
    let base = Base::open(&path()).unwrap();
    let table = Table::Frozen(base.values(), base.d());
    for split in [Split::HeldOutNames, Split::HeldOutTemplates] {
        let examples = evaluation_set::examples(
            split,
            (Set::Pronoun, ReadFrom::Pronoun),
            100,
            base.tokenizer(),
        )
        .unwrap();
        let masses = similarity_masses(&table, &examples).unwrap();
        let accuracy = measure(&masses, &examples).accuracy;
        println!("similarity, {}: {:.2}%", split.name(), accuracy * 100.0);
        assert!((accuracy - 0.5).abs() < 0.03);
    }
}

/// The rows are those of the default model, to the bit, where both tokenizers know a token.
#[test]
fn the_frozen_table_is_that_of_the_default_model() {
    use lookback_model::checkpoint::Checkpoint;
    let whole = Checkpoint::open(
        &Store::from_env()
            .unwrap()
            .default_model(&Silent)
            .unwrap()
            .path,
    )
    .unwrap();
    let part = Checkpoint::open(&path()).unwrap();
    let name = "model.embed_tokens.weight";
    let mut compared = 0;
    for id in 0..part.spec().vocab as u32 {
        let text = part.tokenizer().token_text(id).unwrap();
        // Of other tokens the vocabulary spells bytes, not the text.
        if !text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() || byte == b' ')
        {
            continue;
        }
        let Some(same) = whole.tokenizer().token_id(&text.replace(' ', "Ġ")) else {
            continue;
        };
        let rows = [
            part.rows_f32("token_embd.weight", &[id]).unwrap(),
            whole.rows_f32(name, &[same]).unwrap(),
        ];
        let [part, whole] = rows.map(|row| row.flatten_all().unwrap().to_vec1::<f32>().unwrap());
        assert!(
            part.iter()
                .zip(&whole)
                .all(|(a, b)| a.to_bits() == b.to_bits()),
            "{text:?}"
        );
        compared += 1;
    }
    assert!(compared > 7_000, "{compared}");
}
