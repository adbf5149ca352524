//! Colours: scales, themes, and how words are marked.

use serde::{Deserialize, Serialize};

/// How a weight becomes a colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// In proportion, from 0 to the largest weight.
    #[default]
    Linear,
    /// By its logarithm, over four powers of ten below the largest weight.
    Log,
}

impl Scale {
    /// Where a weight stands between the least and the greatest colour: 0 to 1.
    #[must_use]
    pub fn place(self, weight: f32, peak: f32) -> f32 {
        if weight <= 0.0 || peak <= 0.0 {
            return 0.0;
        }
        match self {
            Self::Linear => (weight / peak).min(1.0),
            Self::Log => (1.0 + (weight / peak).log10() / LOG_DECADES).clamp(0.0, 1.0),
        }
    }
}

/// Powers of ten that the logarithmic scale spans.
pub const LOG_DECADES: f32 = 4.0;

/// For dark or light paper.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Theme {
    /// Dark on white.
    #[default]
    Light,
    /// Light on near-black.
    Dark,
}

impl Theme {
    /// Colours of paper, ink and lesser ink.
    pub(crate) const fn colors(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Light => ("#ffffff", "#1a1a18", "#6b6a65"),
            Self::Dark => ("#16171a", "#e9e8e4", "#a09f99"),
        }
    }

    /// How words are marked, which is how the page marks them (`web/src/styles/base.css`).
    pub(crate) const fn marks(self) -> Marks {
        let (given, received, most) = match self {
            Self::Light => ("#2f6fd6", "#d9791a", 0.75),
            Self::Dark => ("#5b95f5", "#e8923a", 0.52),
        };
        Marks {
            given,
            received,
            most,
        }
    }
}

/// Colours behind words: blue and orange, which colour-blind people tell apart.
pub(crate) struct Marks {
    /// Of what a word gives.
    pub(crate) given: &'static str,
    /// Of what it receives.
    pub(crate) received: &'static str,
    /// How opaque the largest share is: letters on it keep a contrast of 4.5.
    most: f32,
}

impl Marks {
    /// How opaque a share is that is this part of the largest. It grows with the square root, so that small shares show.
    pub(crate) fn opacity(&self, part: f32) -> f32 {
        self.most * part.max(0.0).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_marked_as_on_the_page() {
        let page = include_str!("../../assets/page/app.css").replace(": ", ":");
        let (light, dark) = page.split_once("prefers-color-scheme:dark").unwrap();
        for (theme, css) in [(Theme::Light, light), (Theme::Dark, dark)] {
            let Marks {
                given,
                received,
                most,
            } = theme.marks();
            for variable in [
                format!("--given:{given}"),
                format!("--received:{received}"),
                format!("--most:{:.0}%", 100.0 * most),
            ] {
                assert!(css.contains(&variable), "{theme:?}: {variable}");
            }
        }
    }
}
