//! Pixels from a drawing: one way of drawing for both.

use std::sync::{Arc, LazyLock};

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};

use crate::Error;

/// Pixels a unit of a drawing: 300 a printed inch for a unit of a tenth of a millimetre.
pub const SCALE: f32 = 300.0 / 254.0;

/// Pixels along one side at most.
const MOST_PIXELS: u32 = 16_384;

/// DejaVu Sans, which `assets/font/LICENSE` lets us carry.
const FONT: &[u8] = include_bytes!("../assets/font/DejaVuSans.ttf");

/// The name that drawings ask for.
pub(crate) const FONT_FAMILY: &str = "DejaVu Sans";

/// The font that is in the binary, and behind it the system's for what it cannot write.
static FONTS: LazyLock<Arc<fontdb::Database>> = LazyLock::new(|| {
    let mut fonts = fontdb::Database::new();
    fonts.load_font_data(FONT.to_vec());
    fonts.load_system_fonts();
    fonts.set_sans_serif_family(FONT_FAMILY);
    Arc::new(fonts)
});

/// Draws `svg` at `scale` pixels a unit, as a PNG file.
///
/// # Errors
/// [`Error::Pixels`] where it is no drawing, or too large.
pub fn render(svg: &str, scale: f32) -> Result<Vec<u8>, Error> {
    let wrong = |what: String| Error::Pixels(what);
    let options = Options {
        fontdb: FONTS.clone(),
        font_family: FONT_FAMILY.to_owned(),
        ..Options::default()
    };
    let tree = Tree::from_str(svg, &options).map_err(|error| wrong(error.to_string()))?;
    // The size of a drawing is in CSS pixels; its units are what the scale is of.
    let (size, units) = (
        tree.size(),
        view_box_width(svg).unwrap_or(tree.size().width()),
    );
    let factor = scale * units / size.width();
    let side = |length: f32| (length * factor).ceil().max(1.0) as u32;
    let (width, height) = (side(size.width()), side(size.height()));
    if width.max(height) > MOST_PIXELS {
        return Err(wrong(format!(
            "{width} × {height} pixels are more than {MOST_PIXELS} along one side"
        )));
    }
    let mut pixels =
        Pixmap::new(width, height).ok_or_else(|| wrong(format!("{width} × {height} pixels")))?;
    resvg::render(
        &tree,
        Transform::from_scale(factor, factor),
        &mut pixels.as_mut(),
    );
    pixels
        .encode_png()
        .map_err(|error| wrong(error.to_string()))
}

/// The width that a drawing's first `viewBox` names.
fn view_box_width(svg: &str) -> Option<f32> {
    let numbers = svg.split_once("viewBox=\"")?.1.split_once('"')?.0;
    numbers.split_whitespace().nth(2)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawing_has_the_pixels_that_its_units_say() {
        let svg = r#"<svg xmlns="http://www.w3.org/2000/svg" width="10mm" height="5mm" viewBox="0 0 100 50"><rect width="100" height="50"/></svg>"#;
        let png = render(svg, 2.0).unwrap();
        // The header's chunk begins at byte 16: width, height.
        assert_eq!(&png[16..24], [0, 0, 0, 200, 0, 0, 0, 100]);
    }

    #[test]
    fn what_is_no_drawing_or_too_large_is_refused() {
        assert!(matches!(render("no drawing", 1.0), Err(Error::Pixels(_))));
        let wide = r#"<svg xmlns="http://www.w3.org/2000/svg" width="1000" height="5" viewBox="0 0 1000 5"/>"#;
        assert!(matches!(render(wide, 100.0), Err(Error::Pixels(_))));
    }
}
