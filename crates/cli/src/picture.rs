//! Pictures as files: SVG, or PNG of the same drawing.

use std::io::Write as _;
use std::path::Path;

use lookback_view::png;

use crate::output;

/// Characters that are named in a note.
const NAMED: usize = 4;

/// The form of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Picture {
    Svg,
    Png,
}

impl Picture {
    /// What a file's ending asks for; none where it is no picture's.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let ending = path.extension().and_then(|ending| ending.to_str());
        match ending.map(str::to_ascii_lowercase).as_deref() {
            Some("svg") => Some(Self::Svg),
            Some("png") => Some(Self::Png),
            _ => None,
        }
    }

    /// Writes a drawing to a file, and gives how many bytes that took. Characters that become boxes are named in a note.
    pub(crate) fn write(self, path: &Path, drawing: String) -> anyhow::Result<usize> {
        let content = match self {
            Self::Svg => drawing.into_bytes(),
            Self::Png => {
                if let Some(note) = boxes(&png::missing(&drawing)) {
                    output::note(&note);
                }
                png::render(&drawing, png::SCALE)?
            }
        };
        output::write_file(path, |file| Ok(file.write_all(&content)?))?;
        Ok(content.len())
    }
}

/// What is said of characters that no font has; none where there are none.
fn boxes(missing: &[char]) -> Option<String> {
    let named: Vec<String> = missing.iter().take(NAMED).map(shown).collect();
    let more = match missing.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!named.is_empty()).then(|| {
        format!(
            "no font here has {}{more}: they are drawn as empty boxes; install a font that has them, or save as SVG",
            named.join(", ")
        )
    })
}

/// A character with its number, since a terminal may not have it either.
fn shown(c: &char) -> String {
    match c.is_control() {
        true => format!("U+{:04X}", u32::from(*c)),
        false => format!("{c} (U+{:04X})", u32::from(*c)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_without_a_font_are_named() {
        assert_eq!(boxes(&[]), None);
        let one = boxes(&['\u{738b}']).unwrap();
        assert!(one.starts_with("no font here has 王 (U+738B): "), "{one}");
        let many: Vec<char> = ('\u{4e00}'..'\u{4e0a}').collect();
        assert!(boxes(&many).unwrap().contains(" and 6 more: "));
    }
}
