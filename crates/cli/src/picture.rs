//! Pictures as files: SVG, or PNG of the same drawing.

use std::io::Write as _;
use std::path::Path;

use lookback_view::png;

use crate::output;

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

    /// Writes a drawing to a file, and gives how many bytes that took.
    pub(crate) fn write(self, path: &Path, drawing: String) -> anyhow::Result<usize> {
        let content = match self {
            Self::Svg => drawing.into_bytes(),
            Self::Png => png::render(&drawing, png::SCALE)?,
        };
        output::write_file(path, |file| Ok(file.write_all(&content)?))?;
        Ok(content.len())
    }
}
