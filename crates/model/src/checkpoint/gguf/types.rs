//! GGML's tensor types: their numbers in a file, and those that can be dequantised.

use candle_core::quantized::GgmlDType;

use crate::checkpoint::StoredType;

/// Numbers of the types that can be dequantised.
const READ: &[(u32, StoredType)] = &[
    (0, StoredType::F32),
    (1, StoredType::F16),
    (2, StoredType::Candle(GgmlDType::Q4_0)),
    (3, StoredType::Candle(GgmlDType::Q4_1)),
    (6, StoredType::Candle(GgmlDType::Q5_0)),
    (7, StoredType::Candle(GgmlDType::Q5_1)),
    (8, StoredType::Candle(GgmlDType::Q8_0)),
    (10, StoredType::Candle(GgmlDType::Q2K)),
    (11, StoredType::Candle(GgmlDType::Q3K)),
    (12, StoredType::Candle(GgmlDType::Q4K)),
    (13, StoredType::Candle(GgmlDType::Q5K)),
    (14, StoredType::Candle(GgmlDType::Q6K)),
    (20, StoredType::Iq4Nl),
    (23, StoredType::Iq4Xs),
    (30, StoredType::BF16),
    (39, StoredType::Mxfp4),
];

/// Numbers and names of the others. Q8_1 and Q8_K hold activations and never weights.
const NOT_READ: &[(u32, &str)] = &[
    (9, "Q8_1"),
    (15, "Q8_K"),
    (16, "IQ2_XXS"),
    (17, "IQ2_XS"),
    (18, "IQ3_XXS"),
    (19, "IQ1_S"),
    (21, "IQ3_S"),
    (22, "IQ2_S"),
    (24, "I8"),
    (25, "I16"),
    (26, "I32"),
    (27, "I64"),
    (28, "F64"),
    (29, "IQ1_M"),
    (34, "TQ1_0"),
    (35, "TQ2_0"),
    (40, "NVFP4"),
];

/// The type of this number; what to call it where it cannot be read.
pub(crate) fn tensor_type(number: u32) -> Result<StoredType, String> {
    if let Some(&(_, dtype)) = READ.iter().find(|entry| entry.0 == number) {
        return Ok(dtype);
    }
    match NOT_READ.iter().find(|entry| entry.0 == number) {
        Some((_, name)) => Err((*name).to_owned()),
        None => Err(format!("number {number}, which is unknown")),
    }
}

/// Names of the types that can be read, for messages.
pub(crate) fn supported_types() -> String {
    let names: Vec<&str> = READ.iter().map(|entry| entry.1.name()).collect();
    names.join(", ")
}
