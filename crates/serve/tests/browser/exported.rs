//! The page that needs no server.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use lookback_heads::example::Example;
use lookback_heads::token_attention::{TokenAttention, TokenAttentionOptions, share};
use lookback_heads::{default_head, head};
use lookback_trace::{Dtype, HeadId, KeyRanges, Mask, SaveOptions, Trace};
use lookback_view::page::{Page, PageOptions, Plan};

use crate::chromium::Browser;
use crate::page::{is_shown, percent};

/// Writes a page's file.
fn export(trace: &Trace, options: &PageOptions, file: &Path) {
    let plan = Plan::new(trace, options, &AtomicBool::new(false)).unwrap();
    let go_on = &mut |_, _| ControlFlow::Continue(());
    let page = Page::new(trace, &["<|start|>".to_owned()], &plan, go_on).unwrap();
    let mut to = std::io::BufWriter::new(std::fs::File::create(file).unwrap());
    page.write(&mut to).unwrap();
}

#[test]
fn the_exported_page_shows_text_and_map_from_its_own_trace() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let trace = Example {
        text: "</script> Vatsal studies a lot, Madd does not. Yet he <b>gets</b> high scores."
            .into(),
        ..Example::default()
    }
    .trace();
    let file = folder.path().join("page.html");
    export(&trace, &PageOptions::default(), &file);
    let kept = folder.path().join("trace.safetensors");
    trace
        .save(
            &kept,
            &SaveOptions {
                qk_dtype: Dtype::F16,
                values: false,
            },
        )
        .unwrap();
    let rounded = Trace::open(&kept).unwrap();
    browser.open(&format!("file://{}", file.display()));
    browser.wait_for("[data-testid=says]", "keeps");
    browser.wait_for(".text", "<b>gets</b>");
    browser.wait_for(".text", "<|start|>");
    browser.picture("exported");
    browser.click("#tab-map");
    browser.go_to_cell(9, 1);
    browser.wait_for("[data-testid=cell]", "weight");
    let says = browser.text("[data-testid=cell]");
    assert!(
        says.contains("(9) → key") && says.contains("(1): weight "),
        "{says}"
    );
    let head = browser
        .eval("document.querySelector('.map select').value")
        .as_str()
        .unwrap()
        .to_owned();
    let head = lookback_heads::head::parse(&head).unwrap();
    let weight = rounded.row(head.layer, head.head, 9).unwrap()[1];
    is_shown(says.rsplit_once("weight ").unwrap().1, weight);
    // Nothing was asked of any network.
    let asked = browser.eval("performance.getEntriesByType('resource').length");
    assert_eq!(asked, 0);
    assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
}

/// A text of 600 words in many heads, of which the page keeps two and two words.
fn partial(mask: Mask) -> (Trace, PageOptions) {
    let words = (0..600).map(|at| ["the", "river", "went", "slow"][at % 4]);
    let trace = Example {
        text: words.collect::<Vec<_>>().join(" "),
        layers: 3,
        heads: 4,
        mask,
        ..Example::default()
    }
    .trace();
    let head = |layer, head| HeadId { layer, head };
    let options = PageOptions {
        heads: Some(vec![head(0, 1), head(2, 3)]),
        words: Some(vec![5, 400]),
        ..PageOptions::default()
    };
    (trace, options)
}

#[test]
fn a_page_of_chosen_heads_and_words_answers_with_them_and_says_what_it_has_not() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (trace, options) = partial(Mask::Causal { offset: 0 });
    let file = folder.path().join("page.html");
    export(&trace, &options, &file);
    let ask = |unit: usize, options: &TokenAttentionOptions| {
        TokenAttention::new(&trace, unit, options, &AtomicBool::new(false)).unwrap()
    };
    // A word that is kept: the library's answer over all heads.
    browser.open(&format!("file://{}#at=400", file.display()));
    let expected = ask(400, &TokenAttentionOptions::default());
    let hidden = percent(expected.hidden);
    browser.wait(&format!(
        "document.querySelector('[data-testid=hidden]')?.innerText.startsWith('{hidden}')"
    ));
    assert_eq!(
        browser.eval("document.querySelector('[data-testid=note]')"),
        serde_json::Value::Null
    );
    let first = head::name(expected.ranked[0].head);
    assert_eq!(browser.text(".heads ol li:first-child b"), first);
    assert_eq!(
        browser.eval("document.querySelectorAll('.heads ol li').length"),
        12
    );
    // One of the other heads: its largest weights.
    let other = expected
        .ranked
        .iter()
        .find(|h| (h.head.layer, h.head.head) == (1, 2))
        .unwrap();
    browser.eval("document.querySelector('[data-head=L1H2]').click()");
    browser.wait_for("[data-testid=note]", "8 largest weights");
    let unit = other.most[0].index;
    browser.eval(&format!("document.querySelector(\"[data-unit='{unit}']\").dispatchEvent(new MouseEvent('mouseover', {{ bubbles: true }}))"));
    browser.wait_for(
        "[data-testid=says]",
        &percent(share(other.most[0].weight, other.hidden)),
    );
    // Any other word: over the heads that are kept, and so it says.
    browser.open(&format!("file://{}#at=77", file.display()));
    let options = TokenAttentionOptions {
        heads: vec![HeadId { layer: 0, head: 1 }, HeadId { layer: 2, head: 3 }],
        ..TokenAttentionOptions::default()
    };
    let hidden = percent(ask(77, &options).hidden);
    browser.wait(&format!(
        "document.querySelector('[data-testid=hidden]')?.innerText.startsWith('{hidden}')"
    ));
    browser.wait_for(
        "[data-testid=note]",
        "The mean of the 2 heads that this file keeps, of 12",
    );
    browser.picture("exported-partial");
    // Maps are there of these heads.
    browser.click("#tab-map");
    browser.wait("document.querySelector('.map canvas')?.dataset.loading === 'false'");
    let heads =
        browser.eval("[...document.querySelectorAll('.map option')].map((o) => o.value).join()");
    assert_eq!(heads, "0.1,2.3");
    assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
}

/// The one default head: that of `explain` and of the server's page.
#[test]
fn an_exported_page_opens_the_head_that_the_program_opens() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.html");
    for mask in [Mask::Causal { offset: 0 }, Mask::None] {
        let trace = Example {
            text: "Tom met Ann in Rome. Yet he left, and so did she with a friend of Tom.".into(),
            layers: 4,
            heads: 4,
            mask,
            ..Example::default()
        }
        .trace();
        let words = trace.words().len();
        let all = (0..16).map(|at| HeadId {
            layer: at / 4,
            head: at % 4,
        });
        let whole = PageOptions::default();
        // Named words, one without any name before it, and the first, which may have only itself.
        let kept = PageOptions {
            words: Some((0..words).collect()),
            heads: Some(all.clone().collect()),
            ..PageOptions::default()
        };
        let mut differs = 0;
        for options in [whole, kept] {
            export(&trace, &options, &file);
            for word in [0, 1, 6, words - 1] {
                let expected = default_head(&trace, &(word..word + 1)).unwrap().head;
                let first = TokenAttention::new(
                    &trace,
                    word,
                    &TokenAttentionOptions::default(),
                    &AtomicBool::new(false),
                );
                differs += usize::from(first.unwrap().ranked[0].head != expected);
                browser.open(&format!("file://{}#view=map&at={word}", file.display()));
                browser.wait("document.querySelector('.map canvas')?.dataset.loading === 'false'");
                let expected = format!("{}.{}", expected.layer, expected.head);
                browser.wait(&format!(
                    "document.querySelector('.map select').value === '{expected}'"
                ));
            }
        }
        assert!(
            differs > 0,
            "the head that ranks first is the same everywhere"
        );
    }
    assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
}

#[test]
fn an_exported_page_gives_the_trace_s_weights_under_every_mask() {
    let tokens = partial(Mask::None).0.n();
    let documents = (0..tokens).map(|i| i / 200 * 200..(i / 200 * 200 + 200).min(tokens));
    for mask in [
        Mask::None,
        Mask::Causal { offset: 0 },
        Mask::Causal { offset: 40 },
        Mask::Window {
            window: 25,
            offset: 0,
        },
        Mask::SymmetricWindow {
            radius: 25,
            offset: 0,
        },
        Mask::Ranges {
            ranges: KeyRanges::new(documents).unwrap(),
            offset: 0,
        },
    ] {
        let Some(mut browser) = Browser::start() else {
            return;
        };
        let folder = tempfile::tempdir().unwrap();
        let (trace, options) = partial(mask.clone());
        let file = folder.path().join("page.html");
        export(&trace, &options, &file);
        browser.open(&format!("file://{}#at=300", file.display()));
        let options = TokenAttentionOptions {
            heads: options.heads.unwrap(),
            ..TokenAttentionOptions::default()
        };
        let never = AtomicBool::new(false);
        let expected = TokenAttention::new(&trace, 300, &options, &never).unwrap();
        // Words before, far before, and after it: what is given, else what is received.
        for unit in [299, 10, 320, 590] {
            browser.wait_for("[data-testid=note]", "2 heads");
            browser.eval(&format!("document.querySelector(\"[data-unit='{unit}']\").dispatchEvent(new MouseEvent('mouseover', {{ bubbles: true }}))"));
            let (given, received) = (expected.given[unit], expected.received[unit]);
            let part = match given > 0.0 {
                true => share(given, expected.hidden),
                false => share(received, expected.received_hidden[unit]),
            };
            let name = ["the", "river", "went", "slow"][unit % 4];
            browser.wait_for("[data-testid=says]", name);
            let says = browser.text("[data-testid=says]");
            let shown: f32 = says
                .split_once('%')
                .and_then(|(before, _)| before.rsplit([' ', '<']).next()?.parse().ok())
                .unwrap_or_else(|| panic!("{says}"));
            assert!(
                (shown - 100.0 * part).abs() <= 0.1,
                "{mask:?} {unit}: {says}, not {part}"
            );
        }
        assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
    }
}

#[test]
fn a_page_that_computes_shows_it_goes_on_and_can_be_stopped() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (trace, _) = partial(Mask::Causal { offset: 0 });
    let file = folder.path().join("page.html");
    export(&trace, &PageOptions::default(), &file);
    browser.open(&format!("file://{}#at=300", file.display()));
    browser.wait_for("[data-testid=says]", "keeps");
    browser.slow(100);
    // The page's own turns, and what it showed, while an answer is computed.
    browser.eval(
        "(() => { window.turns = 0; window.shown = ''; const look = () => { turns++; shown ||= document.querySelector('[data-testid=computing]')?.innerText ?? ''; if (!window.rest) setTimeout(look); }; look(); })()",
    );
    browser.eval("document.querySelector(\"[data-unit='500']\").click()");
    browser.wait("shown.includes('Computing: head')");
    browser.eval("document.querySelector('[data-testid=computing] button')?.click()");
    browser.wait("!document.querySelector('[data-testid=computing]')");
    browser.eval("window.rest = true");
    browser.slow(1);
    assert!(browser.eval("turns").as_u64().unwrap() > 1);
    browser.eval("document.querySelector(\"[data-unit='7']\").click()");
    browser.wait("document.querySelector(\"[data-unit='7']\").ariaPressed === 'true' && !document.querySelector('[data-testid=computing]')");
    assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
}
