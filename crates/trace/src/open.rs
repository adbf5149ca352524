//! Mapping a trace file back into memory.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use memmap2::Mmap;
use safetensors::tensor::{Metadata, TensorInfo};

use crate::container::read_header;
use crate::layer::Stored;
use crate::tensor::Tensor;
use crate::{Dtype, Error, Trace, Version, metadata};

/// The longest reason that is shown of what a damaged file may make arbitrarily long.
const LONGEST_REASON: usize = 400;

impl Trace {
    /// Opens a trace file. The model is not needed.
    ///
    /// The file is mapped, not read: f32 numbers are used where they lie, those of 16 bits are widened a head at a time.
    /// It must stay as it is while the trace lives. [`Trace::save`] keeps to that, as it puts a new file in an old
    /// one's place; a program that shortens the file in place ends this one with a bus error.
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
        let file = regular_file(path).map_err(unreadable)?;
        read(&file).map_err(|reason| Error::Format {
            path: path.to_owned(),
            reason: printable(&reason),
        })
    }
}

/// Opens a file. Only a regular one: opening a pipe would wait for its writer.
fn regular_file(path: &Path) -> io::Result<File> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    File::open(path)
}

/// Takes a file apart, or says what is wrong with it.
fn read(file: &File) -> Result<Trace, String> {
    let header = read_header(file)?;
    let metadata = header.tensors.metadata().clone().unwrap_or_default();
    let (meta, version) = metadata::parse(metadata)?;
    // SAFETY: the mapping is read-only and lives as long as every slice of it (each `Tensor` holds it). Its bytes
    // are only ever read as u8, u16 and f32, of which every bit pattern is a value, and no size or offset is read
    // through it, so that no memory access depends on what they are. What a program cannot rule out is that
    // another one changes the file meanwhile; the documentation of `Trace::open` forbids that, and this library
    // itself never changes a file, but puts a whole new one in its place.
    let map =
        unsafe { Mmap::map(file) }.map_err(|error| format!("it could not be mapped ({error})"))?;
    let reader = Reader {
        map: &Arc::new(map),
        data_start: header.data_start,
        described: &header.tensors,
        version,
    };
    let layers = reader.layers(meta.layers.len())?;
    Trace::from_stored(meta, layers, version).map_err(|error| error.to_string())
}

/// Finds the tensors of a file whose header is sound as safetensors.
struct Reader<'a> {
    map: &'a Arc<Mmap>,
    /// Where in the file the tensors' bytes begin.
    data_start: usize,
    described: &'a Metadata,
    version: Version,
}

impl Reader<'_> {
    /// All layers; whatever other tensor there is, is refused by name.
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
                "it has a tensor {name:?}, which {} does not know",
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
                    "`{name}` has shape {:?}, not one of {rank} sizes",
                    info.shape
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

/// A reason on one line of bearable length, with what a terminal might obey made visible.
fn printable(reason: &str) -> String {
    let visible = |c: char| match c {
        c if c.is_control() => c.escape_default().to_string(),
        c => c.to_string(),
    };
    let mut shown: String = reason.chars().take(LONGEST_REASON).map(visible).collect();
    if reason.chars().nth(LONGEST_REASON).is_some() {
        shown.push('…');
    }
    shown
}
