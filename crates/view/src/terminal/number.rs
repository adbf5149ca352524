//! Numbers as they are shown.

/// `18.1%`; what is more than nothing but less than the last digit shows is `<0.1%`.
#[must_use]
pub fn percent(part: f64) -> String {
    if part > 0.0 && part < 0.0005 {
        return "<0.1%".to_owned();
    }
    // Adding 0 turns −0 into 0.
    format!("{:.1}%", 100.0 * part + 0.0)
}

/// A change of a part: `0.012 percentage points`.
#[must_use]
pub fn points(change: f64) -> String {
    let points = 100.0 * change;
    if points > 0.0 && points < 1e-4 {
        return format!("{points:.1e} percentage points");
    }
    // Two digits of small ones, and no zeros behind.
    let decimals = if points < 0.1 { 4 } else { 2 };
    let digits = format!("{points:.decimals$}");
    let digits = digits.trim_end_matches('0').trim_end_matches('.');
    format!("{digits} percentage points")
}

/// How the numbers of one matrix or column are shown: all with as many decimals, so that they can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// With this many decimals.
    Fixed(usize),
    /// As 1.2e-5: all are far from 1.
    Powers,
}

impl Format {
    /// What suits these: about four digits of the largest.
    pub(super) fn of(values: impl IntoIterator<Item = Option<f64>>) -> Self {
        let largest = values
            .into_iter()
            .flatten()
            .filter(|v| v.is_finite())
            .fold(0.0_f64, |largest, v| largest.max(v.abs()));
        match largest {
            0.0 => Self::Fixed(3),
            l if l < 1e-3 => Self::Powers,
            l if l < 0.1 => Self::Fixed(4),
            l if l < 10.0 => Self::Fixed(3),
            l if l < 100.0 => Self::Fixed(2),
            l if l < 1e5 => Self::Fixed(1),
            _ => Self::Powers,
        }
    }

    /// One number; none is −∞.
    pub(super) fn show(self, value: Option<f64>) -> String {
        match (value, self) {
            (None, _) => "−∞".to_owned(),
            (Some(v), Self::Fixed(decimals)) => without_minus_zero(format!("{v:.decimals$}")),
            (Some(v), Self::Powers) => format!("{v:.2e}"),
        }
    }
}

/// A difference: `1.2e-6`, `0`.
pub(super) fn difference(value: f64) -> String {
    if value == 0.0 {
        "0".to_owned()
    } else {
        format!("{value:.1e}")
    }
}

/// `one` or `more`, as the count asks.
pub(super) fn plural<'a>(count: usize, one: &'a str, more: &'a str) -> &'a str {
    if count == 1 { one } else { more }
}

/// A difference of two parts, or a change of one: `+5.6%`.
pub(super) fn signed_percent(difference: f64) -> String {
    format!("{:+.1}%", 100.0 * difference)
}

/// `1 template`, `12 templates`.
pub(super) fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

fn without_minus_zero(shown: String) -> String {
    match shown.strip_prefix('-') {
        Some(rest) if rest.bytes().all(|b| matches!(b, b'0' | b'.')) => rest.to_owned(),
        _ => shown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_one_matrix_have_the_same_decimals() {
        let format = Format::of([Some(12.345), Some(-0.001), None]);
        let shown = [Some(12.345), Some(-0.001), None, Some(f64::NAN)].map(|v| format.show(v));
        assert_eq!(shown, ["12.35", "0.00", "−∞", "NaN"]);
        assert_eq!(Format::of([Some(2e-5)]).show(Some(-2e-5)), "-2.00e-5");
        assert_eq!(Format::of([]), Format::Fixed(3));
    }

    #[test]
    fn one_thing_is_not_several() {
        assert_eq!(
            [0, 1, 2].map(|n| count(n, "head")),
            ["0 heads", "1 head", "2 heads"]
        );
    }

    #[test]
    fn changes_of_parts_are_points() {
        let shown = [0.0, 1.234e-4, 0.5e-7, 0.0125].map(points);
        let shown = shown.map(|text| text.replace(" percentage points", ""));
        assert_eq!(shown, ["0", "0.0123", "5.0e-6", "1.25"]);
    }

    #[test]
    fn parts_are_percent() {
        let shown = [0.0, -0.0, 1e-6, 0.1814, 1.0].map(percent);
        assert_eq!(shown, ["0.0%", "0.0%", "<0.1%", "18.1%", "100.0%"]);
    }
}
