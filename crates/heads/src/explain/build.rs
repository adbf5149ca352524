//! Small makers of an explanation's parts.

use ndarray::ArrayView2;

use super::explanation::{Check, Column, Excerpt, Shapes, Step};

/// How much of the largest value a computation in f32 may be off, and absolutely where values are below 1.
const ALLOWED: f64 = 2e-4;

/// A step without any of its parts.
pub(super) fn step(id: &'static str, name: &str, formula: &str) -> Step {
    Step {
        id,
        name: name.to_owned(),
        formula: formula.to_owned(),
        shapes: Vec::new(),
        says: Vec::new(),
        departs: None,
        matrices: Vec::new(),
        row: Vec::new(),
        checks: Vec::new(),
    }
}

/// The product of an a×b with a b×c matrix, in letters and numbers.
pub(super) fn product(letters: &str, [a, b, c]: [usize; 3]) -> Shapes {
    Shapes {
        letters: letters.to_owned(),
        numbers: format!("{a}×{b} · {b}×{c} = {a}×{c}"),
    }
}

/// Any other operation.
pub(super) fn shapes(letters: &str, numbers: String) -> Shapes {
    Shapes {
        letters: letters.to_owned(),
        numbers,
    }
}

/// Which entries an excerpt shows, and what its rows and columns are called.
pub(super) struct Cut<'a> {
    pub(super) rows: &'a [usize],
    pub(super) columns: &'a [usize],
    /// Names of all rows; empty where they have only numbers.
    pub(super) row_names: &'a [String],
    /// Names of all columns; empty where they have only numbers.
    pub(super) column_names: &'a [String],
}

/// The entries of `matrix` at the cut's rows and columns.
pub(super) fn excerpt(
    symbol: &str,
    meaning: &str,
    matrix: ArrayView2<f64>,
    cut: &Cut<'_>,
) -> Excerpt {
    let name =
        |names: &[String], at: usize| names.get(at).cloned().unwrap_or_else(|| at.to_string());
    let row = |&i: &usize| {
        cut.columns
            .iter()
            .map(|&j| visible(matrix[[i, j]]))
            .collect()
    };
    Excerpt {
        symbol: symbol.to_owned(),
        meaning: meaning.to_owned(),
        shape: [matrix.nrows(), matrix.ncols()],
        rows: cut.rows.to_vec(),
        row_labels: cut.rows.iter().map(|&i| name(cut.row_names, i)).collect(),
        columns: cut.columns.to_vec(),
        column_labels: cut
            .columns
            .iter()
            .map(|&j| name(cut.column_names, j))
            .collect(),
        values: cut.rows.iter().map(row).collect(),
    }
}

/// One value a token.
pub(super) fn column(
    id: &'static str,
    name: &str,
    values: impl IntoIterator<Item = f64>,
) -> Column {
    Column {
        id,
        name: name.to_owned(),
        values: values.into_iter().map(visible).collect(),
    }
}

/// −∞ becomes none: JSON has no infinities.
fn visible(value: f64) -> Option<f64> {
    (value != f64::NEG_INFINITY).then_some(value)
}

/// Compares pairs of (model, reference). Equal infinities agree; any other difference that is no number does not.
pub(super) fn check(what: &str, pairs: impl IntoIterator<Item = (f64, f64)>) -> Check {
    let (mut compared, mut largest_difference, mut largest_value) = (0, 0.0_f64, 0.0_f64);
    for (model, exact) in pairs {
        compared += 1;
        let difference = if model == exact {
            0.0
        } else {
            (model - exact).abs()
        };
        if difference.is_nan() || difference > largest_difference {
            largest_difference = if difference.is_nan() {
                f64::INFINITY
            } else {
                difference
            };
        }
        if exact.is_finite() {
            largest_value = largest_value.max(exact.abs());
        }
    }
    let allowed = ALLOWED * largest_value.max(1.0);
    Check {
        what: what.to_owned(),
        compared,
        largest_difference,
        largest_value,
        allowed,
        agrees: largest_difference <= allowed,
    }
}

/// Compares two matrices of one shape, the model's first.
pub(super) fn check_matrix(what: &str, model: ArrayView2<f32>, exact: ArrayView2<f64>) -> Check {
    debug_assert_eq!(model.dim(), exact.dim());
    check(
        what,
        model
            .iter()
            .map(|&m| f64::from(m))
            .zip(exact.iter().copied()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_sees_what_is_wrong() {
        let close = check(
            "x",
            [
                (1.0, 1.0 + 1e-5),
                (-300.0, -300.01),
                (f64::NEG_INFINITY, f64::NEG_INFINITY),
            ],
        );
        assert!(close.agrees && close.compared == 3);
        assert!((close.largest_difference - 0.01).abs() < 1e-9 && close.largest_value == 300.01);
        for pair in [
            (f64::NAN, 1.0),
            (1.0, f64::NAN),
            (f64::INFINITY, 1.0),
            (0.0, f64::NEG_INFINITY),
            (1.0, 1.001),
        ] {
            assert!(
                !check("x", [(1.0, 1.0), pair, (2.0, 2.0)]).agrees,
                "{pair:?}"
            );
        }
    }
}
