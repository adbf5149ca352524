//! Every view in light and dark, wide and at phone width: nothing overflows, and pictures are kept to be looked at.

use lookback_heads::example::Example;

use crate::page::Page;

#[test]
fn every_view_fits_in_light_and_dark_wide_and_narrow() {
    let Some(mut page) = Page::of(&Example {
        layers: 6,
        heads: 3,
        ..Example::default()
    }) else {
        return;
    };
    for dark in [false, true] {
        page.browser.dark(dark);
        for (width, height, size) in [(1280, 900, "wide"), (390, 844, "narrow")] {
            page.browser.size(width, height);
            for view in ["text", "who", "grid", "map", "steps"] {
                page.open(&format!("#view={view}&at=9&head=1.1"));
                page.browser
                    .wait("!document.querySelector('[aria-busy=true]')");
                page.browser.wait("(document.querySelector('.map canvas')?.dataset.loading ?? 'false') === 'false'");
                let scheme = if dark { "dark" } else { "light" };
                page.browser.picture(&format!("{view}-{size}-{scheme}"));
                assert!(
                    !page.browser.overflows(),
                    "{view} {size} {scheme} is wider than the page"
                );
            }
        }
    }
    page.is_content();
}
