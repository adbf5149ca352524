//! Writing a trace to a file.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;

use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};
use half::{bf16, f16};
use ndarray::{Array2, ArrayView1};

use crate::atomic_write::write_atomic;
use crate::container::{Entry, header};
use crate::metadata;
use crate::rounding::round_all;
use crate::shapes::LayerShape;
use crate::tensor::Tensor;
use crate::{Dtype, Error, Meta, Trace, Version};

/// How a trace is saved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SaveOptions {
    /// How queries and keys, and values where they are saved, are stored.
    pub qk_dtype: Dtype,
    /// Whether values are saved too; [`Trace::values_bytes`] says what that costs. Weights do not need them.
    pub values: bool,
}

/// How far saving is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaveProgress {
    /// Queries and keys are rounded to 16 bits, and what that does to the weights is computed.
    Rounding {
        /// Layers done.
        done: usize,
        /// Of so many.
        layers: usize,
    },
    /// The file is written.
    Writing {
        /// Bytes written.
        done: u64,
        /// Of so many.
        total: u64,
    },
}

/// What saving a trace came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Saved {
    /// Size of the file.
    pub bytes: u64,
    /// How much of it the values take.
    pub values_bytes: u64,
    /// The largest change of any weight by rounding to 16 bits, now or when the trace was first saved; none where
    /// nothing was rounded.
    pub qk_rounding_max_weight_change: Option<f32>,
}

impl Trace {
    /// Saves the trace as one file, which `docs/trace-format.md` of the project describes, of the first version of the format that
    /// can hold it.
    ///
    /// The file is written beside its place and renamed, so that `path` is never half-written. The same trace and options
    /// give the same bytes.
    ///
    /// With [`Dtype::F16`] or [`Dtype::Bf16`], queries and keys take half the room. Each row's LSE is computed again from the rounded
    /// numbers, so that rows still sum to 1, and the largest change of a weight is stored and returned. This takes
    /// one computation of every weight, less time than the forward pass of attention alone, and a layer's operands in memory.
    ///
    /// # Errors
    /// [`Error::Write`]; [`Error::NoValues`]; [`Error::BadNumber`] where queries, keys or values are not finite;
    /// [`Error::TooLargeFor`] and [`Error::ScoresTooLargeFor`].
    pub fn save(&self, path: impl AsRef<Path>, options: &SaveOptions) -> Result<Saved, Error> {
        self.save_with(path, options, &mut |_| ControlFlow::Continue(()))
    }

    /// What [`Trace::save`] writes, for whoever writes it elsewhere than into a file of its own.
    ///
    /// # Errors
    /// As [`Trace::save`].
    pub fn file(&self, options: &SaveOptions) -> Result<TraceFile<'_>, Error> {
        match TraceFile::new(self, options, &mut |_, _| ControlFlow::Continue(()))? {
            Some(file) => Ok(file),
            None => unreachable!("nobody breaks it off"),
        }
    }

    /// [`Trace::save`], calling `progress` as it goes on; `Break` ends it, and leaves at `path` what was there.
    ///
    /// # Errors
    /// As [`Trace::save`], and [`Error::Cancelled`].
    pub fn save_with(
        &self,
        path: impl AsRef<Path>,
        options: &SaveOptions,
        progress: &mut dyn FnMut(SaveProgress) -> ControlFlow<()>,
    ) -> Result<Saved, Error> {
        let path = path.as_ref();
        let rounding = &mut |done, layers| progress(SaveProgress::Rounding { done, layers });
        let Some(file) = TraceFile::new(self, options, rounding)? else {
            return Err(Error::Cancelled {
                path: path.to_owned(),
            });
        };
        let mut cancelled = false;
        let written = write_atomic(path, |w| {
            file.write(
                w,
                &mut |done, total| match progress(SaveProgress::Writing { done, total }) {
                    ControlFlow::Continue(()) => Ok(()),
                    ControlFlow::Break(()) => {
                        cancelled = true;
                        Err(io::Error::other("cancelled"))
                    }
                },
            )
        });
        match written {
            Ok(()) => Ok(file.saved()),
            Err(_) if cancelled => Err(Error::Cancelled {
                path: path.to_owned(),
            }),
            Err(source) => Err(Error::Write {
                path: path.to_owned(),
                source,
            }),
        }
    }
}

/// A trace as a file, ready to be written. See [`Trace::file`].
#[derive(Debug)]
pub struct TraceFile<'a> {
    header: Vec<u8>,
    parts: Vec<(Entry, Part<'a>)>,
    rounding: Option<f32>,
}

/// The numbers of one tensor.
#[derive(Debug)]
enum Part<'a> {
    Stored(&'a Tensor),
    /// \[heads, rows\]
    Computed(Array2<f32>),
}

impl<'a> TraceFile<'a> {
    /// Rounds what is to be rounded; none where `progress`, which hears of each layer, breaks that off.
    fn new(
        trace: &'a Trace,
        options: &SaveOptions,
        progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<Option<Self>, Error> {
        if options.values && trace.values_bytes(options.qk_dtype).is_none() {
            return Err(Error::NoValues);
        }
        trace.check_unchanged()?;
        check_numbers(trace, options)?;
        let mut rounding = trace.meta().qk_rounding_max_weight_change;
        let mut computed = Vec::new();
        if ![Dtype::F32, trace.meta().qk_dtype].contains(&options.qk_dtype) {
            let Some(rounded) = round_all(trace, options.qk_dtype, progress)? else {
                return Ok(None);
            };
            // The changes of two roundings in a row add up, at most.
            let total = rounding.unwrap_or(0.0) + rounded.max_weight_change;
            rounding = Some(total.min(1.0));
            computed = rounded.lse;
        }
        let parts = parts(trace, options, computed);
        let meta = Meta {
            qk_dtype: options.qk_dtype,
            qk_rounding_max_weight_change: rounding,
            ..trace.meta().clone()
        };
        let entries: Vec<&Entry> = parts.iter().map(|(entry, _)| entry).collect();
        let version = Version::needed_by(&meta, trace.layers());
        let header = header(&metadata::write(&meta, version), &entries);
        Ok(Some(Self {
            header,
            parts,
            rounding,
        }))
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// Those of `to`.
    pub fn write_to(&self, to: &mut impl Write) -> io::Result<()> {
        self.write(to, &mut |_, _| Ok(()))
    }

    /// Writes the whole file, widening or rounding one head at a time; `progress` hears of each.
    fn write(
        &self,
        to: &mut impl Write,
        progress: &mut dyn FnMut(u64, u64) -> io::Result<()>,
    ) -> io::Result<()> {
        let total = self.saved().bytes;
        let mut done = self.header.len() as u64;
        progress(0, total)?;
        to.write_all(&self.header)?;
        for (entry, part) in &self.parts {
            let mut write = |numbers: &[f32]| {
                write_numbers(to, numbers, entry.dtype)?;
                done += (numbers.len() * entry.dtype.size()) as u64;
                progress(done, total)
            };
            match part {
                Part::Stored(tensor) => {
                    (0..tensor.heads).try_for_each(|head| write(&tensor.head(head)))?;
                }
                Part::Computed(heads) => {
                    let numbers = |head: ArrayView1<f32>| head.to_vec();
                    heads
                        .outer_iter()
                        .try_for_each(|head| write(&numbers(head)))?;
                }
            }
        }
        Ok(())
    }

    /// What writing it comes to.
    #[must_use]
    pub fn saved(&self) -> Saved {
        let bytes = |of: &dyn Fn(&Entry) -> bool| -> u64 {
            let entries = self.parts.iter().map(|(entry, _)| entry);
            entries.filter(|e| of(e)).map(Entry::bytes).sum()
        };
        Saved {
            bytes: self.header.len() as u64 + bytes(&|_| true),
            values_bytes: bytes(&|entry| entry.name.ends_with(".v")),
            qk_rounding_max_weight_change: self.rounding,
        }
    }
}

/// All tensors in the order of the file: those of 4 bytes a number before those of 2, so that each begins where its numbers can be read in place.
fn parts<'a>(
    trace: &'a Trace,
    options: &SaveOptions,
    computed_lse: Vec<Array2<f32>>,
) -> Vec<(Entry, Part<'a>)> {
    let mut computed_lse = computed_lse.into_iter();
    let mut parts = Vec::new();
    for (at, layer) in trace.layers().iter().enumerate() {
        let shape = LayerShape::of(layer, options.values);
        let tensor = |tensor: &'a Option<Tensor>| tensor.as_ref().map(Part::Stored);
        for (name, entry) in shape.entries(at, options.qk_dtype) {
            let part = match name {
                "lse" => computed_lse.next().map(Part::Computed),
                "vnorm" => tensor(&layer.vnorm),
                "bias" => tensor(&layer.bias),
                "q" => Some(Part::Stored(&layer.q)),
                "k" => Some(Part::Stored(&layer.k)),
                _ => tensor(&layer.v),
            };
            parts.push((entry, part.unwrap_or(Part::Stored(&layer.lse))));
        }
    }
    parts.sort_by_key(|(entry, _)| std::cmp::Reverse(entry.dtype.size()));
    parts
}

/// Refuses queries, keys and values that are not finite, or not in the type that they are to be stored in.
fn check_numbers(trace: &Trace, options: &SaveOptions) -> Result<(), Error> {
    for (at, layer) in trace.layers().iter().enumerate() {
        let v = layer.v.as_ref().filter(|_| options.values);
        let tensors = [("q", Some(&layer.q)), ("k", Some(&layer.k)), ("v", v)];
        for (name, tensor) in tensors.into_iter().filter_map(|(name, t)| Some((name, t?))) {
            if let Some((head, token, value)) = tensor.find(|x| !x.is_finite()) {
                return Err(Error::BadNumber {
                    layer: at,
                    tensor: name,
                    head,
                    token,
                    value,
                });
            }
            let dtype = options.qk_dtype;
            if dtype != Dtype::F32
                && let Some((head, token, value)) = tensor.find(|x| dtype.round(x).is_infinite())
            {
                return Err(Error::TooLargeFor {
                    dtype: dtype.name(),
                    layer: at,
                    tensor: name,
                    head,
                    token,
                    value,
                });
            }
        }
    }
    Ok(())
}

/// Writes numbers in the type asked for, little-endian (as this machine is: see [`crate::tensor`]).
fn write_numbers(to: &mut impl Write, numbers: &[f32], dtype: Dtype) -> io::Result<()> {
    let mut bits = vec![
        0_u16;
        if dtype == Dtype::F32 {
            0
        } else {
            numbers.len()
        }
    ];
    match dtype {
        Dtype::F32 => return to.write_all(bytemuck::cast_slice(numbers)),
        Dtype::F16 => {
            let halves: &mut [f16] = bits.reinterpret_cast_mut();
            halves.convert_from_f32_slice(numbers);
        }
        Dtype::Bf16 => {
            let halves: &mut [bf16] = bits.reinterpret_cast_mut();
            halves.convert_from_f32_slice(numbers);
        }
    }
    to.write_all(bytemuck::cast_slice(&bits))
}
