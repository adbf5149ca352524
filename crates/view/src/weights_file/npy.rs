//! Weights as one npy array.

use std::io::Write;

use lookback_trace::{HeadId, Trace};

use super::error::Error;
use super::pieces::{self, Progress};
use crate::npy::header;

const F32: &str = "<f4";

/// Bytes of a file of so many weights.
pub(super) fn size(weights: u64, shape: &[usize]) -> u64 {
    weights
        .saturating_mul(size_of::<f32>() as u64)
        .saturating_add(header(F32, shape).len() as u64)
}

/// Writes the header and each head's weights.
pub(super) fn write(
    trace: &Trace,
    heads: &[HeadId],
    shape: &[usize],
    out: &mut impl Write,
    progress: Progress<'_>,
) -> Result<(), Error> {
    out.write_all(&header(F32, shape))?;
    let mut bytes = Vec::new();
    pieces::each(trace, heads, progress, |piece| {
        bytes.clear();
        bytes.extend(piece.weights.iter().flat_map(|weight| weight.to_le_bytes()));
        Ok(out.write_all(&bytes)?)
    })
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use lookback_heads::example::Example;

    use super::super::{Form, WeightsFile};
    use super::*;

    fn written(trace: &Trace, heads: &[HeadId]) -> (String, Vec<f32>) {
        let file = WeightsFile::new(trace, heads, Form::Npy).unwrap();
        let mut bytes = Vec::new();
        file.write(&mut bytes, &mut |_, _| ControlFlow::Continue(()))
            .unwrap();
        assert_eq!(bytes.len() as u64, file.size());
        let start = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
        let numbers = bytes[start..].chunks_exact(4);
        let numbers = numbers.map(|four| f32::from_le_bytes(four.try_into().unwrap()));
        let header = String::from_utf8_lossy(&bytes[..start]).into_owned();
        (header, numbers.collect())
    }

    #[test]
    fn an_array_holds_every_weight_in_its_place() {
        let trace = Example::default().trace();
        let (layers, heads, n) = (trace.layer_count(), trace.head_count(0), trace.n());
        let (header, numbers) = written(&trace, &[]);
        assert!(header.contains(&format!("'shape': ({layers}, {heads}, {n}, {n})")));
        for layer in 0..layers {
            for head in 0..heads {
                for query in 0..n {
                    let start = ((layer * heads + head) * n + query) * n;
                    let row = trace.row(layer, head, query).unwrap();
                    assert_eq!(numbers[start..start + n], *row.as_slice().unwrap());
                }
            }
        }
    }

    #[test]
    fn chosen_heads_stand_in_the_order_asked_for() {
        let trace = Example::default().trace();
        let n = trace.n();
        let chosen = [(2, 1), (0, 1)].map(|(layer, head)| HeadId { layer, head });
        let (header, numbers) = written(&trace, &chosen);
        assert!(header.contains(&format!("'shape': (2, {n}, {n})")));
        let row = trace.row(0, 1, n - 1).unwrap();
        assert_eq!(numbers[(2 * n - 1) * n..], *row.as_slice().unwrap());
    }

    #[test]
    fn work_can_be_broken_off() {
        let trace = Example::default().trace();
        let file = WeightsFile::new(&trace, &[], Form::Npy).unwrap();
        let stop = file.write(&mut Vec::new(), &mut |done, _| match done {
            0..2 => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        });
        assert!(matches!(stop, Err(Error::Cancelled)));
    }
}
