//! The map under every mask: what a query may not see is blank and said to be masked, and nothing else is.

use lookback_heads::example::Example;
use lookback_trace::{KeyRanges, Mask};
use lookback_view::pooled::visible;

use crate::page::Page;

/// Of 300 tokens.
fn masks() -> Vec<Mask> {
    // Documents of 70 tokens, each causal.
    let documents = KeyRanges::new((0..300).map(|i| i / 70 * 70..i + 1)).unwrap();
    vec![
        Mask::None,
        Mask::Causal { offset: 0 },
        Mask::Causal { offset: 30 },
        Mask::Window {
            window: 50,
            offset: 0,
        },
        Mask::SymmetricWindow {
            radius: 40,
            offset: 0,
        },
        Mask::Ranges {
            ranges: documents,
            offset: 0,
        },
    ]
}

/// Whether the middles of some places of the map are coloured, by query and key.
const COLOURED: &str = "async (png, places, [left, top], scale) => {
  const image = new Image();
  image.src = `data:image/png;base64,${png}`;
  await image.decode();
  const canvas = new OffscreenCanvas(image.width, image.height);
  const context = canvas.getContext('2d');
  context.drawImage(image, 0, 0);
  return places.map(([row, col]) => {
    const [r, g, b] = context.getImageData(left + (col + 0.5) * scale, top + (row + 0.5) * scale, 1, 1).data;
    return Math.max(r, g, b) - Math.min(r, g, b) > 24;
  });
}";

#[test]
fn masked_cells_are_blank_and_all_others_are_coloured() {
    for mask in masks() {
        let Some(mut page) = Page::of(&Example {
            text: vec!["to"; 299].join(" "),
            layers: 1,
            heads: 1,
            mask: mask.clone(),
            ..Example::default()
        }) else {
            return;
        };
        let n = page.trace.n();
        page.browser.size(900, 1300);
        for paint in ["2d", "webgl"] {
            let url = format!("{}?paint={paint}#view=map&head=0.0", page.url);
            page.browser.open(&url);
            page.browser
                .wait("document.querySelector('.map canvas')?.dataset.loading === 'false'");
            let part = page.browser.eval(
                "(() => { const b = document.querySelector('.map canvas').getBoundingClientRect(); scrollTo(0, 0); return [b.left + 46, b.top + 24, Math.min(b.width - 46, b.height - 24)]; })()",
            );
            let number = |at: usize| part[at].as_f64().unwrap();
            let scale = number(2) / n as f64;
            // Without the outermost cells, of which a pixel that is seen only in part is left out.
            let places: Vec<[usize; 2]> = (1..n - 1)
                .step_by(13)
                .flat_map(|row| (1..n - 1).step_by(13).map(move |col| [row, col]))
                // Where a mask ends, a pixel may be of either side.
                .filter(|[row, col]| {
                    let around = |range: usize| range.saturating_sub(2)..(range + 3).min(n);
                    let each = around(*row).flat_map(|i| around(*col).map(move |j| (i, j)));
                    let seen = |(i, j)| visible(&mask, &(i..i + 1), &(j..j + 1));
                    let count = each.clone().filter(|&pair| seen(pair)).count();
                    count == 0 || count == each.count()
                })
                .collect();
            let png = page.browser.screenshot();
            let coloured = page.browser.eval(&format!(
                "({COLOURED})({png:?}, {places:?}, [{}, {}], {scale})",
                number(0),
                number(1)
            ));
            for (at, [row, col]) in places.iter().enumerate() {
                let seen = visible(&mask, &(*row..row + 1), &(*col..col + 1));
                assert_eq!(
                    coloured[at], seen,
                    "{mask:?} {paint}: query {row}, key {col}"
                );
            }
        }
        page.is_content();
    }
}

#[test]
fn a_masked_cell_says_so() {
    for (mask, right, says) in [
        (Mask::Causal { offset: 0 }, 15, "masked"),
        (Mask::None, 15, "weight"),
        (
            Mask::Window {
                window: 3,
                offset: 0,
            },
            2,
            "masked",
        ),
    ] {
        let Some(mut page) = Page::of(&Example {
            mask,
            ..Example::default()
        }) else {
            return;
        };
        page.open("#view=map&head=1.1");
        page.browser.go_to_cell(9, right);
        page.browser
            .wait_for("[data-testid=cell]", &format!("({right}): {says}"));
        page.is_content();
    }
}
