//! What a [`Meta`] looks like in a file's metadata, both ways: strings as they are, all else as JSON.

mod values;
mod version_1;
mod version_2;

use std::collections::{BTreeMap, HashMap};

use crate::scoring_record::{MaskRecords, ScoringRecord};
use crate::{Meta, Version, quoted};
use values::{Written, take};

pub(crate) use version_2::OWN;

/// The metadata of a file of this version, by key.
pub(crate) fn write(meta: &Meta, version: Version) -> BTreeMap<String, String> {
    let MaskRecords { masks, key_ranges } = MaskRecords::new(meta.layers.iter().map(|l| &l.mask));
    let layers: Vec<ScoringRecord> = meta
        .layers
        .iter()
        .zip(masks)
        .map(|(scoring, mask)| ScoringRecord::new(scoring, mask))
        .collect();
    let mut metadata = Written::default();
    metadata.text("format", version.name());
    metadata.text("model", &meta.model);
    metadata.text("library", &meta.library);
    metadata.json("prefix_tokens", &meta.prefix_tokens);
    metadata.json("layers", &layers);
    metadata.json("edits", &meta.interventions);
    metadata.text("qk_dtype", meta.qk_dtype.name());
    if let Some(hash) = &meta.model_sha256 {
        metadata.text("model_sha256", hash);
    }
    if let Some(change) = meta.qk_rounding_max_weight_change {
        metadata.json("qk_rounding_max_weight_change", &change);
    }
    match version {
        Version::One => version_1::write(meta, &mut metadata),
        Version::Two => version_2::write(meta, &key_ranges, &mut metadata),
    }
    metadata.by_key
}

/// Reads the metadata of a file, and says why where it cannot.
pub(crate) fn parse(mut metadata: HashMap<String, String>) -> Result<(Meta, Version), String> {
    // First the format: of another version's file, nothing else need be as it is here.
    let format = take(&mut metadata, "format")?;
    let versions = [Version::One, Version::Two];
    let version = versions
        .into_iter()
        .find(|version| version.name() == format);
    let version = version.ok_or_else(|| {
        let [one, two] = versions.map(Version::name);
        format!(
            "its format is {}, and this version reads {one:?} and {two:?}",
            quoted(&format)
        )
    })?;
    let meta = match version {
        Version::One => version_1::parse(&mut metadata)?,
        Version::Two => version_2::parse(&mut metadata)?,
    };
    match metadata.keys().min() {
        Some(unknown) => Err(format!(
            "its metadata has {}, which {} does not know",
            quoted(unknown),
            version.name()
        )),
        None => Ok((meta, version)),
    }
}
