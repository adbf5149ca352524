//! A table in memory.

use std::cmp::Ordering;
use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// A table: named columns of as many rows each.
///
/// ```
/// use lookback_view::table::Table;
/// let mut table = Table::new();
/// table.text("head", ["L0H0", "L0H1"].map(String::from));
/// table.real("entropy", [1.5, f64::NAN]);
/// let mut csv = Vec::new();
/// table.write_csv(&mut csv)?;
/// assert_eq!(csv, b"head,entropy\nL0H0,1.5\nL0H1,\n");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    columns: Vec<Column>,
}

/// One column.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    name: String,
    values: Values,
}

/// The values of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Texts; rows with the same text may share it.
    Text(Vec<Arc<str>>),
    /// Whole numbers.
    Integer(Vec<i64>),
    /// Numbers; NaN stands for none.
    Real(Vec<f64>),
}

impl Column {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its values.
    #[must_use]
    pub fn values(&self) -> &Values {
        &self.values
    }
}

impl Values {
    fn len(&self) -> usize {
        match self {
            Self::Text(values) => values.len(),
            Self::Integer(values) => values.len(),
            Self::Real(values) => values.len(),
        }
    }

    fn compare(&self, a: usize, b: usize) -> Ordering {
        match self {
            Self::Text(values) => values[a].cmp(&values[b]),
            Self::Integer(values) => values[b].cmp(&values[a]),
            Self::Real(values) => match (values[a].is_nan(), values[b].is_nan()) {
                (false, false) => values[b].total_cmp(&values[a]),
                (a, b) => a.cmp(&b),
            },
        }
    }

    fn select(&self, rows: &[usize]) -> Self {
        match self {
            Self::Text(values) => Self::Text(rows.iter().map(|&r| values[r].clone()).collect()),
            Self::Integer(values) => Self::Integer(rows.iter().map(|&r| values[r]).collect()),
            Self::Real(values) => Self::Real(rows.iter().map(|&r| values[r]).collect()),
        }
    }
}

impl Table {
    /// A table without columns.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a column of texts.
    ///
    /// # Panics
    /// Where it is not as long as the others; so do the next two.
    pub fn text(&mut self, name: &str, values: impl IntoIterator<Item = impl Into<Arc<str>>>) {
        let values = values.into_iter().map(Into::into);
        self.push(name, Values::Text(values.collect()));
    }

    /// Adds a column of whole numbers.
    pub fn integer(&mut self, name: &str, values: impl IntoIterator<Item = usize>) {
        let values = values.into_iter();
        let whole = values.map(|value| i64::try_from(value).unwrap_or(i64::MAX));
        self.push(name, Values::Integer(whole.collect()));
    }

    /// Adds a column of numbers; NaN stands for none.
    pub fn real(&mut self, name: &str, values: impl IntoIterator<Item = f64>) {
        self.push(name, Values::Real(values.into_iter().collect()));
    }

    fn push(&mut self, name: &str, values: Values) {
        let fits = self.columns.is_empty() || values.len() == self.rows();
        assert!(
            fits,
            "column {name} has {} rows of {}",
            values.len(),
            self.rows()
        );
        self.columns.push(Column {
            name: name.to_owned(),
            values,
        });
    }

    /// The columns, in order.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// How many rows it has.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, |column| column.values.len())
    }

    /// The same with the rows sorted by a column: numbers from the greatest, texts from A, rows without a number last,
    /// equals in their order. None where there is no such column.
    #[must_use]
    pub fn sorted_by(&self, name: &str) -> Option<Self> {
        let by = self.columns.iter().find(|column| column.name == name)?;
        let mut rows: Vec<usize> = (0..self.rows()).collect();
        rows.sort_by(|&a, &b| by.values.compare(a, b));
        Some(self.select(&rows))
    }

    /// The first rows.
    #[must_use]
    pub fn head(&self, count: usize) -> Self {
        let rows: Vec<usize> = (0..self.rows().min(count)).collect();
        self.select(&rows)
    }

    /// The columns of these names, in this order; those that it has not are left out.
    #[must_use]
    pub fn of_columns(&self, names: &[&str]) -> Self {
        let find = |name: &&str| self.columns.iter().find(|column| column.name == *name);
        Self {
            columns: names.iter().filter_map(find).cloned().collect(),
        }
    }

    fn select(&self, rows: &[usize]) -> Self {
        let columns = self.columns.iter().map(|column| Column {
            name: column.name.clone(),
            values: column.values.select(rows),
        });
        Self {
            columns: columns.collect(),
        }
    }
}

/// A list of objects, one a row; a number that is none is null.
impl Serialize for Table {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((0..self.rows()).map(|row| Row(self, row)))
    }
}

struct Row<'a>(&'a Table, usize);

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Row(table, row) = self;
        let mut map = serializer.serialize_map(Some(table.columns.len()))?;
        for column in &table.columns {
            match &column.values {
                Values::Text(values) => map.serialize_entry(&column.name, &*values[*row])?,
                Values::Integer(values) => map.serialize_entry(&column.name, &values[*row])?,
                Values::Real(values) => map.serialize_entry(&column.name, &values[*row])?,
            }
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_sort_by_any_column() {
        let mut table = Table::new();
        table.text("name", ["b", "c", "a"].map(String::from));
        table.real("x", [f64::NAN, -1.0, 2.0]);
        table.integer("n", [1, 3, 2]);
        let names = |table: Table| match table.columns[0].values.clone() {
            Values::Text(names) => names.concat(),
            _ => unreachable!(),
        };
        assert_eq!(names(table.sorted_by("name").unwrap()), "abc");
        assert_eq!(names(table.sorted_by("x").unwrap()), "acb");
        assert_eq!(names(table.sorted_by("n").unwrap().head(2)), "ca");
        assert!(table.sorted_by("y").is_none());
        let order = table.of_columns(&["n", "y", "name"]);
        let names: Vec<&str> = order.columns().iter().map(Column::name).collect();
        assert_eq!(names, ["n", "name"]);
    }

    #[test]
    fn json_is_one_object_a_row() {
        let mut table = Table::new();
        table.integer("n", [1]);
        table.real("x", [f64::NAN]);
        assert_eq!(
            serde_json::to_string(&table).unwrap(),
            r#"[{"n":1,"x":null}]"#
        );
    }
}
