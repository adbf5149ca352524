//! Tokenizers on any text whatever.

use lookback_model::checkpoint::Checkpoint;
use lookback_model::tokenizer::Prefix;
use proptest::prelude::*;

use crate::tiny::{folder, gguf};

const NAMES: [&str; 5] = ["tied", "untied-bf16", "grouped", "sharded", "head-dim-f16"];

/// Texts of what tokenizers treat in their own ways, and of any characters.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[ a-e]{1,6}",
        3 => "(the|and|He|of|lighthouse|keeper|said|wor|12|1234|00|'s|'LL|\n|\r\n|\t| |  |   |\\.|!!)",
        1 => "(<\\|im_end\\|>|<\\|endoftext\\|>|<tool>|<s>|</s>|<unk>|<0x0A>|▁|Ġ)",
        2 => "[éïß日本語٣Ⅷ²½‘’—…\u{a0}\u{3000}\u{200d}\u{301}\u{fffd}🙂👩]{1,3}",
        1 => "\\PC{1,4}",
        1 => any::<char>().prop_map(|c| c.to_string()),
    ];
    proptest::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

/// Both forms of a tokenizer.
fn both(name: &str) -> [Checkpoint; 2] {
    [gguf(name), folder(name)]
}

fn check(name: &str, [gguf, folder]: &[Checkpoint; 2], text: &str) -> Result<(), TestCaseError> {
    let encode = |checkpoint: &Checkpoint| checkpoint.tokenizer().encode(text, &Prefix::None);
    let encoding = encode(gguf).expect("all bytes have tokens");
    prop_assert_eq!(
        &encoding,
        &encode(folder).expect("all bytes have tokens"),
        "{}",
        name
    );
    let mut end = 0;
    for &(from, to) in &encoding.spans {
        prop_assert!(text.get(from..to).is_some());
        prop_assert!(from == to || (from <= end && to >= end), "{:?}", encoding);
        end = end.max(to);
    }
    prop_assert_eq!(end, text.len());
    let tokenizer = gguf.tokenizer();
    let decoded = tokenizer.decode(&encoding.ids, false);
    let mut stream = tokenizer.stream(false);
    let mut streamed: String = encoding.ids.iter().map(|&id| stream.push(id)).collect();
    streamed.push_str(&stream.finish());
    match name {
        // Qwen composes characters.
        "grouped" => prop_assert_eq!(&streamed, &decoded),
        // Llama's puts spaces before and between, and reads `▁` as one.
        "head-dim-f16" => {
            prop_assert!(streamed == decoded || streamed.strip_prefix(' ') == Some(&decoded));
            let plain = |text: &str| text.replace([' ', '▁'], "");
            prop_assert_eq!(plain(&decoded), plain(text));
        }
        _ => {
            prop_assert_eq!(&streamed, text);
            prop_assert_eq!(&decoded, text);
        }
    }
    Ok(())
}

#[test]
fn any_text_has_the_same_tokens_in_both_formats_and_comes_back() {
    for name in NAMES {
        let checkpoints = both(name);
        let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
            cases: 400,
            failure_persistence: None,
            ..ProptestConfig::default()
        });
        let result = runner.run(&text(), |text| check(name, &checkpoints, &text));
        if let Err(error) = result {
            panic!("{name}: {error}");
        }
    }
}
