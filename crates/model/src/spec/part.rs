//! The tensors of a specification: which there are, and of what shape.

use super::{Experts, FeedForwardSpec, LayerSpec, Norm, Norms, QkNorm, Spec};

/// What a tensor belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    Embedding,
    Positions,
    Segments,
    EmbeddingNorm,
    FinalNorm,
    Head,
    HeadTransform,
    HeadNorm,
    AttentionNorm,
    Q,
    K,
    V,
    QNorm,
    KNorm,
    Sinks,
    /// W_o
    Output,
    AttentionOutputNorm,
    AttentionSumNorm,
    FeedForwardNorm,
    Gate,
    Up,
    Down,
    FeedForwardOutputNorm,
    FeedForwardSumNorm,
    Router,
    ExpertGate,
    ExpertUp,
    ExpertDown,
    SharedExpertGate,
    SharedExpertUp,
    SharedExpertDown,
    /// What the shared expert's output is multiplied by.
    SharedExpertShare,
}

/// One tensor: a part's matrix or gain, or its bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Tensor {
    pub(crate) part: Part,
    pub(crate) bias: bool,
    /// Which of the experts' it is.
    pub(crate) expert: Option<usize>,
}

impl Tensor {
    /// The bias that belongs to a matrix.
    pub(crate) const fn as_bias(self) -> Self {
        Self { bias: true, ..self }
    }

    /// The one of expert `expert`.
    pub(crate) const fn of_expert(self, expert: usize) -> Self {
        Self {
            expert: Some(expert),
            ..self
        }
    }
}

impl Part {
    pub(crate) const fn weight(self) -> Tensor {
        Tensor {
            part: self,
            bias: false,
            expert: None,
        }
    }

    pub(crate) const fn bias(self) -> Tensor {
        Tensor {
            part: self,
            bias: true,
            expert: None,
        }
    }
}

/// One of a layer's feed-forward networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Network {
    /// The only one.
    Plain,
    Expert(usize),
    Shared,
}

impl Network {
    pub(crate) fn gate(self) -> Tensor {
        self.tensor([Part::Gate, Part::ExpertGate, Part::SharedExpertGate])
    }

    pub(crate) fn up(self) -> Tensor {
        self.tensor([Part::Up, Part::ExpertUp, Part::SharedExpertUp])
    }

    pub(crate) fn down(self) -> Tensor {
        self.tensor([Part::Down, Part::ExpertDown, Part::SharedExpertDown])
    }

    fn tensor(self, [plain, expert, shared]: [Part; 3]) -> Tensor {
        match self {
            Network::Plain => plain.weight(),
            Network::Expert(index) => expert.weight().of_expert(index),
            Network::Shared => shared.weight(),
        }
    }
}

/// Tensors with their shapes, `[out, in]` for matrices.
struct Shapes(Vec<(Tensor, Vec<usize>)>);

impl Shapes {
    fn matrix(&mut self, part: Part, bias: bool, (out, input): (usize, usize)) {
        self.weight(part.weight(), bias, (out, input));
    }

    fn weight(&mut self, weight: Tensor, bias: bool, (out, input): (usize, usize)) {
        self.0.push((weight, vec![out, input]));
        if bias {
            self.0.push((weight.as_bias(), vec![out]));
        }
    }

    fn norm(&mut self, part: Part, norm: Option<Norm>, size: usize) {
        let Some(norm) = norm else { return };
        self.0.push((part.weight(), vec![size]));
        if norm.kind.has_bias() {
            self.0.push((part.bias(), vec![size]));
        }
    }

    fn norms(&mut self, parts: [Part; 3], norms: &Norms, d: usize) {
        for (part, norm) in parts
            .into_iter()
            .zip([norms.before, norms.output, norms.sum])
        {
            self.norm(part, norm, d);
        }
    }
}

impl Spec {
    /// The tensors outside the layers.
    pub(crate) fn outside(&self) -> Vec<(Tensor, Vec<usize>)> {
        let mut all = Shapes(Vec::new());
        all.matrix(Part::Embedding, false, (self.vocab, self.d));
        if let Some(positions) = self.embedding.positions {
            all.matrix(Part::Positions, false, (positions.rows, self.d));
        }
        if let Some(segments) = self.embedding.segments {
            all.matrix(Part::Segments, false, (segments, self.d));
        }
        all.norm(Part::EmbeddingNorm, self.embedding.norm, self.d);
        all.norm(Part::FinalNorm, self.final_norm, self.d);
        if let Some(head) = &self.head {
            if let Some(transform) = head.transform {
                all.matrix(Part::HeadTransform, transform.bias, (self.d, self.d));
                all.norm(Part::HeadNorm, Some(transform.norm), self.d);
            }
            if !head.tied {
                all.matrix(Part::Head, false, (self.vocab, self.d));
            }
            if head.bias {
                all.0.push((Part::Head.bias(), vec![self.vocab]));
            }
        }
        all.0
    }

    /// The tensors of one layer.
    pub(crate) fn of_layer(&self, layer: &LayerSpec) -> Vec<(Tensor, Vec<usize>)> {
        let mut all = Shapes(Vec::new());
        self.attention(&mut all, layer);
        if let Some(feed_forward) = &layer.feed_forward {
            match feed_forward.experts {
                None => self.network(&mut all, Network::Plain, feed_forward, feed_forward.d_ff),
                Some(experts) => self.experts(&mut all, feed_forward, experts),
            }
        }
        let parts = [
            Part::FeedForwardNorm,
            Part::FeedForwardOutputNorm,
            Part::FeedForwardSumNorm,
        ];
        let mut own = layer.feed_forward_norms;
        own.before = own.before.filter(|_| !layer.shared_norm);
        all.norms(parts, &own, self.d);
        all.0
    }

    /// One feed-forward network.
    fn network(&self, all: &mut Shapes, network: Network, spec: &FeedForwardSpec, d_ff: usize) {
        if spec.gated {
            all.weight(network.gate(), spec.bias, (d_ff, self.d));
        }
        all.weight(network.up(), spec.bias, (d_ff, self.d));
        all.weight(network.down(), spec.bias, (self.d, d_ff));
    }

    fn experts(&self, all: &mut Shapes, spec: &FeedForwardSpec, experts: Experts) {
        let router = (experts.count, self.d);
        all.matrix(Part::Router, experts.router_bias, router);
        for expert in 0..experts.count {
            self.network(all, Network::Expert(expert), spec, spec.d_ff);
        }
        if let Some(shared) = experts.shared {
            self.network(all, Network::Shared, spec, shared.d_ff);
            if shared.gated {
                all.matrix(Part::SharedExpertShare, false, (1, self.d));
            }
        }
    }

    fn attention(&self, all: &mut Shapes, layer: &LayerSpec) {
        let attention = &layer.attention;
        let (q_size, kv_size) = (self.heads * self.head_dim, self.kv_heads * self.head_dim);
        let parts = [
            Part::AttentionNorm,
            Part::AttentionOutputNorm,
            Part::AttentionSumNorm,
        ];
        all.norms(parts, &layer.attention_norms, self.d);
        all.matrix(Part::Q, attention.qkv_bias, (q_size, self.d));
        all.matrix(Part::K, attention.qkv_bias, (kv_size, self.d));
        let (q_norm, k_norm) = match attention.qk_norm {
            Some(QkNorm::AllHeads(_)) => (q_size, kv_size),
            _ => (self.head_dim, self.head_dim),
        };
        let norm = attention.qk_norm.map(QkNorm::norm);
        all.norm(Part::QNorm, norm, q_norm);
        all.norm(Part::KNorm, norm, k_norm);
        if attention.sinks {
            all.0.push((Part::Sinks.weight(), vec![self.heads]));
        }
        if attention.values {
            all.matrix(Part::V, attention.qkv_bias, (kv_size, self.d));
            all.matrix(Part::Output, attention.output_bias, (self.d, q_size));
        }
    }
}
