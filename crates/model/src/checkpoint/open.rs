//! Opening a checkpoint of any format and family.

use std::path::Path;

use super::adapter::{self, Adapter};
use super::{Checkpoint, Error, OpenOptions, folder, gguf_checkpoint};
use crate::families::FAMILIES;
use crate::spec::Spec;
use crate::store::EmbeddedModel;

impl Spec {
    /// What a config.json asks for, without any weights.
    ///
    /// # Errors
    /// A setting that is missing, invalid, not implemented or unknown, by name.
    pub fn of_config(path: &Path) -> Result<Self, Error> {
        folder::spec_of_config(path, FAMILIES)
    }

    /// What a checkpoint's folder or GGUF file asks for, with all tensors there as [`Checkpoint::open`] wants them; its tokenizer
    /// is not looked at.
    ///
    /// # Errors
    /// As [`Checkpoint::open`].
    pub fn of_checkpoint(path: &Path) -> Result<Self, Error> {
        if path.is_dir() {
            folder::spec(path, FAMILIES)
        } else {
            gguf_checkpoint::spec(path, FAMILIES)
        }
    }
}

impl Checkpoint {
    /// Opens a folder (config.json, model.safetensors, tokenizer.json; or adapter_config.json and adapter_model.safetensors), a
    /// GGUF file, or the
    /// [address](crate::store::EmbeddedModel::address) of a model that is built in.
    ///
    /// # Errors
    /// What is missing, damaged or not supported, by name.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::open_with(path, &OpenOptions::default())
    }

    /// The model that the adapter in `folder` says it belongs to; none where that is no adapter's, or it does not say.
    #[must_use]
    pub fn base_of_adapter(folder: &Path) -> Option<String> {
        adapter::named_base(folder)
    }

    /// [`Checkpoint::open`], with what its files leave open.
    ///
    /// # Errors
    /// As [`Checkpoint::open`], and where an option does not fit the checkpoint.
    pub fn open_with(path: &Path, options: &OpenOptions) -> Result<Self, Error> {
        if EmbeddedModel::at(path).is_some() {
            return gguf_checkpoint::open(path, FAMILIES, options);
        }
        let metadata = std::fs::metadata(path).map_err(|source| Error::Io {
            path: path.to_owned(),
            source,
        })?;
        if metadata.is_dir() {
            let Some(adapter) = Adapter::read(path, options)? else {
                check_no_base(path, options)?;
                return folder::open(path, FAMILIES, options, None);
            };
            let options = adapter.options_of_base(options);
            return folder::open(path, FAMILIES, &options, Some(adapter));
        }
        check_no_base(path, options)?;
        if path
            .extension()
            .is_some_and(|ending| ending == "safetensors" || ending == "json")
        {
            return Err(Error::NotACheckpoint {
                path: path.to_owned(),
            });
        }
        gguf_checkpoint::open(path, FAMILIES, options)
    }
}

/// Refuses a base where no adapter needs one.
fn check_no_base(path: &Path, options: &OpenOptions) -> Result<(), Error> {
    match options.base {
        Some(_) => Err(Error::BaseOfModel {
            path: path.to_owned(),
        }),
        None => Ok(()),
    }
}
