//! Texts that run from right to left.

use lookback_heads::example::Example;

use crate::page::Page;

#[test]
fn the_full_stop_of_an_arabic_text_stands_at_its_left_end() {
    let Some(mut page) = Page::of(&Example {
        text: "ذهب الولد إلى المدرسة ثم عاد إلى البيت.".to_owned(),
        layers: 2,
        heads: 2,
        ..Example::default()
    }) else {
        return;
    };
    page.browser.wait_for("[data-testid=says]", "keeps");
    for unit in ["word", "token"] {
        page.open(&format!("#view=text&unit={unit}"));
        page.browser.wait_for("[data-testid=says]", "keeps");
        let places = page.browser.eval(
            "(() => { const units = [...document.querySelectorAll('.text [data-unit]')].filter((u) => !u.classList.contains('special')); \
             const at = (u) => { const b = u.getBoundingClientRect(); return [b.left, b.top]; }; \
             return [at(units[0]), at(units.at(-2)), at(units.at(-1)), units.at(-1).innerText]; })()",
        );
        let left = |at: usize| places[at][0].as_f64().unwrap();
        assert_eq!(places[3], ".", "{unit}");
        assert_eq!(places[0][1], places[2][1], "{unit}: more than one line");
        assert!(left(2) < left(1) && left(1) < left(0), "{unit}: {places}");
    }
    page.browser.picture("text-arabic");
    // A name within an English sentence does not turn it.
    page.open("#view=text&at=3");
    page.browser.wait_for("[data-testid=says]", "keeps");
    let says = page.browser.text("[data-testid=says]");
    assert!(
        says.starts_with("“\u{2068}") && says.contains("\u{2069}” keeps"),
        "{says:?}"
    );
    page.is_content();
}
