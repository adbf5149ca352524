//! Bars of block characters.

/// An eighth to seven eighths of a column.
const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/// A bar of `part`·`columns` columns, to an eighth of one, without the space that it leaves free. What is more than
/// nothing shows at least an eighth; NaN shows nothing.
pub(super) fn bar(part: f64, columns: usize) -> String {
    let whole = 8.0 * columns as f64;
    let mut eighths = (part * whole).clamp(0.0, whole).round() as usize;
    if part > 0.0 && columns > 0 {
        eighths = eighths.max(1);
    }
    let mut bar = "█".repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        bar.push(EIGHTHS[eighths % 8]);
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_part() {
        let cases = [
            (0.0, ""),
            (1e-9, "▏"),
            (0.5, "██"),
            (0.53, "██▏"),
            (1.0, "████"),
            (7.0, "████"),
            (-1.0, ""),
            (f64::NAN, ""),
        ];
        for (part, drawn) in cases {
            assert_eq!(bar(part, 4), drawn, "{part}");
        }
        assert_eq!(bar(1.0, 0), "");
    }
}
