//! Weights as a Parquet table, a row a weight.

use std::io::{self, Write};
use std::sync::Arc;

use lookback_trace::{HeadId, Trace};
use parquet::basic::{Repetition, Type as Physical};
use parquet::data_type::{FloatType, Int32Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnPath, Type, TypePtr};

use super::error::Error;
use super::pieces::{self, Piece, Progress};

const WHOLE: [&str; 4] = ["layer", "head", "query", "key"];
const WEIGHT: &str = "weight";

/// Bytes that so many weights of a text of `n` tokens take at most: a weight in 4 bytes, the key and the query in as
/// many bits as their numbers need, and a part for headers.
pub(super) fn most_bytes(weights: u64, n: u64) -> u64 {
    let bits = u64::from(u64::BITS - n.leading_zeros());
    let indices = weights.saturating_mul(2 * bits).div_ceil(8);
    let weights = weights.saturating_mul(size_of::<f32>() as u64);
    let all = weights.saturating_add(indices);
    all.saturating_add(all / 50).saturating_add(1 << 16)
}

/// Writes one row group a piece.
pub(super) fn write(
    trace: &Trace,
    heads: &[HeadId],
    out: &mut (impl Write + Send),
    progress: Progress<'_>,
) -> Result<(), Error> {
    let properties = WriterProperties::builder()
        // Hardly any weight occurs twice.
        .set_column_dictionary_enabled(ColumnPath::from(WEIGHT), false)
        .build();
    let schema = schema().map_err(of_parquet)?;
    let mut writer =
        SerializedFileWriter::new(out, schema, Arc::new(properties)).map_err(of_parquet)?;
    pieces::each(trace, heads, progress, |piece| {
        write_group(&mut writer, &Rows::of(&piece)).map_err(of_parquet)
    })?;
    writer.close().map_err(of_parquet)?;
    Ok(())
}

/// What the file system said, where it is that.
fn of_parquet(error: ParquetError) -> Error {
    match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(source) => Error::Write(*source),
            Err(source) => Error::Write(io::Error::other(source)),
        },
        error => Error::Write(io::Error::other(error)),
    }
}

fn schema() -> Result<TypePtr, ParquetError> {
    let column = |name: &str, physical| {
        let built = Type::primitive_type_builder(name, physical)
            .with_repetition(Repetition::REQUIRED)
            .build()?;
        Ok::<TypePtr, ParquetError>(Arc::new(built))
    };
    let whole = WHOLE.iter().map(|name| column(name, Physical::INT32));
    let fields = whole.chain([column(WEIGHT, Physical::FLOAT)]);
    let schema = Type::group_type_builder("weights")
        .with_fields(fields.collect::<Result<_, _>>()?)
        .build()?;
    Ok(Arc::new(schema))
}

/// The rows of one piece: those whose weight is not 0.
struct Rows {
    /// Layer, head, query and key.
    whole: [Vec<i32>; 4],
    weights: Vec<f32>,
}

impl Rows {
    fn of(piece: &Piece) -> Self {
        let mut rows = Self {
            whole: Default::default(),
            weights: Vec::new(),
        };
        for (row, query) in piece.weights.outer_iter().zip(piece.rows.clone()) {
            for (key, &weight) in row.iter().enumerate() {
                if weight != 0.0 {
                    rows.whole[2].push(query as i32);
                    rows.whole[3].push(key as i32);
                    rows.weights.push(weight);
                }
            }
        }
        rows.whole[0] = vec![piece.head.layer as i32; rows.weights.len()];
        rows.whole[1] = vec![piece.head.head as i32; rows.weights.len()];
        rows
    }
}

fn write_group<W: Write + Send>(
    writer: &mut SerializedFileWriter<W>,
    rows: &Rows,
) -> Result<(), ParquetError> {
    let mut group = writer.next_row_group()?;
    for values in &rows.whole {
        if let Some(mut to) = group.next_column()? {
            to.typed::<Int32Type>().write_batch(values, None, None)?;
            to.close()?;
        }
    }
    if let Some(mut to) = group.next_column()? {
        to.typed::<FloatType>()
            .write_batch(&rows.weights, None, None)?;
        to.close()?;
    }
    group.close()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use lookback_heads::example::Example;
    use parquet::file::reader::{FileReader as _, SerializedFileReader};
    use parquet::record::RowAccessor as _;

    use super::super::{Form, WeightsFile};

    #[test]
    fn every_weight_that_is_not_0_has_a_row() {
        let trace = Example::default().trace();
        let weights = WeightsFile::new(&trace, &[], Form::Parquet).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        weights
            .write(&mut file.reopen().unwrap(), &mut |_, _| {
                ControlFlow::Continue(())
            })
            .unwrap();
        assert!(file.as_file().metadata().unwrap().len() <= weights.size());
        let reader = SerializedFileReader::new(file.reopen().unwrap()).unwrap();
        let mut rows = 0;
        for row in reader.get_row_iter(None).unwrap() {
            let row = row.unwrap();
            let place = |column| usize::try_from(row.get_int(column).unwrap()).unwrap();
            let of_query = trace.row(place(0), place(1), place(2)).unwrap();
            assert_eq!(row.get_float(4).unwrap(), of_query[place(3)]);
            rows += 1;
        }
        let (heads, n) = (weights.heads(), trace.n());
        // Causal: a query sees itself and what is before it.
        assert_eq!(rows, heads * n * (n + 1) / 2);
    }

    /// What is said of the size before it is written holds for a longer text too.
    #[test]
    fn the_size_is_a_bound() {
        for (words, heads) in [(3, 1), (200, 2)] {
            let trace = Example {
                text: "word ".repeat(words),
                layers: 1,
                heads,
                ..Example::default()
            }
            .trace();
            let weights = WeightsFile::new(&trace, &[], Form::Parquet).unwrap();
            let mut bytes = Vec::new();
            weights
                .write(&mut bytes, &mut |_, _| ControlFlow::Continue(()))
                .unwrap();
            assert!(bytes.len() as u64 <= weights.size(), "{}", bytes.len());
        }
    }
}
