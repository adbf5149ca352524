//! What a tokenizer.json puts around every text: its post-processor.

use serde_json::Value;

/// Tokens before and after a text, as the vocabulary spells them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Texts<'a> {
    pub(super) before: Vec<&'a str>,
    pub(super) after: Vec<&'a str>,
}

/// The tokens that a post-processor puts around a single text.
pub(super) fn of_post_processor(processor: &Value) -> Texts<'_> {
    match processor["type"].as_str() {
        Some("TemplateProcessing") => of_template(&processor["single"]),
        Some("BertProcessing" | "RobertaProcessing") => Texts {
            before: processor["cls"][0].as_str().into_iter().collect(),
            after: processor["sep"][0].as_str().into_iter().collect(),
        },
        Some("Sequence") => {
            let steps = processor["processors"].as_array();
            let found = steps.into_iter().flatten().map(of_post_processor);
            let mut found = found.filter(|texts| *texts != Texts::default());
            found.next().unwrap_or_default()
        }
        _ => Texts::default(),
    }
}

/// The tokens before and after the place of the text, `{"Sequence": …}`.
fn of_template(pieces: &Value) -> Texts<'_> {
    let mut texts = Texts::default();
    let mut seen = false;
    for piece in pieces.as_array().into_iter().flatten() {
        match piece["SpecialToken"]["id"].as_str() {
            Some(token) if seen => texts.after.push(token),
            Some(token) => texts.before.push(token),
            None => seen = true,
        }
    }
    texts
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn templates_and_pairs_say_what_stands_around_a_text() {
        let special = |id: &str| json!({"SpecialToken": {"id": id, "type_id": 0}});
        let text = json!({"Sequence": {"id": "A", "type_id": 0}});
        let template = json!({"type": "TemplateProcessing",
                              "single": [special("<a>"), special("<b>"), text, special("<c>")]});
        let nested = json!({"type": "Sequence", "processors": [{"type": "ByteLevel"}, template]});
        for processor in [&template, &nested] {
            let texts = of_post_processor(processor);
            assert_eq!(
                (texts.before, texts.after),
                (vec!["<a>", "<b>"], vec!["<c>"])
            );
        }
        let pair = json!({"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0]});
        let texts = of_post_processor(&pair);
        assert_eq!((texts.before, texts.after), (vec!["<s>"], vec!["</s>"]));
        for nothing in [
            json!(null),
            json!({"type": "ByteLevel"}),
            json!({"type": "Other"}),
        ] {
            assert_eq!(of_post_processor(&nothing), Texts::default());
        }
    }
}
