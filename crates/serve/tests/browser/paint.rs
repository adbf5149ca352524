//! The two ways in which tiles are drawn show the same.

use crate::map::long;
use crate::page::Page;

/// Opens a part of the map drawn in one way, and takes its picture.
fn seen(page: &mut Page, paint: &str, link: &str) -> String {
    page.open(&format!("?paint={paint}#view=map&head=0.1{link}"));
    page.browser
        .wait("document.querySelector('.map canvas')?.dataset.loading === 'false'");
    assert_eq!(
        page.browser
            .eval("document.querySelector('.map canvas').dataset.paint"),
        paint
    );
    page.browser.picture(&format!("map-{paint}"));
    page.browser.screenshot()
}

/// Compares two pictures: how many pixels show weights; how many differ by more than a step of the colour scale, but
/// show what a neighbour shows in the other (a cell's border in the middle of a pixel falls to either side); and how many
/// show something else.
const COMPARE: &str = "async (...pngs) => {
  const pixels = async (png) => {
    const image = new Image();
    image.src = 'data:image/png;base64,' + png;
    await image.decode();
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [image.width, image.height];
    const context = canvas.getContext('2d');
    context.drawImage(image, 0, 0);
    return context.getImageData(0, 0, image.width, image.height);
  };
  const [{ data: a, width }, { data: b }] = await Promise.all(pngs.map(pixels));
  const same = (i, j) => [0, 1, 2].every((c) => Math.abs(a[i + c] - b[j + c]) <= 6);
  const around = [-1, 0, 1].flatMap((down) => [-1, 0, 1].map((right) => 4 * (down * width + right)));
  let [coloured, moved, other] = [0, 0, []];
  for (let i = 0; i < a.length; i += 4) {
    if (Math.abs(a[i] - a[i + 1]) + Math.abs(a[i + 1] - a[i + 2]) > 24) coloured++;
    if (same(i, i)) continue;
    if (around.some((step) => same(i, i + step))) moved++;
    else other.push([(i / 4) % width, Math.floor(i / 4 / width), ...a.slice(i, i + 3), ...b.slice(i, i + 3)]);
  }
  return [coloured, moved, other.length, other.slice(0, 3)];
}";

#[test]
fn webgl_and_the_2d_canvas_show_the_same() {
    let Some(mut page) = Page::of(&long()) else {
        return;
    };
    page.browser.size(700, 700);
    for link in [
        "",
        "&pool=mean&scale=linear",
        "&part=200,190,60",
        "&part=3,2,9&scale=linear",
    ] {
        let [webgl, canvas] = ["webgl", "2d"].map(|paint| seen(&mut page, paint, link));
        let counted = page
            .browser
            .eval(&format!("({COMPARE})({webgl:?}, {canvas:?})"));
        let count = |at: usize| counted[at].as_i64().unwrap();
        let (coloured, moved, other) = (count(0), count(1), count(2));
        assert!(
            coloured > 20_000,
            "{link}: only {coloured} pixels show weights"
        );
        assert_eq!(
            other, 0,
            "{link}: of {coloured} pixels these show what is not there, as x, y and both colours: {}",
            counted[3]
        );
        // Where cells are no whole number of pixels, a border meets the middle of a pixel on some lines, not on many.
        assert!(
            moved <= coloured / 30,
            "{link}: {moved} of {coloured} pixels show a neighbour"
        );
    }
    page.is_content();
}

#[test]
fn where_webgl_is_lost_the_2d_canvas_goes_on() {
    let Some(mut page) = Page::of(&long()) else {
        return;
    };
    let before = seen(&mut page, "webgl", "");
    page.browser.eval(
        "document.querySelector('.map .ground').getContext('webgl2').getExtension('WEBGL_lose_context').loseContext()",
    );
    page.browser
        .wait("document.querySelector('.map canvas').dataset.paint === '2d'");
    let after = page.browser.screenshot();
    assert!(after.len() > before.len() / 2, "the map is gone");
    page.is_content();
}

#[test]
fn two_fingers_zoom_into_what_is_between_them() {
    let Some(mut page) = Page::of(&long()) else {
        return;
    };
    page.browser.size(420, 800);
    page.open("#view=map&head=0.1");
    page.browser
        .wait("document.querySelector('.map canvas')?.dataset.loading === 'false'");
    let box_ = page.browser.eval(
        "(() => { const c = document.querySelector('.map canvas'); c.scrollIntoView({ block: 'center' }); const b = c.getBoundingClientRect(); return [b.left, b.top]; })()",
    );
    let (x, y) = (
        box_[0].as_f64().unwrap() + 120.0,
        box_[1].as_f64().unwrap() + 200.0,
    );
    let across = |page: &mut Page| {
        let link = page.browser.link();
        let part = link
            .split("part=")
            .nth(1)
            .unwrap()
            .split('&')
            .next()
            .unwrap();
        part.split("%2C").nth(2).unwrap().parse::<f64>().unwrap()
    };
    let whole = across(&mut page);
    let steps: Vec<_> = (1..=6)
        .map(|step| f64::from(step) * 10.0)
        .map(|half| [(x - half, y), (x + half, y)])
        .collect();
    page.browser.pinch(&steps);
    let close = across(&mut page);
    // Six times as far apart: a sixth of the tokens, as far as the margins are the same.
    assert!(
        (close * 6.0 / whole - 1.0).abs() < 0.1,
        "{whole} became {close}"
    );
    let back: Vec<_> = steps.into_iter().rev().collect();
    page.browser.pinch(&back);
    assert!((across(&mut page) / whole - 1.0).abs() < 0.1);
    page.is_content();
}
