//! Colours of cells, and the bar that says which is which.

use super::canvas::Canvas;

/// Steps of colour, and of a scale bar.
pub(super) const SHADES: usize = 256;

/// Which colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shades {
    /// From nothing to the most: dark blue to yellow.
    Viridis,
    /// From negative to positive: red over white to blue.
    RedBlue,
}

impl Shades {
    /// The colour of a step, as `#rrggbb`.
    pub(super) fn color(self, shade: usize) -> String {
        let gradient = match self {
            Self::Viridis => colorous::VIRIDIS,
            Self::RedBlue => colorous::RED_BLUE,
        };
        let color = gradient.eval_continuous(shade as f64 / (SHADES - 1) as f64);
        format!("#{color:x}")
    }
}

/// Draws all shades from left to right, in \[x, y, width, height\].
pub(super) fn bar(canvas: &mut Canvas, shades: Shades, [left, top, length, height]: [f32; 4]) {
    let step = length / SHADES as f32;
    for shade in 0..SHADES {
        let x = left + shade as f32 * step;
        let fill = shades.color(shade);
        canvas.raw(format_args!(
            r#"<rect x="{x:.2}" y="{top:.1}" width="{:.2}" height="{height}" fill="{fill}" shape-rendering="crispEdges"/>"#,
            step + 0.2
        ));
    }
}

/// A number in few digits.
pub(super) fn number(value: f32) -> String {
    match value {
        0.0 => "0".to_owned(),
        value if value < 0.0 => format!("−{}", number(-value)),
        value if value < 0.001 => format!("{value:.0e}"),
        value if value >= 100.0 => format!("{value:.0}"),
        value => {
            let text = if value < 10.0 {
                format!("{value:.3}")
            } else {
                format!("{value:.1}")
            };
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
    }
}

/// A part of a whole in few digits: `12.5%`, `0.04%`, `1e-5%`.
pub(super) fn percent(part: f32) -> String {
    format!("{}%", number(100.0 * part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            [0.0, 0.5, 0.125, 0.9999, 0.0004, -0.5, 12.34, 512.0].map(number),
            ["0", "0.5", "0.125", "1", "4e-4", "−0.5", "12.3", "512"]
        );
    }

    #[test]
    fn parts_are_percent() {
        assert_eq!(
            [0.0, 0.125, 1.0, 0.0004, 1e-7, -0.05].map(percent),
            ["0%", "12.5%", "100%", "0.04%", "1e-5%", "−5%"]
        );
    }

    #[test]
    fn shades_go_from_one_end_of_viridis_to_the_other() {
        assert_eq!(Shades::Viridis.color(0), "#440154");
        assert_eq!(Shades::Viridis.color(SHADES - 1), "#fde725");
    }
}
