//! Where one is: the address, Back, and words that are found by name.

use lookback_heads::example::Example;

use crate::map::long;
use crate::page::Page;

/// The word that is chosen in the text.
const CHOSEN: &str = "document.querySelector(\".text [aria-pressed=true]\")?.dataset.unit";

#[test]
fn back_leads_through_the_views_and_not_out_of_the_application() {
    let Some(mut page) = Page::of(&Example::default()) else {
        return;
    };
    page.open("#view=text&at=10");
    page.browser.wait(&format!("{CHOSEN} === '10'"));
    page.browser.link();
    let before = page.browser.eval("history.length").as_u64().unwrap();
    page.browser.click("[data-unit='3']");
    page.browser.wait("location.hash.includes('at=3')");
    page.browser.click("#tab-map");
    page.browser.wait("location.hash.includes('view=map')");
    // What is only moved about on a page is no page of its own.
    page.browser
        .wait("document.querySelector('.map canvas')?.dataset.loading === 'false'");
    page.browser
        .eval("document.querySelector('.map canvas').focus()");
    page.browser.key("+");
    page.browser.link();
    let after = page.browser.eval("history.length").as_u64().unwrap();
    assert_eq!(after, before + 2);
    page.browser.eval("history.back()");
    page.browser
        .wait("document.getElementById('tab-text').ariaSelected === 'true'");
    page.browser.wait(&format!("{CHOSEN} === '3'"));
    page.browser.eval("history.back()");
    page.browser.wait(&format!("{CHOSEN} === '10'"));
    page.browser.wait_for("[data-testid=says]", "“he”");
    page.browser.eval("history.forward()");
    page.browser.wait(&format!("{CHOSEN} === '3'"));
    page.is_content();
}

#[test]
fn the_link_of_a_long_text_is_short_and_links_with_a_text_still_work() {
    let text = "The harbour was quiet. ".repeat(1300);
    let example = Example {
        text: text.trim_end().to_owned(),
        layers: 1,
        heads: 1,
        ..Example::default()
    };
    let Some(mut page) = Page::of(&example) else {
        return;
    };
    page.browser.wait_for("[data-testid=says]", "keeps");
    page.browser.click("[data-unit='7']");
    page.browser.wait("location.hash.includes('at=7')");
    let link = page.browser.link();
    assert!(link.len() < 200, "{} characters", link.len());
    page.browser.open(&link);
    page.browser.wait(&format!("{CHOSEN} === '7'"));
    page.is_content();
    // As earlier versions wrote it: with the text in it.
    let encoded = example.text.replace(' ', "+");
    page.open(&format!("#view=text&at=8&text={encoded}"));
    page.browser.wait(&format!("{CHOSEN} === '8'"));
    // A text that the server has no more is said to be gone, and the page begins as it would without.
    page.open("#view=text&trace=0123456789abcdef");
    page.browser.wait_for("main .error", "there is no trace");
    page.browser.wait_for("[data-testid=says]", "keeps");
}

#[test]
fn any_word_of_a_long_text_is_found_and_heads_are_ranked_by_it() {
    let Some(mut page) = Page::of(&long()) else {
        return;
    };
    page.browser.wait_for("[data-testid=says]", "keeps");
    page.browser
        .eval("document.querySelector('[data-testid=find]').focus()");
    page.browser.type_text("river#100");
    page.browser.key("Enter");
    // Of the four words that follow each other, the hundredth “river”.
    page.browser.wait(&format!("{CHOSEN} === '397'"));
    page.browser.wait(
        "(() => { const [w, t] = [document.querySelector(\"[data-unit='397']\"), document.querySelector('.text')].map((e) => e.getBoundingClientRect()); \
         return w.top >= t.top && w.bottom <= t.bottom; })()",
    );
    page.browser
        .eval("document.querySelector('[data-testid=target]').focus()");
    page.browser.type_text("slow#3");
    page.browser.key("Enter");
    page.browser.wait("location.hash.includes('rank=11')");
    let head = page.browser.text(".heads ol li:first-child b");
    let options = lookback_heads::token_attention::TokenAttentionOptions {
        target: Some(11),
        ..Default::default()
    };
    let never = std::sync::atomic::AtomicBool::new(false);
    let expected =
        lookback_heads::token_attention::TokenAttention::new(&page.trace, 397, &options, &never)
            .unwrap();
    assert_eq!(head, lookback_heads::head::name(expected.ranked[0].head));
    // A word that is not there is said so.
    page.browser
        .eval("(() => { const f = document.querySelector('[data-testid=find]'); f.focus(); f.select(); })()");
    page.browser.type_text("nowhere");
    page.browser.key("Enter");
    page.browser.wait_for(".error-line", "no such word");
    page.is_content();
}

#[test]
fn what_is_excluded_is_given_in_percent_and_nonsense_is_said() {
    let Some(mut page) = Page::of(&Example::default()) else {
        return;
    };
    page.open("#view=text&at=10");
    page.browser.wait_for("[data-testid=says]", "“he” keeps");
    let field = "document.querySelector('[data-testid=above]')";
    let give = |page: &mut Page, value: &str| {
        page.browser
            .eval(&format!("({field}.focus(), {field}.select())"));
        page.browser.type_text(value);
        page.browser.key("Tab");
    };
    give(&mut page, "20");
    page.browser.wait("location.hash.includes('above=0.2')");
    page.browser
        .wait("!!document.querySelector('.text .excluded')");
    let before = page.browser.text("[data-testid=hidden]");
    for wrong in ["120", "-5", "0"] {
        give(&mut page, wrong);
        page.browser
            .wait(&format!("{field}.ariaInvalid === 'true'"));
        page.browser.wait_for(".error-line", "percentage");
        assert_eq!(page.browser.text("[data-testid=hidden]"), before);
        assert!(page.browser.link().contains("above=0.2"));
    }
    give(&mut page, "12.5");
    page.browser.wait("location.hash.includes('above=0.125')");
    page.browser.wait("!document.querySelector('.error-line')");
    page.is_content();
}
