//! Packed batches that the tests share: lengths, options, and operands drawn for them.

use lookback_attention::varlen::{Sequence, Sequences, cu_seqlens};
use lookback_attention::{Mask, Scoring};
use ndarray::{ArrayView3, Axis};
use proptest::prelude::*;

use crate::common::{Random, Strided};

/// How queries stand among their keys.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Same,
    AtEnd,
    AtStart,
}

/// Everything that a call has.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// Each sequence's number of queries and of keys.
    pub(crate) lengths: Vec<(usize, usize)>,
    pub(crate) kind: Kind,
    pub(crate) kv_heads: usize,
    pub(crate) group: usize,
    pub(crate) d_k: usize,
    pub(crate) d_v: usize,
    pub(crate) mask: Mask,
    pub(crate) scale: Option<f32>,
    pub(crate) soft_cap: Option<f32>,
    pub(crate) alibi: bool,
    pub(crate) sinks: bool,
    pub(crate) d_lse: bool,
    pub(crate) order: [usize; 4],
    pub(crate) gap: usize,
    pub(crate) seed: u64,
}

impl Case {
    /// Causal, without options.
    pub(crate) fn plain(lengths: &[(usize, usize)]) -> Case {
        Case {
            lengths: lengths.to_vec(),
            kind: Kind::AtEnd,
            kv_heads: 1,
            group: 2,
            d_k: 16,
            d_v: 16,
            mask: Mask::default(),
            scale: None,
            soft_cap: None,
            alibi: false,
            sinks: false,
            d_lse: false,
            order: [0, 1, 2, 3],
            gap: 0,
            seed: 1,
        }
    }

    pub(crate) fn scale(&self) -> f32 {
        self.scale.unwrap_or(1.0 / (self.d_k as f32).sqrt())
    }

    pub(crate) fn heads(&self) -> usize {
        self.kv_heads * self.group
    }
}

/// The first axis is always of length 1. Heads outermost, tokens outermost, tokens innermost.
const ORDERS: [[usize; 4]; 3] = [[0, 1, 2, 3], [0, 2, 1, 3], [0, 3, 1, 2]];

fn length() -> impl Strategy<Value = usize> {
    prop_oneof![1 => Just(0), 6 => 1usize..71, 1 => 200usize..330]
}

fn depth() -> impl Strategy<Value = usize> {
    prop_oneof![
        1usize..20,
        prop::sample::select(vec![1, 7, 16, 33, 48, 64, 80, 128])
    ]
}

fn masks() -> impl Strategy<Value = Mask> {
    let offset = || prop_oneof![2 => Just(0isize), 1 => -20isize..60, 1 => -300isize..300];
    prop_oneof![
        Just(Mask::None),
        offset().prop_map(|offset| Mask::Causal { offset }),
        offset().prop_map(|offset| Mask::StrictlyBefore { offset }),
        (prop_oneof![1usize..10, 1usize..300], offset())
            .prop_map(|(window, offset)| Mask::Window { window, offset }),
    ]
}

/// Any call.
pub(crate) fn cases() -> impl Strategy<Value = Case> {
    let lengths = prop::collection::vec((length(), length()), 1..7);
    let shape = (1usize..3, 1usize..4, depth(), depth());
    let kind = prop::sample::select(vec![Kind::Same, Kind::AtEnd, Kind::AtStart]);
    let options = (
        masks(),
        prop::option::of(-0.5f32..0.5),
        prop::option::weighted(0.25, 0.5f32..30.0),
        prop::bool::weighted(0.3),
        prop::bool::weighted(0.3),
        any::<bool>(),
    );
    let memory = (prop::sample::select(ORDERS.to_vec()), 0usize..2);
    (lengths, kind, shape, options, memory, any::<u64>()).prop_map(
        |(mut lengths, kind, (kv_heads, group, d_k, d_v), options, (order, gap), seed)| {
            if let Kind::Same = kind {
                lengths.iter_mut().for_each(|(n, m)| *m = *n);
            }
            let (mask, scale, soft_cap, alibi, sinks, d_lse) = options;
            Case {
                lengths,
                kind,
                kv_heads,
                group,
                d_k,
                d_v,
                mask,
                scale,
                soft_cap,
                alibi,
                sinks,
                d_lse,
                order,
                gap,
                seed,
            }
        },
    )
}

/// What a case takes.
pub(crate) struct Operands {
    q: Strided,
    k: Strided,
    v: Strided,
    d_o: Strided,
    d_lse: Strided,
    slopes: Vec<f32>,
    sinks: Vec<f32>,
    cu_seqlens: [Vec<usize>; 2],
    case: Case,
}

impl Operands {
    pub(crate) fn random(case: &Case) -> Operands {
        let mut random = Random(case.seed);
        let lengths = case.lengths.iter();
        let (queries, keys): (Vec<_>, Vec<_>) = lengths.copied().unzip();
        let [n, m] = [&queries, &keys].map(|lengths| lengths.iter().sum());
        let cu_seqlens = [queries, keys].map(cu_seqlens);
        let heads = case.heads();
        let mut array = |h, tokens, d| random.array([1, h, tokens, d], case.order, case.gap);
        Operands {
            q: array(heads, n, case.d_k),
            k: array(case.kv_heads, m, case.d_k),
            v: array(case.kv_heads, m, case.d_v),
            d_o: array(heads, n, case.d_v),
            d_lse: array(heads, n, 1),
            // As small as models have them: the log-sum-exp, of the size of slope times distance, is only f32.
            slopes: (0..heads).map(|_| random.unit() * 0.2 - 0.02).collect(),
            sinks: (0..heads).map(|_| random.normal()).collect(),
            cu_seqlens,
            case: case.clone(),
        }
    }

    pub(crate) fn q(&self) -> ArrayView3<'_, f32> {
        self.q.view().index_axis_move(Axis(0), 0)
    }

    pub(crate) fn k(&self) -> ArrayView3<'_, f32> {
        self.k.view().index_axis_move(Axis(0), 0)
    }

    pub(crate) fn v(&self) -> ArrayView3<'_, f32> {
        self.v.view().index_axis_move(Axis(0), 0)
    }

    pub(crate) fn d_o(&self) -> ArrayView3<'_, f32> {
        self.d_o.view().index_axis_move(Axis(0), 0)
    }

    /// \[H, N, 1\]
    pub(crate) fn d_lse(&self) -> Option<ArrayView3<'_, f32>> {
        let d_lse = self.d_lse.view().index_axis_move(Axis(0), 0);
        self.case.d_lse.then_some(d_lse)
    }

    pub(crate) fn sequences(&self) -> Sequences<'_> {
        let [q, k] = &self.cu_seqlens;
        match self.case.kind {
            Kind::Same => Sequences::new(q),
            Kind::AtEnd => Sequences::at_end(q, k),
            Kind::AtStart => Sequences::at_start(q, k),
        }
        .expect("sums of lengths")
    }

    pub(crate) fn scoring(&self) -> Scoring<'_> {
        let mut scoring = Scoring::default().with_mask(self.case.mask);
        scoring.scale = self.case.scale;
        scoring.soft_cap = self.case.soft_cap;
        scoring.alibi = self.case.alibi.then_some(&self.slopes[..]);
        scoring.sinks = self.case.sinks.then_some(&self.sinks[..]);
        scoring
    }

    /// What rounding may change in a score of a sequence, and so, relatively, in a weight: scores are sums of products as
    /// large as scale · ‖q‖ · ‖k‖, plus the distance penalty.
    pub(crate) fn rounding(&self, Sequence { queries, keys, .. }: &Sequence) -> f64 {
        let longest = |x: ArrayView3<f32>, tokens: &std::ops::Range<usize>| {
            let rows = part(x, tokens.clone());
            let squares = rows.rows().into_iter().map(|row| row.dot(&row));
            squares.fold(0.0, f32::max).sqrt()
        };
        let far = 2 * (queries.len() + keys.len()) + self.case.mask.offset().unsigned_abs();
        let penalty = if self.case.alibi {
            0.2 * far as f32
        } else {
            0.0
        };
        let score = self.case.scale().abs() * longest(self.q(), queries) * longest(self.k(), keys);
        2e-7 * f64::from(2.0 + score + penalty)
    }

    /// The mask of a sequence of `n` queries and `m` keys, by the table of [`Sequences`].
    pub(crate) fn mask(&self, (n, m): (usize, usize)) -> Mask {
        let by = match self.case.kind {
            Kind::AtEnd => m as isize - n as isize,
            Kind::Same | Kind::AtStart => 0,
        };
        match self.case.mask {
            Mask::None => Mask::None,
            Mask::Causal { offset } => Mask::Causal {
                offset: offset + by,
            },
            Mask::StrictlyBefore { offset } => Mask::StrictlyBefore {
                offset: offset + by,
            },
            Mask::Window { window, offset } => Mask::Window {
                window,
                offset: offset + by,
            },
        }
    }
}

/// Tokens `range` of \[heads, tokens, d\], as a batch of one.
pub(crate) fn part<E>(
    x: ArrayView3<'_, E>,
    range: std::ops::Range<usize>,
) -> ndarray::ArrayView4<'_, E> {
    x.slice_move(ndarray::s![.., range, ..])
        .insert_axis(Axis(0))
}
