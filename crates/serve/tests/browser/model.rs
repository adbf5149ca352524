//! What needs a model: reading another text, the steps, and continuing a text.

use std::ops::ControlFlow;
use std::sync::atomic::AtomicBool;

use lookback_heads::token_attention::{TokenAttention, TokenAttentionOptions};

use lookback_model::Prefix;
use lookback_model::generate::GenerateOptions;

use crate::page::{Page, percent};

#[test]
fn the_default_model_reads_walks_and_continues() {
    let Some(mut page) = Page::of_model() else {
        return;
    };
    // The sentence is there, the pronoun chosen, and its numbers are those of a trace made here.
    page.browser.wait_for("[data-testid=says]", "“he” keeps");
    let words = page.trace.words();
    let he = words.iter().position(|word| word.text == "he").unwrap();
    let expected = TokenAttention::new(
        &page.trace,
        he,
        &TokenAttentionOptions::default(),
        &AtomicBool::new(false),
    )
    .unwrap();
    let hidden = page.browser.text("[data-testid=hidden]");
    assert!(
        hidden.starts_with(&percent(expected.hidden)) && hidden.contains("<|endoftext|>"),
        "{hidden}"
    );
    let first = page.browser.text(".heads ol li:first-child b");
    assert_eq!(first, lookback_heads::head::name(expected.ranked[0].head));
    page.browser.picture("model-text");

    page.browser.click("#tab-steps");
    page.browser
        .wait("!!document.getElementById('step-residual')");
    // The head that the program explains where none is named.
    let chosen = lookback_heads::default_head(&page.trace, &(he..he + 1)).unwrap();
    let shown = page
        .browser
        .eval("document.querySelector('.steps select').value");
    let shown = lookback_heads::head::parse(shown.as_str().unwrap()).unwrap();
    assert_eq!(shown, chosen.head);
    let softmax = page.browser.text("#step-softmax");
    assert!(softmax.contains("he"), "{softmax}");
    // Weights are percent there too, as the terminal writes them; scores are numbers.
    let cells = |step: &str| {
        format!(
            "[...document.querySelectorAll('#step-{step} .matrix td')].map((cell) => cell.innerText).filter((text) => text !== '' && text !== '−∞')"
        )
    };
    let all = |step: &str, test: &str| {
        format!(
            "(({}).length > 8) && ({}).every((text) => {test})",
            cells(step),
            cells(step)
        )
    };
    for (step, test) in [
        ("softmax", "text.endsWith('%')"),
        ("scores", "!text.includes('%')"),
    ] {
        assert_eq!(page.browser.eval(&all(step, test)), true, "{step}");
    }
    assert_eq!(
        page.browser
            .eval("document.querySelectorAll('.check.wrong').length"),
        0
    );
    for (name, width) in [("wide", 1280), ("narrow", 360)] {
        page.browser.size(width, 900);
        page.browser
            .eval("document.getElementById('step-scores').scrollIntoView()");
        page.browser.picture(&format!("model-steps-{name}"));
        assert!(!page.browser.overflows());
    }
    page.browser.size(1280, 900);

    page.browser.click("#tab-text");
    page.browser.click(".form summary");
    page.browser
        .eval("document.querySelector('.form textarea').select()");
    page.browser
        .type_text("The dog chased the cat because it was angry.");
    page.browser.picture("model-form");
    page.browser.click(".form button.main");
    page.browser.wait_for(".text", "The dog chased the cat");
    page.browser.wait_for("[data-testid=says]", "“it” keeps");

    page.browser.click(".form summary");
    page.browser.eval(
        "(() => { const i = document.querySelector('.form input'); i.value = 24; i.dispatchEvent(new Event('input', { bubbles: true })); })()",
    );
    let before = page
        .browser
        .eval("document.querySelectorAll('.text [data-unit]').length")
        .as_u64()
        .unwrap();
    page.browser.eval("[...document.querySelectorAll('.form button')].find((b) => b.innerText.startsWith('Continue')).click()");
    // The text view grows while tokens still come, and shows the whole at the end; the chosen word stays chosen.
    page.browser.wait(&format!(
        "document.querySelectorAll('.text [data-unit]').length > {before} && !!document.querySelector('.written')"
    ));
    page.browser.wait("!document.querySelector('.written')");
    page.browser.wait_for("[data-testid=says]", "“it” keeps");
    let grown = page.browser.text(".text");
    assert!(
        grown.contains("The dog chased the cat because it was angry."),
        "{grown}"
    );
    // It is what the program writes behind the same prefix.
    let model = page.model.clone().unwrap();
    let text = "The dog chased the cat because it was angry.";
    let encoding = model.tokenizer().encode(text, &Prefix::Declared).unwrap();
    let options = GenerateOptions {
        max_tokens: 24,
        ..GenerateOptions::default()
    };
    let go_on = &mut |_| ControlFlow::Continue(());
    let generated = model.generate(&encoding.ids, &options, &(), go_on).unwrap();
    let expected = model.tokenizer().decode(&generated.tokens, true);
    assert!(
        grown.replace('\u{a0}', " ").contains(expected.trim()),
        "{grown:?} has not {expected:?}"
    );
    page.is_content();
}
