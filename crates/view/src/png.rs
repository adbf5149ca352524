//! Pixels from a drawing: one way of drawing for both.

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree};

use crate::Error;
use crate::fonts::{FONT_FAMILY, FONTS, Fonts};

/// Pixels a unit of a drawing: 300 a printed inch for a unit of a tenth of a millimetre.
pub const SCALE: f32 = 300.0 / 254.0;

/// Pixels along one side at most.
const MOST_PIXELS: u32 = 16_384;

/// Characters of a drawing that no font here has, ascending: as pixels they are empty boxes. Characters that the font in
/// the binary lacks are taken from the system's fonts.
///
/// ```
/// assert!(lookback_view::png::missing("<svg><text x=\"0\">Größe</text></svg>").is_empty());
/// ```
#[must_use]
pub fn missing(svg: &str) -> Vec<char> {
    FONTS.missing(svg)
}

/// Draws `svg` at `scale` pixels a unit, as a PNG file.
///
/// # Errors
/// [`Error::Pixels`] where it is no drawing, or too large.
pub fn render(svg: &str, scale: f32) -> Result<Vec<u8>, Error> {
    render_with(&FONTS, svg, scale)
}

fn render_with(fonts: &Fonts, svg: &str, scale: f32) -> Result<Vec<u8>, Error> {
    let wrong = |what: String| Error::Pixels(what);
    let svg = &fonts.named(svg);
    let options = Options {
        fontdb: fonts.database.clone(),
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

    /// Ink of a text in a drawing.
    fn ink(text: &str) -> usize {
        let svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"200\" height=\"40\" viewBox=\"0 0 200 40\">\
             <text x=\"5\" y=\"30\" font-size=\"24\" font-family=\"{FONT_FAMILY}\">{text}</text></svg>"
        );
        let pixels = Pixmap::decode_png(&render(&svg, 1.0).unwrap()).unwrap();
        pixels.pixels().iter().filter(|p| p.alpha() > 127).count()
    }

    /// A box is the same whatever it stands for; letters are not.
    #[test]
    #[expect(clippy::print_stderr, reason = "what was not tested must be seen")]
    fn scripts_that_the_binary_s_font_lacks_are_drawn_with_the_system_s() {
        let scripts = [
            ("Chinese", "東京很大", "一一一一"),
            ("Hindi", "स्वतंत्रता", "गगगगगगगगगग"),
            (
                "mixed",
                "“नमस्ते” in all 270 heads",
                "“कककककक” in all 270 heads",
            ),
            ("Thai", "แมวเห็นหมา", "กกกกกกกกกก"),
            ("Emoji that are pictures", "🎉🎉", "🧀🎉"),
        ];
        let box_ = ink("\u{e123}");
        assert!(box_ > 0);
        for (name, text, other) in scripts {
            let svg = format!("<text x=\"0\">{text}</text>");
            if !missing(&svg).is_empty() {
                eprintln!("skipped: no font of this system has {name}");
                continue;
            }
            let (a, b) = (ink(text), ink(other));
            assert!(a > 0 && b > 0 && a != b, "{name}: {a} and {b} dark pixels");
            let boxes = box_ * text.chars().filter(|c| !c.is_ascii()).count();
            assert_ne!(a, boxes, "{name} is drawn as boxes");
        }
        assert_eq!(missing("<text x=\"0\">a\u{e123}</text>"), ['\u{e123}']);
    }

    #[test]
    fn what_is_no_drawing_or_too_large_is_an_error() {
        assert!(matches!(render("no drawing", 1.0), Err(Error::Pixels(_))));
        let wide = r#"<svg xmlns="http://www.w3.org/2000/svg" width="1000" height="5" viewBox="0 0 1000 5"/>"#;
        assert!(matches!(render(wide, 100.0), Err(Error::Pixels(_))));
    }
}
