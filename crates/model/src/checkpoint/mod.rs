//! Checkpoints: a Hugging Face folder (safetensors or PyTorch's files, or a LoRA adapter with its model) or a GGUF file, whole or
//! in parts, opened behind one set of names.
//!
//! [`Checkpoint::open`] reads and checks everything but the numbers: configuration, tokenizer,
//! chat template, and that each tensor the model needs is there with the right shape, in a type
//! that can be read. Files are memory-mapped; a tensor's numbers are read when asked for, and
//! refused where one is NaN or infinite.
//!
//! Tensors go by their Hugging Face names (`model.layers.0.self_attn.q_proj.weight`), and are
//! read as `nn.Linear` stores them, `[out, in]`. Where a folder stores several in one, each goes by that name and its own
//! (`transformer.h.0.attn.c_attn.weight (keys)`). Rotary position embedding is always half-split: the rows of W_q and W_k
//! that GGUF interleaves are put back in order, which is exact, since rows move as a whole.
//!
//! Files are taken to be hostile. A setting that is neither implemented nor known to leave the
//! mathematics alone is refused by name, and so is a tensor that the model would not use.

mod adapter;
mod decode;
mod error;
pub(crate) mod family;
mod folder;
mod folder_weights;
mod four_bit;
pub(crate) mod gguf;
mod gguf_checkpoint;
mod gguf_parts;
mod low_rank;
mod map;
mod names;
mod open;
mod opened;
mod options;
mod pickle;
mod provenance;
mod resolve;
mod safetensors;
pub(crate) mod settings;
mod small_files;
mod stop;
mod stored_type;
pub(crate) mod weights;

pub use error::Error;
pub use gguf::GgufError;
pub(crate) use names::folder_name;
pub use opened::Checkpoint;
pub use options::OpenOptions;
pub use provenance::Provenance;
pub use stored_type::StoredType;
