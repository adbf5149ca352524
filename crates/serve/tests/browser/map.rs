//! The map and the grid of heads.

use lookback_heads::example::Example;

use crate::page::{Page, is_shown};

pub(crate) fn long() -> Example {
    let text = (0..700)
        .map(|at| ["the", "river", "went", "slow"][at % 4])
        .collect::<Vec<_>>()
        .join(" ");
    Example {
        text,
        layers: 2,
        heads: 2,
        ..Example::default()
    }
}

/// The query and the key that the cross-hair is said to be at.
fn places(says: &str) -> [usize; 2] {
    let numbers = says.split(['(', ')']).filter_map(|part| part.parse().ok());
    let numbers: Vec<usize> = numbers.collect();
    numbers
        .try_into()
        .unwrap_or_else(|_| panic!("{says:?} names no cell"))
}

#[test]
fn zooming_into_a_cell_shows_its_exact_weight() {
    let Some(mut page) = Page::of(&Example::default()) else {
        return;
    };
    page.open("#view=map&head=1.1");
    page.browser.go_to_cell(12, 3);
    page.browser.key("Enter");
    page.browser.wait_for("[data-testid=cell]", "weight");
    let says = page.browser.text("[data-testid=cell]");
    assert!(
        says.contains("(12) → key") && says.contains("(3): weight "),
        "{says}"
    );
    is_shown(
        says.rsplit_once("weight ").unwrap().1,
        page.trace.row(1, 1, 12).unwrap()[3],
    );
    assert!(
        page.browser
            .text("[data-testid=pooled]")
            .contains("Each weight is a cell")
    );
    page.browser.picture("map-cells");
    page.is_content();
}

#[test]
fn the_whole_text_says_what_it_pools_and_the_wheel_goes_into_it() {
    let Some(mut page) = Page::of(&long()) else {
        return;
    };
    page.browser.size(700, 620);
    page.open("#view=map&head=0.1");
    page.browser
        .wait("Number(document.querySelector('.map canvas')?.dataset.zoom) >= 1");
    page.browser
        .wait("document.querySelector('.map canvas')?.dataset.loading === 'false'");
    page.browser.wait_for("[data-testid=pooled]", "max of");
    let middle = page.browser.eval(
        "(() => { const b = document.querySelector('.map canvas').getBoundingClientRect(); return [b.left + 90, b.top + 180]; })()",
    );
    let (x, y) = (middle[0].as_f64().unwrap(), middle[1].as_f64().unwrap());
    page.browser.click_at(x, y);
    page.browser.wait_for("[data-testid=cell]", "weight");
    // The cell under the cross-hair is the largest of the weights that it says it pools.
    let pooled = page.browser.text("[data-testid=pooled]");
    let cell: usize = pooled.split(' ').nth(6).unwrap().parse().unwrap();
    let says = page.browser.text("[data-testid=cell]");
    let [query, key] = places(&says);
    let block = |at: usize| at / cell * cell..(at / cell * cell + cell).min(page.trace.n());
    let weights = page.trace.weights(0, 1, block(query), block(key)).unwrap();
    let shown = pooled.rsplit_once(": ").unwrap().1.trim_end_matches('.');
    is_shown(shown, weights.iter().copied().fold(0.0, f32::max));
    page.browser.picture("map-whole");
    for _ in 0..12 {
        page.browser.wheel(x, y, -240.0);
    }
    page.browser
        .wait("document.querySelector('.map canvas').dataset.zoom === '0'");
    page.browser
        .wait("document.querySelector('.map canvas').dataset.loading === 'false'");
    page.browser.click_at(x, y);
    page.browser.wait_for("[data-testid=cell]", "weight");
    let says = page.browser.text("[data-testid=cell]");
    let [query, key] = places(&says);
    is_shown(
        says.rsplit_once("weight ").unwrap().1,
        page.trace.row(0, 1, query).unwrap()[key],
    );
    // A link brings the part back.
    let link = page.browser.link();
    page.browser.open(&link);
    page.browser
        .wait("document.querySelector('.map canvas')?.dataset.zoom === '0'");
    page.is_content();
}

#[test]
fn the_grid_sorts_and_opens_a_map() {
    let Some(mut page) = Page::of(&Example::default()) else {
        return;
    };
    page.browser.click("#tab-grid");
    page.browser
        .wait("document.querySelectorAll('.grid li').length === 6");
    page.browser
        .wait("document.querySelector('.grid').ariaBusy === 'false'");
    page.browser.eval(
        "(() => { const s = document.querySelector('.grid select'); s.value = 'sink'; s.dispatchEvent(new Event('change', { bubbles: true })); })()",
    );
    page.browser
        .wait("document.querySelector('.grid li span').innerText.endsWith('%')");
    let order = page
        .browser
        .eval("[...document.querySelectorAll('.grid li button')].map((b) => b.dataset.head)");
    let mut sorted: Vec<_> = (0..3)
        .flat_map(|layer| {
            lookback_view::grid::pictures(&page.trace, layer, &Default::default()).unwrap()
        })
        .collect();
    sorted.sort_by(|a, b| b.sink.total_cmp(&a.sink));
    let expected: Vec<String> = sorted
        .iter()
        .map(|p| format!("L{}H{}", p.layer, p.head))
        .collect();
    assert_eq!(order, serde_json::json!(expected));
    // A least value is given in the unit in which the heads say theirs.
    let sinks: Vec<f64> = sorted.iter().map(|p| 100.0 * f64::from(p.sink)).collect();
    let between = (sinks[2] + sinks[3]) / 2.0;
    page.browser.eval(&format!(
        "(() => {{ const f = document.querySelector('[data-testid=least]'); f.value = {between}; f.dispatchEvent(new Event('input', {{ bubbles: true }})); }})()"
    ));
    page.browser
        .wait("document.querySelectorAll('.grid li').length === 3");
    assert!(page.browser.text(".grid .choice").contains('%'));
    page.browser.eval(
        "(() => { const f = document.querySelector('[data-testid=least]'); f.value = ''; f.dispatchEvent(new Event('input', { bubbles: true })); })()",
    );
    page.browser
        .wait("document.querySelectorAll('.grid li').length === 6");
    page.browser.picture("grid");
    page.browser.click(".grid li button");
    page.browser.wait(&format!(
        "document.querySelector('.map canvas')?.ariaLabel.includes('{}') === true",
        expected[0]
    ));
    page.is_content();
}
