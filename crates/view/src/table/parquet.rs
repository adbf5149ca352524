//! Parquet.

use std::io::Write;
use std::sync::Arc;

use parquet::basic::{LogicalType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{Type, TypePtr};

use super::columns::{Column, Table, Values};

/// Writes one row group: texts as UTF-8 strings, whole numbers as INT64, numbers as DOUBLE that may be null.
pub(super) fn write(table: &Table, out: &mut (impl Write + Send)) -> Result<(), ParquetError> {
    let fields = table
        .columns()
        .iter()
        .map(field)
        .collect::<Result<_, _>>()?;
    let schema = Type::group_type_builder("table")
        .with_fields(fields)
        .build()?;
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(out, Arc::new(schema), properties)?;
    let mut group = writer.next_row_group()?;
    for column in table.columns() {
        let Some(mut to) = group.next_column()? else {
            break;
        };
        match column.values() {
            Values::Text(values) => {
                let bytes: Vec<ByteArray> = values.iter().map(|v| (&**v).into()).collect();
                to.typed::<ByteArrayType>()
                    .write_batch(&bytes, None, None)?;
            }
            Values::Integer(values) => {
                to.typed::<Int64Type>().write_batch(values, None, None)?;
            }
            Values::Real(values) => {
                let there: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
                let levels: Vec<i16> = values.iter().map(|v| i16::from(!v.is_nan())).collect();
                to.typed::<DoubleType>()
                    .write_batch(&there, Some(&levels), None)?;
            }
        }
        to.close()?;
    }
    group.close()?;
    writer.close()?;
    Ok(())
}

fn field(column: &Column) -> Result<TypePtr, ParquetError> {
    let (physical, repetition) = match column.values() {
        Values::Text(_) => (Physical::BYTE_ARRAY, Repetition::REQUIRED),
        Values::Integer(_) => (Physical::INT64, Repetition::REQUIRED),
        Values::Real(_) => (Physical::DOUBLE, Repetition::OPTIONAL),
    };
    let text = matches!(column.values(), Values::Text(_)).then_some(LogicalType::String);
    let built = Type::primitive_type_builder(column.name(), physical)
        .with_repetition(repetition)
        .with_logical_type(text)
        .build()?;
    Ok(Arc::new(built))
}

#[cfg(test)]
mod tests {
    use parquet::file::reader::{FileReader, SerializedFileReader};

    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        let mut table = Table::new();
        table.text("name", ["é, \"x\"".to_owned(), String::new()]);
        table.integer("n", [7, 8]);
        table.real("x", [f64::NAN, 0.25]);
        let file = tempfile::NamedTempFile::new().unwrap();
        write(&table, &mut file.reopen().unwrap()).unwrap();
        let reader = SerializedFileReader::new(file.reopen().unwrap()).unwrap();
        let rows: Vec<String> = reader
            .get_row_iter(None)
            .unwrap()
            .map(|row| row.unwrap().to_string())
            .collect();
        assert_eq!(
            rows,
            [
                r#"{name: "é, "x"", n: 7, x: null}"#,
                r#"{name: "", n: 8, x: 0.25}"#
            ]
        );
    }
}
