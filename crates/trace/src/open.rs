//! Mapping a trace file back into memory.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use safetensors::tensor::{Metadata, TensorInfo};

use crate::container::read_header;
use crate::layer::Stored;
use crate::tensor::Tensor;
use crate::{
    Dtype, Error, MappedFile, Trace, Version, metadata, printable, printable_message, quoted,
};

impl Trace {
    /// Opens a trace file. The model is not needed.
    ///
    /// A large file is mapped, not read: f32 numbers are used where they lie, those of 16 bits are widened a head at a time.
    /// It must stay as it is while the trace lives. [`Trace::save`] keeps to that, as it puts a new file in an old one's
    /// place. Where another program overwrites the file, questions end in [`Error::Changed`]; where it shortens the file just
    /// while numbers are read, the process ends: see [`explain_bus_errors`](crate::explain_bus_errors).
    ///
    /// # Errors
    /// [`Error::Read`], and [`Error::Format`] for whatever is not a sound file of one of the format's versions: the file is
    /// taken to be hostile. Memory is bounded by a small multiple of the header's size, which is at most 64 MiB.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let unreadable = |source| Error::Read {
            path: path.to_owned(),
            source,
        };
        let file = MappedFile::open(path).map_err(unreadable)?;
        read(file).map_err(|reason| Error::Format {
            path: path.to_owned(),
            reason: printable_message(&reason),
        })
    }
}

/// Takes a file apart, or says what is wrong with it.
fn read(file: MappedFile) -> Result<Trace, String> {
    let header = read_header(file.bytes())?;
    let metadata = header.tensors.metadata().clone().unwrap_or_default();
    let (meta, version) = metadata::parse(metadata)?;
    let reader = Reader {
        map: &Arc::new(file),
        data_start: header.data_start,
        described: &header.tensors,
        version,
    };
    let layers = reader.layers(meta.layers.len())?;
    Trace::from_stored(meta, layers, version).map_err(|error| error.to_string())
}

/// Finds the tensors of a file whose header is sound as safetensors.
struct Reader<'a> {
    map: &'a Arc<MappedFile>,
    /// Where in the file the tensors' bytes begin.
    data_start: usize,
    described: &'a Metadata,
    version: Version,
}

impl Reader<'_> {
    /// All layers; whatever other tensor there is, is an error that names it.
    fn layers(&self, count: usize) -> Result<Vec<Stored>, String> {
        let layers = (0..count).map(|at| self.layer(at));
        let layers = layers.collect::<Result<Vec<_>, _>>()?;
        let known = |name: &str| {
            let parts: Vec<&str> = name.splitn(3, '.').collect();
            let numbered = |at: &str| {
                at.parse()
                    .is_ok_and(|n: usize| n < count && at == n.to_string())
            };
            match parts[..] {
                ["layers", at, "q" | "k" | "v" | "lse" | "vnorm"] => numbered(at),
                ["layers", at, "bias"] => self.version == Version::Two && numbered(at),
                _ => false,
            }
        };
        let names = self.described.offset_keys();
        match names.iter().find(|name| !known(name)) {
            Some(name) => Err(format!(
                "it has a tensor {}, which {} does not know",
                quoted(name),
                self.version.name()
            )),
            None => Ok(layers),
        }
    }

    fn layer(&self, at: usize) -> Result<Stored, String> {
        let any: &[Dtype] = match self.version {
            Version::One => &[Dtype::F32, Dtype::F16],
            Version::Two => &[Dtype::F32, Dtype::F16, Dtype::Bf16],
        };
        let wide = &[Dtype::F32];
        let name = |part: &str| format!("layers.{at}.{part}");
        let optional = |part, rank, dtypes| self.tensor(&name(part), rank, dtypes);
        let find = |part, rank, dtypes| {
            let found = optional(part, rank, dtypes)?;
            found.ok_or_else(|| format!("it has no tensor `{}`", name(part)))
        };
        Ok(Stored {
            q: find("q", 3, any)?,
            k: find("k", 3, any)?,
            lse: find("lse", 2, wide)?,
            vnorm: match self.version {
                Version::One => Some(find("vnorm", 2, wide)?),
                Version::Two => optional("vnorm", 2, wide)?,
            },
            v: optional("v", 3, any)?,
            bias: optional("bias", 3, wide)?,
        })
    }

    /// A tensor of this rank and one of these types; none where the file has no such tensor.
    fn tensor(&self, name: &str, rank: usize, dtypes: &[Dtype]) -> Result<Option<Tensor>, String> {
        let Some(info) = self.described.info(name) else {
            return Ok(None);
        };
        let dtype = dtypes
            .iter()
            .find(|d| d.in_file() == info.dtype.to_string());
        let dtype = *dtype.ok_or_else(|| {
            let names: Vec<&str> = dtypes.iter().map(|d| d.in_file()).collect();
            format!(
                "`{name}` holds {}, where {} is read",
                info.dtype,
                names.join(" or ")
            )
        })?;
        let shape = match info.shape[..] {
            [heads, rows] if rank == 2 => [heads, rows, 1],
            [heads, rows, width] if rank == 3 => [heads, rows, width],
            _ => {
                return Err(format!(
                    "`{name}` has shape {}, not one of {rank} sizes",
                    printable(&format!("{:?}", info.shape))
                ));
            }
        };
        let bytes = self.bytes(info);
        let start = bytes.start;
        let tensor = Tensor::mapped(shape, dtype, self.map, bytes);
        tensor.map(Some).ok_or_else(|| {
            format!(
                "`{name}` begins at byte {start} of the file, which is no multiple of {}",
                dtype.size()
            )
        })
    }

    /// Where in the file a tensor lies; [`read_header`] has checked that it does.
    fn bytes(&self, info: &TensorInfo) -> Range<usize> {
        let (start, end) = info.data_offsets;
        self.data_start + start..self.data_start + end
    }
}
