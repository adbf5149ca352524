//! Which name a word refers to, what is cut and ablated, and what every head does.

use lookback_heads::example::{Example, SENTENCE};
use lookback_heads::head;
use lookback_heads::prediction::{PredictionOptions, predict};
use lookback_heads::who::{self, Question, WhoOptions};
use lookback_model::{Encoding, Model, Prefix};
use lookback_trace::Words;

use crate::page::{Page, percent};

const PROBE: &str = "The one who gets high scores is";

fn encoding(model: &Model) -> Encoding {
    model
        .tokenizer()
        .encode(SENTENCE, &Prefix::Declared)
        .unwrap()
}

/// The library's answer to what the page asks.
fn expected(model: &Model) -> who::Who {
    let encoding = encoding(model);
    let words = Words::new(&encoding.text, &encoding.spans);
    let he = "he".parse().unwrap();
    let question = Question::new(SENTENCE, &words, Some(&he), &[], Some(PROBE)).unwrap();
    let options = WhoOptions {
        prefix: Prefix::Declared,
        from: who::From::Word,
        heads: Vec::new(),
        ablate: Vec::new(),
        means: lookback_heads::mean_output::MeanOutputs::default(),
        top: 6,
        model_name: "smollm2-135m".to_owned(),
    };
    who::who(model, &question, &options, &()).unwrap()
}

fn number(page: &mut Page, selector: &str) -> f64 {
    let text = page.browser.text(selector).replace('−', "-");
    text.trim_end_matches('%')
        .parse()
        .unwrap_or_else(|_| panic!("{selector} is {text:?}"))
}

#[test]
fn who_is_asked_of_a_word_and_a_cut_edge_moves_the_prediction() {
    let Some(mut page) = Page::of_model() else {
        return;
    };
    let model = page.model.clone().unwrap();
    page.browser
        .wait_for("[data-testid=ask-who]", "Who is “he”?");
    page.browser.click("[data-testid=ask-who]");
    page.browser
        .wait("!!document.querySelector('[data-testid=verdict]')");
    // The question that the model itself is asked.
    page.browser
        .eval("document.querySelector('[data-testid=who-probe]').focus()");
    page.browser.type_text(PROBE);
    page.browser.key("Enter");
    page.browser.wait("location.hash.includes('probe=') && !!document.querySelector('[data-testid=continuations]')");
    page.browser
        .wait("!document.querySelector('[aria-busy=true]')");
    let who = expected(&model);
    assert_eq!(
        page.browser.text("[data-testid=verdict]"),
        who.verdict.join(" ")
    );
    for head in &who.rows[0].heads {
        let row = format!("[data-head={}]", head::name(head.as_is.head));
        for candidate in 0..2 {
            let cell = format!("{row} td:nth-child({}) span", candidate + 2);
            assert_eq!(
                page.browser.text(&cell),
                percent(head.as_is.weights[candidate])
            );
            let cell = format!("{row} td:nth-child({})", candidate + 4);
            assert_eq!(page.browser.text(&cell), percent(head.swapped[candidate]));
        }
    }
    page.browser.picture("who");
    // On a telephone it is as wide as the screen.
    page.browser.size(390, 844);
    let wide = "[...document.querySelectorAll('main > *, .who > *')].map((e) => e.getBoundingClientRect().right)";
    let wide = page.browser.eval(&format!(
        "Math.max(...{wide}, document.documentElement.scrollWidth)"
    ));
    assert!(wide.as_f64().unwrap() <= 390.0, "Who is {wide} px wide");
    page.browser.picture("who-narrow");
    page.browser.size(1280, 900);

    // One click cuts the edge in every head, and the page shows the run without it.
    page.browser.click("[data-cut='he->Vatsal@all']");
    page.browser
        .wait_for(".interventions", "he → Vatsal cut in all heads");
    page.browser
        .wait("!!document.querySelector('[data-moved=Vatsal]')");
    let changes = lookback_heads::interventions::NamedInterventions {
        cut: vec!["he->Vatsal".parse().unwrap()],
        ..Default::default()
    };
    let options = PredictionOptions {
        prefix: Prefix::Declared,
        probe: Some(PROBE.to_owned()),
        continuations: vec!["Vatsal".to_owned(), "Madd".to_owned()],
        top: 8,
    };
    let moved = predict(&model, SENTENCE, &changes, &options, &()).unwrap();
    for one in &moved.continuations {
        let shown = number(&mut page, &format!("[data-moved={}]", one.text));
        assert!(
            (shown - (one.log_prob - one.unchanged)).abs() <= 0.0005001,
            "{shown}"
        );
    }
    assert!(moved.continuations[0].log_prob < moved.continuations[0].unchanged);
    page.browser.picture("who-cut");

    // The text view shows it: nothing is given to the name any more. The link keeps it.
    page.browser.click("#tab-text");
    page.browser
        .wait("!!document.querySelector('.text [data-unit]')");
    page.browser
        .wait("document.querySelector('[aria-busy=true]') === null");
    page.browser.eval("document.querySelector(\"[data-unit='0']\").dispatchEvent(new MouseEvent('mouseover', { bubbles: true }))");
    page.browser
        .wait_for("[data-testid=says]", "“Vatsal” gives “he” 0%");
    let link = page.browser.link();
    page.browser.open(&link);
    page.browser
        .wait_for(".interventions", "he → Vatsal cut in all heads");
    page.browser.wait_for(".interventions", "Restore the model");
    page.browser.click(".interventions .main");
    page.browser
        .wait("!document.querySelector('.interventions')");
    assert!(!page.browser.link().contains("cut="));
    page.is_content();
}

#[test]
fn a_head_is_ablated_with_a_switch_and_restored() {
    let Some(mut page) = Page::of_model() else {
        return;
    };
    page.browser
        .wait("!!document.querySelector('.heads [data-ablate]')");
    let head = page
        .browser
        .eval("document.querySelector('.heads [data-ablate]').dataset.ablate");
    let head = head.as_str().unwrap().to_owned();
    let first = page.browser.text("[data-testid=hidden]");
    page.browser.click(&format!(".heads [data-ablate={head}]"));
    page.browser
        .wait_for(".interventions", &format!("{head} ablated"));
    page.browser.wait(&format!(
        "location.hash.includes('out={}')",
        head[1..].replace('H', ".")
    ));
    page.browser.wait(&format!(
        "document.querySelector('[data-ablate={head}]')?.ariaPressed === 'true'"
    ));
    // What later layers look at is another thing now.
    page.browser.wait(&format!(
        "document.querySelector('[data-testid=hidden]').innerText.replace({first:?}, '') !== ''"
    ));
    page.browser.picture("text-without-a-head");
    // What the switch says can be read, in the list and in the grid, in light and dark.
    for dark in [false, true] {
        page.browser.dark(dark);
        for (tab, place) in [("text", ".heads"), ("grid", ".grid")] {
            page.browser.click(&format!("#tab-{tab}"));
            let switch = format!("{place} [data-ablate={head}]");
            page.browser
                .wait(&format!("!!document.querySelector('{switch}')"));
            assert_eq!(page.browser.text(&switch), "Restore");
            let contrast = page.browser.contrast(&switch);
            assert!(contrast >= 4.5, "{place}, dark {dark}: {contrast}");
        }
        page.browser.picture(&format!(
            "grid-ablated-{}",
            if dark { "dark" } else { "light" }
        ));
    }
    page.browser.dark(false);
    page.browser.click("#tab-text");
    page.browser.click(".interventions .chips button");
    page.browser
        .wait("!document.querySelector('.interventions')");
    page.browser.wait(&format!(
        "document.querySelector('[data-testid=hidden]').innerText === {first:?}"
    ));
    page.is_content();
}

#[test]
fn heads_are_sorted_by_what_they_do_on_random_repeated_tokens() {
    let Some(mut page) = Page::of_model() else {
        return;
    };
    page.open("#view=grid&sort=induction");
    page.browser
        .wait("document.querySelectorAll('.grid li').length === 270");
    page.browser
        .wait("!document.querySelector('[aria-busy=true]')");
    // The golden data name this head as the strongest.
    assert_eq!(page.browser.text(".grid li:first-child b"), "L18H6");
    assert!(number(&mut page, ".grid li:first-child .picture span") > 60.0);
    page.browser.picture("grid-induction");
    page.browser.eval(
        "(() => { const s = document.querySelector('[data-testid=sort]'); s.value = 'retrieval'; s.dispatchEvent(new Event('change', { bubbles: true })); })()",
    );
    page.browser
        .wait("location.hash.includes('sort=retrieval')");
    let first = number(&mut page, ".grid li:first-child .picture span");
    let last = number(&mut page, ".grid li:last-child .picture span");
    assert!(
        first > 30.0 && first > last,
        "{first}% is not above {last}%"
    );
    page.is_content();
}

#[test]
fn statistics_of_the_text_need_no_model_and_who_says_that_it_does() {
    let Some(mut page) = Page::of(&Example::default()) else {
        return;
    };
    page.open("#view=grid&sort=local");
    page.browser
        .wait("document.querySelectorAll('.grid li').length === 6");
    page.browser
        .wait("!document.querySelector('[aria-busy=true]')");
    let mut all = lookback_heads::profile::profiles(&page.trace, &[]).unwrap();
    all.sort_by(|a, b| b.local_share.total_cmp(&a.local_share));
    assert_eq!(
        page.browser.text(".grid li:first-child b"),
        head::name(all[0].head)
    );
    let shown = page.browser.text(".grid li:first-child .picture span");
    assert_eq!(shown, percent(all[0].local_share));
    assert_eq!(
        page.browser
            .eval("document.querySelector('option[value=induction]').disabled"),
        true
    );
    page.browser.click("#tab-who");
    page.browser.wait_for("main", "needs the model");
    assert_eq!(
        page.browser
            .eval("document.querySelectorAll('[data-ablate]').length"),
        0
    );
    page.is_content();
}
