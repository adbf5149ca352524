//! Texts that would break a careless page.

use lookback_heads::example::Example;

use crate::page::Page;

fn page_of(text: &str) -> Option<Page> {
    Page::of(&Example {
        text: text.to_owned(),
        layers: 1,
        heads: 2,
        ..Example::default()
    })
}

#[test]
fn markup_is_text() {
    let text = "<img src=x onerror=document.title='owned'> <b>bold</b> </script><script>document.title='owned'</script> end";
    let Some(mut page) = page_of(text) else {
        return;
    };
    page.browser.wait_for(".text", "<b>bold</b>");
    page.browser.wait_for(".text", "</script><script>");
    assert_eq!(
        page.browser
            .eval("document.querySelectorAll('.text img, .text b, .text script').length"),
        0
    );
    assert_eq!(page.browser.eval("document.title"), "Lookback");
    page.is_content();
}

#[test]
fn other_scripts_emoji_and_nul_are_text() {
    let text = "שלום עולם مرحبا بالعالم 👩‍👩‍👧 naïve \0 tab\tend \u{202e}turned";
    let Some(mut page) = page_of(text) else {
        return;
    };
    page.browser.wait_for(".text", "שלום");
    for part in ["مرحبا", "👩‍👩‍👧", "naïve", "␀"] {
        page.browser.wait_for(".text", part);
    }
    assert_eq!(
        page.browser
            .eval("document.querySelector('.text').innerText.includes('\\u202e')"),
        false
    );
    page.browser.picture("text-scripts");
    page.open("#view=map&head=0.0");
    page.browser
        .wait("document.querySelector('.map canvas')?.dataset.loading === 'false'");
    page.is_content();
}

#[test]
fn a_word_of_ten_thousand_characters_stays_within_the_page() {
    let text = format!("before {} after", "x".repeat(10_000));
    let Some(mut page) = page_of(&text) else {
        return;
    };
    page.browser.wait_for(".text", "after");
    assert!(!page.browser.overflows());
    page.browser.size(360, 740);
    assert!(!page.browser.overflows());
    page.is_content();
}
