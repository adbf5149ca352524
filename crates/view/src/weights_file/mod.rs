//! The attention weights of many heads as one file: npy or Parquet, written piece by piece.
//!
//! The weights of all heads are L·H·N·M numbers, which are never in memory together: a piece of some rows of one head
//! is computed from the trace, written and forgotten. [`WeightsFile::size`] says what the file takes before anything
//! is computed.
//!
//! - **npy**: float32, \[layers, heads, N, M\] where all heads of layers alike are written, else \[heads, N, M\];
//!   axes are query, then key.
//! - **Parquet**: a row a weight: `layer`, `head`, `query`, `key` (INT32) and `weight` (FLOAT). Weights of exactly 0,
//!   as masked keys have, are left out.
//!
//! ```
//! use std::ops::ControlFlow;
//! use lookback_view::weights_file::{Form, WeightsFile};
//!
//! let trace = lookback_heads::example::Example::default().trace();
//! let file = WeightsFile::new(&trace, &[], Form::Npy)?;
//! let mut bytes = Vec::new();
//! file.write(&mut bytes, &mut |_done, _total| ControlFlow::Continue(()))?;
//! assert_eq!(bytes.len() as u64, file.size());
//! # Ok::<(), lookback_view::weights_file::Error>(())
//! ```

mod error;
mod form;
mod npy;
mod parquet;
mod pieces;

use std::io::Write;

use lookback_heads::head;
use lookback_trace::{HeadId, Trace};

pub use error::Error;
pub use form::Form;
pub use pieces::Progress;

/// A file of weights that is to be written.
#[derive(Debug)]
pub struct WeightsFile<'a> {
    trace: &'a Trace,
    heads: Vec<HeadId>,
    /// Whether they are all heads of the trace.
    all: bool,
    form: Form,
}

impl<'a> WeightsFile<'a> {
    /// The weights of these heads of a trace in their order, or of all where none are named.
    ///
    /// # Errors
    /// [`Error::Heads`] where the trace has no such head.
    pub fn new(trace: &'a Trace, heads: &[HeadId], form: Form) -> Result<Self, Error> {
        for &one in heads {
            head::check_in(one, trace)?;
        }
        let all = heads.is_empty();
        let heads = match all {
            true => trace.heads().collect(),
            false => heads.to_vec(),
        };
        Ok(Self {
            trace,
            heads,
            all,
            form,
        })
    }

    /// How many heads it holds.
    #[must_use]
    pub fn heads(&self) -> usize {
        self.heads.len()
    }

    /// Bytes that the file takes: exactly for npy, at most for Parquet.
    #[must_use]
    pub fn size(&self) -> u64 {
        let (n, m) = (self.trace.n() as u64, self.trace.m() as u64);
        let weights = (self.heads.len() as u64).saturating_mul(n.saturating_mul(m));
        match self.form {
            Form::Npy => npy::size(weights, &self.shape()),
            Form::Parquet => parquet::most_bytes(weights, n.max(m)),
        }
    }

    /// The lengths of an npy array's axes.
    fn shape(&self) -> Vec<usize> {
        let (n, m) = (self.trace.n(), self.trace.m());
        let layers = self.trace.layer_ids();
        let heads = self.trace.head_count(layers[0]);
        let alike = layers
            .iter()
            .all(|&layer| self.trace.head_count(layer) == heads);
        match self.all && alike {
            true => vec![layers.len(), heads, n, m],
            false => vec![self.heads.len(), n, m],
        }
    }

    /// Writes it.
    ///
    /// # Errors
    /// [`Error::Trace`] where the trace's numbers turn out to be damaged, [`Error::Write`], [`Error::Cancelled`].
    pub fn write(
        &self,
        out: &mut (impl Write + Send),
        progress: Progress<'_>,
    ) -> Result<(), Error> {
        match self.form {
            Form::Npy => npy::write(self.trace, &self.heads, &self.shape(), out, progress),
            Form::Parquet => parquet::write(self.trace, &self.heads, out, progress),
        }
    }
}
