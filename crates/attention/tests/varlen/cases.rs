//! Packed batches that the tests share: lengths, options, and operands drawn for them.

use lookback_attention::varlen::{Sequence, Sequences, cu_seqlens};
use lookback_attention::{Mask, Scoring};
use ndarray::{ArrayView3, Axis};
use proptest::prelude::*;

use crate::common::cases::{depths, masks, ranges, rounding};
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

    /// Under a mask of ranges, where there are more queries than keys at whose end they stand, the first of them stands before the
    /// first key: the ranges begin there.
    fn with_ranges_for_all(mut self) -> Case {
        if let (Kind::AtEnd, Mask::Ranges { offset, .. }) = (self.kind, &mut self.mask) {
            let excess = self.lengths.iter().map(|(n, m)| n.saturating_sub(*m));
            *offset += excess.max().unwrap_or(0) as isize;
        }
        self
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

/// Any call.
pub(crate) fn cases() -> impl Strategy<Value = Case> {
    let lengths = prop::collection::vec((length(), length()), 1..7);
    let shape = (1usize..3, 1usize..4, depths(), depths());
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
            let case = Case {
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
            };
            case.with_ranges_for_all()
        },
    )
}

/// Every option alone, and all together, under every mask, of `plain`'s lengths.
pub(crate) fn with_every_option(plain: &Case) -> Vec<Case> {
    let masks = [
        Mask::None,
        Mask::default(),
        Mask::StrictlyBefore { offset: 0 },
        Mask::Window {
            window: 20,
            offset: 0,
        },
        Mask::SymmetricWindow {
            radius: 9,
            offset: 0,
        },
        Mask::Ranges {
            ranges: ranges(0, 7, 0),
            offset: 13,
        },
    ];
    let mut cases = Vec::new();
    for (kind, mask) in [Kind::AtEnd, Kind::AtStart]
        .into_iter()
        .flat_map(|kind| masks.clone().map(|mask| (kind, mask)))
    {
        let plain = Case {
            kind,
            mask,
            ..plain.clone()
        }
        .with_ranges_for_all();
        let with = |change: fn(&mut Case)| {
            let mut case = plain.clone();
            change(&mut case);
            case
        };
        cases.extend([
            with(|_| ()),
            with(|case| case.scale = Some(0.3)),
            with(|case| case.soft_cap = Some(1.5)),
            with(|case| case.alibi = true),
            with(|case| case.sinks = true),
            with(|case| case.d_lse = !case.d_lse),
            Case {
                scale: Some(-0.2),
                soft_cap: Some(2.0),
                alibi: true,
                sinks: true,
                kv_heads: 2,
                group: 3,
                d_k: 33,
                d_v: 7,
                ..plain.clone()
            },
        ]);
    }
    cases
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
        let mut scoring = Scoring::default().with_mask(self.case.mask.clone());
        scoring.scale = self.case.scale;
        scoring.soft_cap = self.case.soft_cap;
        scoring.alibi = self.case.alibi.then_some(self.slopes[..].into());
        scoring.sinks = self.case.sinks.then_some(self.sinks[..].into());
        scoring
    }

    /// What rounding may change in a score of a sequence.
    pub(crate) fn rounding(&self, Sequence { queries, keys, .. }: &Sequence) -> f64 {
        let far = 2 * (queries.len() + keys.len()) + self.case.mask.offset().unsigned_abs();
        let penalty = match self.case.alibi {
            true => 0.2 * far as f32,
            false => 0.0,
        };
        let q = part(self.q(), queries.clone());
        let k = part(self.k(), keys.clone());
        rounding(
            (&q, &k),
            self.case.scale(),
            penalty,
            self.case.soft_cap.is_some(),
        )
    }

    /// The mask of a sequence of `n` queries and `m` keys, by the table of [`Sequences`].
    pub(crate) fn mask(&self, (n, m): (usize, usize)) -> Mask {
        let by = match self.case.kind {
            Kind::AtEnd => m as isize - n as isize,
            Kind::Same | Kind::AtStart => 0,
        };
        let mut mask = self.case.mask.clone();
        if let Some(offset) = mask.offset_mut() {
            *offset += by;
        }
        mask
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
