//! Fonts for pixels: the one in the binary, and the system's for characters that it does not have.
//!
//! Drawings name one font. Before they become pixels, runs of characters that it lacks get the name of a font that has
//! them: shaping a mixed text with one font after the other would leave boxes wherever a script joins characters.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use resvg::usvg::fontdb::{self, Database, FaceInfo};
use skrifa::MetadataProvider as _;

/// DejaVu Sans, which `assets/font/LICENSE` lets us carry.
const FONT: &[u8] = include_bytes!("../assets/font/DejaVuSans.ttf");

/// The name that drawings ask for.
pub(crate) const FONT_FAMILY: &str = "DejaVu Sans";

/// The font that is in the binary, and behind it the system's.
pub(crate) static FONTS: LazyLock<Fonts> = LazyLock::new(|| {
    let mut fonts = Database::new();
    fonts.load_font_data(FONT.to_vec());
    fonts.load_system_fonts();
    fonts.set_sans_serif_family(FONT_FAMILY);
    Fonts::new(fonts, |c| {
        skrifa::FontRef::new(FONT).is_ok_and(|font| font.charmap().map(c).is_some())
    })
});

/// Fonts, one of which is asked first.
pub(crate) struct Fonts {
    pub(crate) database: Arc<Database>,
    /// Whether the first font has a character.
    first_has: Box<dyn Fn(char) -> bool + Send + Sync>,
}

impl Fonts {
    pub(crate) fn new(
        database: Database,
        first_has: impl Fn(char) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self {
            database: Arc::new(database),
            first_has: Box::new(first_has),
        }
    }

    /// Characters of a drawing's texts that no font has, ascending.
    pub(crate) fn missing(&self, svg: &str) -> Vec<char> {
        let lacking = self.lacking(svg);
        let found = self.families(lacking.clone());
        lacking
            .into_iter()
            .filter(|c| !found.contains_key(c))
            .collect()
    }

    /// The drawing with the names of other fonts where the first lacks characters.
    pub(crate) fn named<'a>(&self, svg: &'a str) -> Cow<'a, str> {
        let lacking = self.lacking(svg);
        if lacking.is_empty() {
            return Cow::Borrowed(svg);
        }
        let families = self.families(lacking);
        let mut out = String::with_capacity(svg.len());
        let mut rest = svg;
        for text in texts(svg) {
            // Texts are parts of the drawing, in its order.
            let at = text.as_ptr() as usize - rest.as_ptr() as usize;
            out.push_str(&rest[..at]);
            name_runs(text, &families, &mut out);
            rest = &rest[at + text.len()..];
        }
        out.push_str(rest);
        Cow::Owned(out)
    }

    /// Characters of a drawing's texts that the first font lacks.
    fn lacking(&self, svg: &str) -> BTreeSet<char> {
        let characters = texts(svg).flat_map(str::chars);
        let shown = characters.filter(|c| !c.is_ascii() && !joins(*c));
        let all: BTreeSet<char> = shown.collect();
        all.into_iter().filter(|c| !(self.first_has)(*c)).collect()
    }

    /// For each character, the family of a font that has it, where one has.
    fn families(&self, mut wanted: BTreeSet<char>) -> BTreeMap<char, String> {
        let mut found = BTreeMap::new();
        let mut faces: Vec<&FaceInfo> = self.database.faces().collect();
        faces.sort_by_key(|face| distance(face));
        for face in faces {
            if wanted.is_empty() {
                break;
            }
            let Some((family, _)) = face.families.first() else {
                continue;
            };
            let has = self.database.with_face_data(face.id, |data, index| {
                let font = skrifa::FontRef::from_index(data, index).ok()?;
                let map = font.charmap();
                let has = wanted.iter().copied().filter(|c| map.map(*c).is_some());
                Some(has.collect::<Vec<char>>())
            });
            for c in has.flatten().unwrap_or_default() {
                wanted.remove(&c);
                found.insert(c, family.clone());
            }
        }
        found
    }
}

/// How far a face is from an upright text face without serifs; the nearest that has a character is taken.
fn distance(face: &FaceInfo) -> (bool, bool, u16, bool) {
    let family = face.families.first().map_or("", |(family, _)| family);
    (
        face.style != fontdb::Style::Normal || face.stretch != fontdb::Stretch::Normal,
        face.monospaced,
        face.weight.0.abs_diff(400),
        !family.contains("Sans"),
    )
}

/// What stands between `<text …>` and `</text>`, as it is written there.
fn texts(svg: &str) -> impl Iterator<Item = &str> {
    svg.split("<text ").skip(1).filter_map(|part| {
        let (element, _) = part.split_once("</text>")?;
        Some(element.split_once('>')?.1)
    })
}

/// Characters that have no shape of their own and belong to what they stand beside.
fn joins(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}

/// Writes a text with the names of the fonts that its runs need.
fn name_runs(text: &str, families: &BTreeMap<char, String>, out: &mut String) {
    let mut open: Option<&String> = None;
    for c in text.chars() {
        let needed = if joins(c) { open } else { families.get(&c) };
        if needed != open {
            if open.is_some() {
                out.push_str("</tspan>");
            }
            if let Some(family) = needed {
                let family = family.replace(['\'', '"', '&', '<', '>'], "");
                out.push_str(&format!("<tspan font-family=\"'{family}'\">"));
            }
            open = needed;
        }
        out.push(c);
    }
    if open.is_some() {
        out.push_str("</tspan>");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SVG: &str =
        "<svg><title>αβ</title><text x=\"1\">αβγ 1</text><text y=\"1\">&lt;β</text></svg>";

    /// DejaVu Sans as a font that is asked only for Greek's β and γ.
    fn fonts() -> Fonts {
        let mut database = Database::new();
        database.load_font_data(FONT.to_vec());
        Fonts::new(database, |c| !matches!(c, 'β' | 'γ' | '\u{e000}' | '字'))
    }

    #[test]
    fn runs_that_the_first_font_lacks_name_another() {
        assert_eq!(
            fonts().named(SVG),
            "<svg><title>αβ</title><text x=\"1\">α<tspan font-family=\"'DejaVu Sans'\">βγ</tspan> 1</text>\
             <text y=\"1\">&lt;<tspan font-family=\"'DejaVu Sans'\">β</tspan></text></svg>"
        );
        let plain = "<text>abc</text>";
        assert!(matches!(fonts().named(plain), Cow::Borrowed(_)));
    }

    #[test]
    fn what_no_font_has_is_said() {
        let svg = "<text x=\"1\">aβ字\u{e000}\u{fe0f}字</text>";
        assert_eq!(fonts().missing(svg), ['字', '\u{e000}']);
        assert!(fonts().missing(SVG).is_empty());
    }
}
