//! Why a generated text ends, and what it was told on the way.

mod common;

use std::ops::ControlFlow;

use common::{data, load};
use lookback_model::generate::{End, GenerateOptions, Generation, Sampling};
use lookback_model::{Error, Model, WeightsKind};

fn model() -> Model {
    load(&data("tiny").join("tied"), WeightsKind::F32)
}

fn prompt(n: usize) -> Vec<u32> {
    (0..n as u32).map(|i| i % 200).collect()
}

fn generate(model: &Model, prompt: &[u32], options: &GenerateOptions) -> Generation {
    let mut streamed = Vec::new();
    let mut on_token = |token| {
        streamed.push(token);
        ControlFlow::Continue(())
    };
    let generation = model.generate(prompt, options, &(), &mut on_token).unwrap();
    assert_eq!(generation.tokens, streamed);
    generation
}

fn at_most(max_tokens: usize) -> GenerateOptions {
    GenerateOptions {
        max_tokens,
        ..GenerateOptions::default()
    }
}

#[test]
fn a_text_ends_after_the_most_tokens() {
    let model = model();
    for n in [0, 1, 5] {
        let generation = generate(&model, &prompt(4), &at_most(n));
        assert_eq!(
            (generation.tokens.len(), generation.end),
            (n, End::MaxTokens)
        );
    }
}

#[test]
fn a_text_ends_where_the_context_is_full() {
    let model = model();
    let context = model.spec().context_length;
    // A token that follows the last position that can be read is still chosen.
    for (before, tokens) in [(0, 1), (1, 2), (3, 4)] {
        let generation = generate(&model, &prompt(context - before), &at_most(500));
        assert_eq!(
            (generation.tokens.len(), generation.end),
            (tokens, End::ContextFull)
        );
    }
    let too_long = model.generate(&prompt(context + 1), &at_most(1), &(), &mut |_| {
        ControlFlow::Continue(())
    });
    assert!(matches!(too_long, Err(Error::TooLong { .. })));
}

#[test]
fn a_text_ends_before_a_stop_token() {
    let model = model();
    let greedy = generate(&model, &prompt(4), &at_most(20)).tokens;
    let stop = greedy[7];
    let first = greedy.iter().position(|&token| token == stop).unwrap();
    let options = GenerateOptions {
        stop_tokens: vec![u32::MAX, stop],
        ..at_most(20)
    };
    let generation = generate(&model, &prompt(4), &options);
    assert_eq!(generation.end, End::Stop(stop));
    assert_eq!(generation.tokens, greedy[..first]);
}

#[test]
fn a_text_ends_where_its_reader_wants() {
    let model = model();
    let mut seen = 0;
    let generation = model.generate(&prompt(4), &at_most(20), &(), &mut |_| {
        seen += 1;
        match seen {
            3 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    });
    let generation = generation.unwrap();
    assert_eq!(
        (generation.tokens.len(), generation.end),
        (3, End::Cancelled)
    );
}

#[test]
fn a_seed_fixes_a_drawn_text() {
    let model = model();
    let drawn = |seed| {
        let sampling = Sampling {
            temperature: 5.0,
            top_p: 0.9,
            seed,
        };
        let options = GenerateOptions {
            sampling,
            ..at_most(30)
        };
        generate(&model, &prompt(4), &options).tokens
    };
    assert_eq!(drawn(1), drawn(1));
    assert_ne!(drawn(1), drawn(2));
}

#[test]
fn nothing_is_read_for_a_sampling_that_makes_no_sense() {
    let options = GenerateOptions {
        sampling: Sampling {
            top_p: 0.0,
            ..Sampling::default()
        },
        ..GenerateOptions::default()
    };
    let refused = model().generate(&[], &options, &(), &mut |_| ControlFlow::Continue(()));
    assert!(matches!(
        refused,
        Err(Error::Sampling { name: "top_p", .. })
    ));
}
