//! The page that needs no server.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use lookback_heads::example::Example;
use lookback_trace::{Dtype, SaveOptions, Trace};
use lookback_view::page::{Page, PageOptions, Plan};

use crate::chromium::Browser;

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
    browser.wait("document.querySelector('.map canvas')?.dataset.loading === 'false'");
    browser.eval("document.querySelector('.map canvas').focus()");
    browser.key("0");
    for _ in 0..40 {
        browser.key("ArrowUp");
        browser.key("ArrowLeft");
    }
    for _ in 0..9 {
        browser.key("ArrowDown");
    }
    browser.key("ArrowRight");
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
    let shown: f32 = says.rsplit_once("weight ").unwrap().1.parse().unwrap();
    assert!(
        (shown - weight).abs() <= 0.6e-2 * weight,
        "{shown} is not {weight}"
    );
    // Nothing was asked of any network.
    let asked = browser.eval("performance.getEntriesByType('resource').length");
    assert_eq!(asked, 0);
    assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
}
