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
    page.browser.screenshot()
}

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
        // Pixels that differ by more than rounding, and those that are coloured at all.
        let counted = page.browser.eval(&format!(
            "(async () => {{ const pixels = async (png) => {{ const image = new Image(); \
             image.src = 'data:image/png;base64,' + png; await image.decode(); \
             const canvas = document.createElement('canvas'); [canvas.width, canvas.height] = [image.width, image.height]; \
             const context = canvas.getContext('2d'); context.drawImage(image, 0, 0); \
             return context.getImageData(0, 0, image.width, image.height).data; }}; \
             const [a, b] = await Promise.all([{webgl:?}, {canvas:?}].map(pixels)); \
             let [other, coloured] = [0, 0]; \
             for (let i = 0; i < a.length; i += 4) {{ \
               if (Math.max(...[0, 1, 2].map((c) => Math.abs(a[i + c] - b[i + c]))) > 2) other++; \
               if (Math.abs(a[i] - a[i + 1]) + Math.abs(a[i + 1] - a[i + 2]) > 24) coloured++; }} \
             return [a.length === b.length ? other : -1, coloured]; }})()"
        ));
        let (other, coloured) = (counted[0].as_i64().unwrap(), counted[1].as_i64().unwrap());
        assert!(
            coloured > 20_000,
            "{link}: only {coloured} pixels show weights"
        );
        // The edges of cells may fall on either side of a pixel's middle.
        assert!(
            (0..=coloured / 100).contains(&other),
            "{link}: {other} of {coloured} pixels differ"
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
