//! What a run is asked for, and what it gives.

use lookback_trace::{Layer, Trace};
use ndarray::Array2;

use super::KvCache;

/// Which rows of logits a prefill computes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Logits {
    /// None: the output head is not even read.
    None,
    /// Those after the last token, which choose the next one.
    #[default]
    Last,
    /// Those after every token: N × vocabulary numbers.
    All,
    /// Those after the tokens at these positions, in this order.
    At(Vec<usize>),
}

/// What a prefill keeps.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PrefillOptions {
    /// Which rows of logits are computed.
    pub logits: Logits,
    /// Keep Q, K, LSE and value norms of every layer:
    /// 4 · layers · N · (H·d_k + H_kv·d_k + 2·H) bytes.
    pub trace: bool,
    /// Keep V too, where a trace is kept: 4 · layers · N · H_kv·d_v bytes on top.
    pub keep_v: bool,
    /// Keep keys and values for decoding.
    pub cache: bool,
}

/// What a prefill gives. N is the number of tokens.
#[derive(Debug)]
pub struct Prefill {
    /// Logits at the positions asked for, \[positions, vocabulary\].
    pub logits: Array2<f32>,
    /// One entry a layer where a trace was asked for, else empty.
    pub layers: Vec<Layer>,
    /// Hidden states of the positions whose logits were asked for, after the final norm: \[positions, d\].
    pub hidden: Array2<f32>,
    /// Keys and values of all N tokens, where asked for.
    pub cache: Option<KvCache>,
}

/// A trace, and what else its run gave.
#[derive(Debug)]
pub struct Traced {
    /// The trace.
    pub trace: Trace,
    /// Logits at the positions asked for, \[positions, vocabulary\].
    pub logits: Array2<f32>,
}

/// What is kept of a traced run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TraceOptions {
    /// Which rows of logits are computed.
    pub logits: Logits,
    /// Keep V: 4 · layers · N · H_kv·d_v bytes.
    pub keep_v: bool,
    /// Name of the model as a person would write it; else what the checkpoint calls itself.
    pub model_name: Option<String>,
    /// SHA-256 of the checkpoint's file, where it is known.
    pub model_sha256: Option<String>,
}
