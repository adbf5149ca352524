//! The feed-forward part of a layer: one network, or a mixture of experts.

use super::Activation;

/// A feed-forward part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedForwardSpec {
    /// Its inner dimension; of a mixture, each expert's.
    pub d_ff: usize,
    /// The function between its matrices.
    pub activation: Activation,
    /// Whether the inner layer is act(x·W_gate) · x·W_up, instead of act(x·W_up)
    /// (Shazeer 2020, <https://arxiv.org/abs/2002.05202>).
    pub gated: bool,
    /// Whether its matrices have biases.
    pub bias: bool,
    /// The mixture that it is, where it is one.
    pub experts: Option<Experts>,
}

/// A mixture of experts: each token is read by the few networks that a router chooses for it, and gets the sum of
/// what they make of it, each times its share (Shazeer et al. 2017, <https://arxiv.org/abs/1701.06538>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Experts {
    /// How many there are.
    pub count: usize,
    /// How many read a token.
    pub used: usize,
    /// How their shares follow from the router's logits.
    pub shares: Shares,
    /// Whether the router has a bias.
    pub router_bias: bool,
    /// A network that reads every token besides them.
    pub shared: Option<SharedExpert>,
}

/// How the shares of the chosen experts, those with the largest logits, follow from the router's logits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shares {
    /// The softmax over all experts; the chosen ones' shares sum to less than 1 (Qwen2-MoE).
    OfAll,
    /// The softmax over the chosen ones alone, which is the softmax over all brought to the sum of 1 (Mixtral, Jiang et al. 2024,
    /// <https://arxiv.org/abs/2401.04088>; Qwen3-MoE; gpt-oss).
    OfChosen,
}

/// An expert that reads every token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SharedExpert {
    /// Its inner dimension.
    pub d_ff: usize,
    /// Whether what it gives is multiplied by sigmoid(x·w), w learned.
    pub gated: bool,
}
