use lookback_heads::example::Example;
use lookback_trace::{KeyRanges, Mask};
use resvg::tiny_skia::{ColorU8, Pixmap};

use super::*;
use crate::png;

/// A text of so many tokens, read under a mask.
fn trace(tokens: usize, mask: Mask) -> Trace {
    Example {
        text: vec!["to"; tokens - 1].join(" "),
        layers: 1,
        heads: 1,
        mask,
        ..Example::default()
    }
    .trace()
}

/// Packed documents of `width` tokens, each causal.
fn documents(tokens: usize, width: usize) -> Mask {
    let ranges = KeyRanges::new((0..tokens).map(|i| i / width * width..i + 1)).unwrap();
    Mask::Ranges { ranges, offset: 0 }
}

/// The map as pixels, and where its cells stand: left, top, pixels a token.
fn pixels(trace: &Trace, scale: f32) -> (Pixmap, [f32; 3]) {
    let options = MapOptions {
        rows: 0..trace.n(),
        cols: 0..trace.n(),
        pool: Pool::Max,
        scale: Scale::Linear,
        theme: Theme::Light,
    };
    let id = HeadId { layer: 0, head: 0 };
    let drawing = map(trace, id, &[], &options, &AtomicBool::new(false)).unwrap();
    let pixels = Pixmap::decode_png(&png::render(&drawing, scale).unwrap()).unwrap();
    let area = Area {
        rows: options.rows,
        cols: options.cols,
        cell: trace.n().div_ceil(MOST_CELLS),
    };
    let figure = Figure::new(&area, &[(); 2].map(|()| labels::tokens(trace, &[])));
    let at = [figure.left, figure.top, figure.unit].map(|units| units * scale);
    (pixels, at)
}

/// Whether a pixel is of the colour scale: the paper is white, and nothing else is drawn between the cells.
fn is_cell(color: ColorU8) -> bool {
    (color.red(), color.green(), color.blue()) != (255, 255, 255)
}

#[test]
fn every_pixel_that_a_query_may_see_is_painted_and_no_other() {
    let window = |window, offset| Mask::Window { window, offset };
    let causal = |offset| Mask::Causal { offset };
    for (tokens, mask) in [
        (31, causal(0)),
        (257, causal(0)),
        (300, causal(0)),
        (777, causal(0)),
        (777, causal(-9)),
        (700, causal(40)),
        (257, Mask::None),
        (515, Mask::None),
        (300, window(40, 0)),
        (777, window(100, 0)),
        (
            300,
            Mask::SymmetricWindow {
                radius: 30,
                offset: 0,
            },
        ),
        (300, documents(300, 70)),
        (777, documents(777, 200)),
    ] {
        let trace = trace(tokens, mask.clone());
        let n = trace.n();
        let cell = n.div_ceil(MOST_CELLS);
        for scale in [png::SCALE, 0.73, 2.0] {
            let (pixels, [left, top, token]) = pixels(&trace, scale);
            // Whole pixels of the map: those that its edge cuts belong to nobody.
            let side = (n as f32 * token) as u32 - 1;
            let of = |pixel: u32, from: f32| {
                let at = (pixel as f32 + 0.5 - from) / token / cell as f32;
                // A middle that falls on an edge of two cells belongs to either.
                ((at - at.round()).abs() > 0.02).then_some(at as usize)
            };
            let part = |at: usize| at * cell..((at + 1) * cell).min(n);
            for (y, x) in (1..side).flat_map(|y| (1..side).map(move |x| (y, x))) {
                let (y, x) = (top.ceil() as u32 + y, left.ceil() as u32 + x);
                let (Some(row), Some(col)) = (of(y, top), of(x, left)) else {
                    continue;
                };
                let painted = is_cell(pixels.pixel(x, y).unwrap().demultiply());
                let seen = visible(&mask, &part(row), &part(col));
                assert_eq!(painted, seen, "{tokens} {mask:?} ×{scale}: pixel {x}, {y}");
            }
        }
    }
}

#[test]
fn a_picture_is_opaque_to_its_edges() {
    for scale in [png::SCALE, 0.73, 2.0] {
        let (pixels, _) = pixels(&trace(300, Mask::Causal { offset: 0 }), scale);
        let whole = pixels.pixels().iter().all(|pixel| pixel.alpha() == 255);
        assert!(whole, "×{scale}");
    }
}

#[test]
fn ticks_are_round_and_few() {
    assert_eq!(ticks(&(0..100)), [0, 20, 40, 60, 80]);
    assert_eq!(ticks(&(1950..2048)), [1960, 1980, 2000, 2020, 2040]);
    for n in 1..5000 {
        assert!((1..=6).contains(&ticks(&(0..n)).len()), "{n}");
    }
}
