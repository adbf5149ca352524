//! GGML's tensor types: their numbers in a file, and those that can be dequantised.

use candle_core::quantized::GgmlDType;

/// Numbers and names of all types, and how candle calls those that it can dequantise. Q8_1 and
/// Q8_K hold activations and never weights.
const TYPES: &[(u32, &str, Option<GgmlDType>)] = &[
    (0, "F32", Some(GgmlDType::F32)),
    (1, "F16", Some(GgmlDType::F16)),
    (2, "Q4_0", Some(GgmlDType::Q4_0)),
    (3, "Q4_1", Some(GgmlDType::Q4_1)),
    (6, "Q5_0", Some(GgmlDType::Q5_0)),
    (7, "Q5_1", Some(GgmlDType::Q5_1)),
    (8, "Q8_0", Some(GgmlDType::Q8_0)),
    (9, "Q8_1", None),
    (10, "Q2_K", Some(GgmlDType::Q2K)),
    (11, "Q3_K", Some(GgmlDType::Q3K)),
    (12, "Q4_K", Some(GgmlDType::Q4K)),
    (13, "Q5_K", Some(GgmlDType::Q5K)),
    (14, "Q6_K", Some(GgmlDType::Q6K)),
    (15, "Q8_K", None),
    (16, "IQ2_XXS", None),
    (17, "IQ2_XS", None),
    (18, "IQ3_XXS", None),
    (19, "IQ1_S", None),
    (20, "IQ4_NL", None),
    (21, "IQ3_S", None),
    (22, "IQ2_S", None),
    (23, "IQ4_XS", None),
    (24, "I8", None),
    (25, "I16", None),
    (26, "I32", None),
    (27, "I64", None),
    (28, "F64", None),
    (29, "IQ1_M", None),
    (30, "BF16", Some(GgmlDType::BF16)),
    (34, "TQ1_0", None),
    (35, "TQ2_0", None),
    (39, "MXFP4", None),
];

/// The type of this number; what to call it where it cannot be read.
pub(crate) fn tensor_type(number: u32) -> Result<GgmlDType, String> {
    match TYPES.iter().find(|entry| entry.0 == number) {
        Some((_, _, Some(dtype))) => Ok(*dtype),
        Some((_, name, None)) => Err((*name).to_owned()),
        None => Err(format!("number {number}, which is unknown")),
    }
}

/// A type's name in GGML's spelling.
pub(crate) fn type_name(dtype: GgmlDType) -> &'static str {
    TYPES
        .iter()
        .find(|entry| entry.2 == Some(dtype))
        .map_or("an activation type", |entry| entry.1)
}

/// Names of the types that can be read, for messages.
pub(crate) fn supported_types() -> String {
    let names: Vec<&str> = TYPES
        .iter()
        .filter(|entry| entry.2.is_some())
        .map(|entry| entry.1)
        .collect();
    names.join(", ")
}
