//! The text view: by mouse, by keys, and by link.

use std::sync::atomic::AtomicBool;

use lookback_heads::example::Example;
use lookback_heads::token_attention::{TokenAttention, TokenAttentionOptions, share};

use crate::page::{Page, percent};

/// The word “he” of the sentence.
const HE: usize = 10;

fn around(page: &Page, options: &TokenAttentionOptions) -> TokenAttention {
    TokenAttention::new(&page.trace, HE, options, &AtomicBool::new(false)).unwrap()
}

#[test]
fn a_click_on_a_word_shows_what_it_looks_at() {
    let Some(mut page) = Page::of(&Example::default()) else {
        return;
    };
    page.browser.click("[data-unit='3']");
    page.browser
        .wait("document.querySelector(\"[data-unit='3']\").ariaPressed === 'true'");
    page.browser.click("[data-unit='10']");
    page.browser.wait_for("[data-testid=says]", "“he” keeps");
    let expected = around(&page, &TokenAttentionOptions::default());
    let hidden = page.browser.text("[data-testid=hidden]");
    assert!(hidden.starts_with(&percent(expected.hidden)), "{hidden}");
    // The ranked list: the first head, and its weight to the digits shown.
    let first = &expected.ranked[0];
    let name = format!("L{}H{}", first.head.layer, first.head.head);
    assert_eq!(page.browser.text(".heads ol li:first-child b"), name);
    let value = page.browser.text(".heads ol li:first-child .value");
    assert_eq!(value, percent(first.score));
    // A word under the pointer: its share and its weight.
    page.browser.eval("document.querySelector(\"[data-unit='0']\").dispatchEvent(new MouseEvent('mouseover', { bubbles: true }))");
    page.browser
        .wait_for("[data-testid=says]", "gives “Vatsal”");
    let says = page.browser.text("[data-testid=says]");
    let (part, whole) = (
        percent(share(expected.given[0], expected.hidden)),
        percent(expected.given[0]),
    );
    let expected = format!("gives “Vatsal” {part} ({whole} of its whole weight)");
    assert!(says.contains(&expected), "{says} is not {expected}");
    page.is_content();
}

/// Percent everywhere: no weight is written as a number from 0 to 1.
#[test]
fn weights_are_percent_in_every_view() {
    let Some(mut page) = Page::of(&Example::default()) else {
        return;
    };
    let number = "(/(^|[^.\\d])0\\.\\d{2,}(?![\\d%])/.exec(document.querySelector('main').innerText) ?? [null])[0]";
    for link in [
        "#view=text&at=10",
        "#view=text&unit=token&at=5",
        "#view=grid&sort=previous",
        "#view=grid&sort=sink_rate",
        "#view=map&head=1.1&part=0,0,6",
        "#view=map&head=1.1&scale=linear",
    ] {
        page.open(link);
        page.browser
            .wait("!document.querySelector('[aria-busy=true]')");
        if link.contains("map") {
            page.browser.go_to_cell(12, 3);
            page.browser.wait_for("[data-testid=cell]", "weight");
            page.browser.wait_for(".scalebar .ticks", "%");
        }
        assert_eq!(page.browser.eval(number), serde_json::Value::Null, "{link}");
        let text = page.browser.text("main");
        assert!(text.contains('%'), "{link}: {text}");
    }
    page.is_content();
}

#[test]
fn a_head_is_chosen_from_the_list_and_the_link_brings_it_back() {
    let Some(mut page) = Page::of(&Example::default()) else {
        return;
    };
    page.browser.click("[data-unit='10']");
    page.browser.click("[data-head=L2H1]");
    page.browser.wait("location.hash.includes('heads=2.1')");
    let options = TokenAttentionOptions {
        heads: vec![lookback_trace::HeadId { layer: 2, head: 1 }],
        ..TokenAttentionOptions::default()
    };
    let hidden = percent(around(&page, &options).hidden);
    page.browser.wait(&format!(
        "document.querySelector('[data-testid=hidden]').innerText.startsWith('{hidden}')"
    ));
    let link = page.browser.link();
    page.browser.open(&link);
    page.browser
        .wait("document.querySelector(\"[data-unit='10']\")?.ariaPressed === 'true'");
    page.browser
        .wait("document.querySelector('[data-head=L2H1]')?.ariaPressed === 'true'");
    page.browser.wait(&format!(
        "document.querySelector('[data-testid=hidden]').innerText.startsWith('{hidden}')"
    ));
    page.is_content();
}

#[test]
fn all_of_it_can_be_used_by_keys_alone() {
    let Some(mut page) = Page::of(&Example::default()) else {
        return;
    };
    page.browser.wait_for("[data-testid=says]", "keeps");
    for _ in 0..30 {
        page.browser.key("Tab");
        if page
            .browser
            .eval("document.activeElement?.dataset.unit ?? null")
            .is_string()
        {
            break;
        }
    }
    assert_eq!(
        page.browser
            .eval("document.activeElement?.dataset.unit ?? null"),
        "10"
    );
    page.browser.key("ArrowLeft");
    page.browser
        .wait("document.activeElement?.dataset.unit === '9'");
    page.browser.key("Home");
    page.browser.wait("document.activeElement?.dataset.unit === '0' && document.activeElement.ariaPressed === 'true'");
    // Its answer is there: a list of heads that still changes would take the focus with it.
    page.browser.wait_for("[data-testid=says]", "“Vatsal”");
    page.browser.key("Tab");
    page.browser.key("Tab");
    page.browser.wait("!!document.activeElement?.dataset.head");
    page.browser.key("Enter");
    page.browser
        .wait("document.activeElement?.ariaPressed === 'true'");
    page.browser
        .eval("document.getElementById('tab-text').focus()");
    for _ in 0..3 {
        page.browser.key("ArrowRight");
    }
    page.browser.wait(
        "document.activeElement?.id === 'tab-map' && !!document.querySelector('.map canvas')",
    );
    page.is_content();
}

#[test]
fn tokens_and_special_tokens_are_seen() {
    let Some(mut page) = Page::of(&Example::default()) else {
        return;
    };
    page.browser.click(".choice button:nth-child(2)");
    page.browser
        .wait("!!document.querySelector('.text.tokens')");
    let count = page
        .browser
        .eval("document.querySelectorAll('.text [data-unit]').length");
    assert_eq!(count, page.trace.n());
    // The example's trace does not hold the text of its prefix.
    assert_eq!(page.browser.text(".text .special"), "prefix");
    let about = page.browser.text(".about");
    assert!(
        about.contains(&format!("{} tokens with the prefix", page.trace.n()))
            && !about.contains('['),
        "{about}"
    );
    page.is_content();
}

#[test]
fn what_is_above_a_weight_is_excluded_and_said() {
    let Some(mut page) = Page::of(&Example::default()) else {
        return;
    };
    let all = around(&page, &TokenAttentionOptions::default());
    let most = (0..all.given.len())
        .filter(|&u| u != HE)
        .max_by(|&a, &b| all.given[a].total_cmp(&all.given[b]))
        .unwrap();
    let above = (all.given[most] * 99.0).floor() / 100.0;
    page.open(&format!("#at={HE}&above={above}"));
    let expected = around(
        &page,
        &TokenAttentionOptions {
            above: Some(above),
            ..TokenAttentionOptions::default()
        },
    );
    assert!(expected.excluded.contains(&most));
    page.browser.wait(&format!(
        "document.querySelector(\"[data-unit='{most}']\")?.classList.contains('excluded') === true"
    ));
    let hidden = page.browser.text("[data-testid=hidden]");
    assert!(hidden.starts_with(&percent(expected.hidden)), "{hidden}");
    page.is_content();
}

#[test]
fn what_needs_a_model_says_so() {
    let Some(mut page) = Page::of(&Example::default()) else {
        return;
    };
    page.browser.click("#tab-steps");
    page.browser.wait_for(".steps", "needs the model");
    page.browser.click(".form summary");
    page.browser.wait_for(".form", "needs the model");
    page.is_content();
}
