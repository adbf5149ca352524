//! The default model, loaded once.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use lookback_model::store::{self, Silent};
use lookback_model::{LoadOptions, Model};

pub(crate) fn model() -> &'static Model {
    static MODEL: LazyLock<Model> = LazyLock::new(|| {
        let path = store::default_model(&Silent)
            .expect("the default model is in the cache or can be fetched")
            .path;
        Model::load(&path, &LoadOptions::default()).expect("the model loads")
    });
    &MODEL
}

pub(crate) fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}
