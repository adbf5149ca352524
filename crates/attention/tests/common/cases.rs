//! Calls drawn at random: shapes, strides and every option of the scoring.

use lookback_attention::{KeyRanges, Mask, Scoring};
use ndarray::{Array4, ArrayView4};
use proptest::prelude::*;

use super::{Random, Strided};

/// One call: everything that attention of q over k and v has.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) b: usize,
    pub(crate) kv_heads: usize,
    /// Query heads that share a key/value head.
    pub(crate) group: usize,
    pub(crate) n: usize,
    pub(crate) m: usize,
    pub(crate) d_k: usize,
    pub(crate) d_v: usize,
    pub(crate) options: Options,
    /// Which of [`ORDERS`].
    order: usize,
    gap: usize,
    pub(crate) seed: u64,
}

/// Which options of `Scoring` a case uses; what they hold is drawn with the operands.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    pub(crate) mask: Mask,
    pub(crate) scale: Option<f32>,
    pub(crate) soft_cap: Option<f32>,
    pub(crate) alibi: bool,
    pub(crate) sinks: bool,
    /// Along which axes the bias has its full length.
    pub(crate) bias: Option<[bool; 4]>,
    pub(crate) key_lengths: bool,
}

/// How the axes lie in memory.
const ORDERS: [[usize; 4]; 4] = [[0, 1, 2, 3], [0, 2, 1, 3], [3, 1, 0, 2], [1, 0, 3, 2]];

/// Lengths around all sizes of strips, tiles and blocks.
pub(crate) fn lengths() -> impl Strategy<Value = usize> {
    prop_oneof![3 => 1usize..40, 2 => 40usize..150, 1 => 250usize..300, 1 => 500usize..530]
}

/// Head dimensions: small ones, and those that models have.
pub(crate) fn depths() -> impl Strategy<Value = usize> {
    prop_oneof![
        1usize..20,
        prop::sample::select(vec![1usize, 7, 16, 31, 32, 33, 48, 64, 80, 96, 128])
    ]
}

/// Masks of every kind, their borders anywhere.
pub(crate) fn masks() -> impl Strategy<Value = Mask> {
    let offset = || prop_oneof![Just(0isize), -20isize..60, -600isize..700];
    prop_oneof![
        Just(Mask::None),
        offset().prop_map(|offset| Mask::Causal { offset }),
        offset().prop_map(|offset| Mask::StrictlyBefore { offset }),
        (prop_oneof![1usize..10, 1usize..300], offset())
            .prop_map(|(window, offset)| Mask::Window { window, offset }),
        (prop_oneof![0usize..10, 1usize..300], offset())
            .prop_map(|(radius, offset)| Mask::SymmetricWindow { radius, offset }),
        (0..KINDS, 1usize..90, any::<u64>(), 0isize..60).prop_map(|(kind, width, seed, offset)| {
            Mask::Ranges {
                ranges: ranges(kind, width, seed),
                offset,
            }
        }),
    ]
}

/// How many kinds of [`ranges`] there are.
pub(crate) const KINDS: usize = 6;

/// Ranges of keys for more positions than any case has; `width` is how many belong together.
pub(crate) fn ranges(kind: usize, width: usize, seed: u64) -> KeyRanges {
    let mut random = Random(seed);
    let (mut start, mut end) = (0, 0);
    let range = |i: usize| match (kind, i / width) {
        // A causal mask in chunks.
        (0, chunk) => chunk * width..i + 1,
        // A prefix that sees itself whole, and a causal mask behind it.
        (1, _) => 0..(i + 1).max(width),
        // Packed documents.
        (2, document) => document * width..(document + 1) * width,
        // The same with padding between them, which sees nothing.
        (3, document) if document % 3 == 1 => document * width..document * width,
        (3, document) => document * width..(document + 1) * width,
        // A causal mask with padding on both sides.
        (4, 0) => 0..0,
        (4, chunk) if chunk < 4 => width..i + 1,
        (4, _) => 4 * width..4 * width,
        // Anything.
        _ => {
            let step = |random: &mut Random| random.next() as usize % 3;
            start += step(&mut random);
            end = (end + step(&mut random)).max(start);
            start..end
        }
    };
    KeyRanges::new((0..1300).map(range)).expect("neither end moves back")
}

/// Cases of these group sizes and lengths (N, M).
pub(crate) fn cases(
    groups: impl Strategy<Value = usize>,
    lengths: (impl Strategy<Value = usize>, impl Strategy<Value = usize>),
) -> impl Strategy<Value = Case> {
    let heads = (1usize..3, 1usize..3, groups);
    let options = (
        masks(),
        prop::option::of(-0.5f32..0.5),
        prop::option::weighted(0.25, 0.5f32..30.0),
        prop::bool::weighted(0.25),
        prop::bool::weighted(0.25),
        prop::option::weighted(0.25, any::<[bool; 4]>()),
        prop::bool::weighted(0.25),
    );
    let options =
        options.prop_map(
            |(mask, scale, soft_cap, alibi, sinks, bias, key_lengths)| Options {
                mask,
                scale,
                soft_cap,
                alibi,
                sinks,
                bias,
                key_lengths,
            },
        );
    let storage = (0..ORDERS.len(), 0usize..2, any::<u64>());
    (heads, lengths, (depths(), depths()), options, storage).prop_map(
        |((b, kv_heads, group), (n, m), (d_k, d_v), options, (order, gap, seed))| Case {
            b,
            kv_heads,
            group,
            n,
            m,
            d_k,
            d_v,
            options,
            order,
            gap,
            seed,
        },
    )
}

/// The operands of a case, and what its options hold.
pub(crate) struct Operands {
    q: Strided,
    k: Strided,
    v: Strided,
    slopes: Vec<f32>,
    sinks: Vec<f32>,
    lengths: Vec<usize>,
    bias: Array4<f32>,
    options: Options,
}

impl Case {
    /// One batch element and key/value head without options, causal with the queries at the end.
    pub(crate) fn plain(group: usize, (n, m): (usize, usize), (d_k, d_v): (usize, usize)) -> Case {
        Case {
            b: 1,
            kv_heads: 1,
            group,
            n,
            m,
            d_k,
            d_v,
            options: Options {
                mask: Mask::causal_at_end(n, m),
                ..Options::default()
            },
            order: 0,
            gap: 0,
            seed: (d_k * 1000 + n) as u64,
        }
    }

    /// Query heads.
    pub(crate) fn heads(&self) -> usize {
        self.kv_heads * self.group
    }

    /// Draws the operands.
    pub(crate) fn operands(&self, random: &mut Random) -> Operands {
        let (b, h, order) = (self.b, self.heads(), ORDERS[self.order]);
        let full = self.options.bias.unwrap_or_default();
        let dim = [b, h, self.n, self.m];
        Operands {
            q: random.array([b, h, self.n, self.d_k], order, self.gap),
            k: random.array([b, self.kv_heads, self.m, self.d_k], order, self.gap),
            v: random.array([b, self.kv_heads, self.m, self.d_v], order, self.gap),
            slopes: (0..h).map(|_| random.unit() * 0.2 - 0.02).collect(),
            sinks: (0..h).map(|_| random.normal() * 2.0).collect(),
            lengths: (0..b)
                .map(|_| random.next() as usize % (self.m + 1))
                .collect(),
            bias: random.plain(std::array::from_fn(|i| if full[i] { dim[i] } else { 1 })),
            options: self.options.clone(),
        }
    }

    /// [`rounding`] of the case.
    pub(crate) fn rounding(&self, q: &ArrayView4<f32>, k: &ArrayView4<f32>) -> f64 {
        let options = &self.options;
        let scale = options.scale.unwrap_or(1.0 / (self.d_k as f32).sqrt());
        let far = (self.n + self.m + options.mask.offset().unsigned_abs()) as f32;
        let penalty = if options.alibi { 0.2 * far } else { 0.0 };
        rounding((q, k), scale, penalty, options.soft_cap.is_some())
    }
}

/// What rounding may change in a score, and so, relatively, in a weight: scores are sums of products as large as
/// scale · ‖q‖ · ‖k‖, plus the distance penalty; a soft cap adds what its tanh may be off, eight units in the last place.
pub(crate) fn rounding(
    (q, k): (&ArrayView4<f32>, &ArrayView4<f32>),
    scale: f32,
    penalty: f32,
    soft_cap: bool,
) -> f64 {
    let longest = |x: &ArrayView4<f32>| {
        let squares = x.rows().into_iter().map(|row| row.dot(&row));
        squares.fold(0.0, f32::max).sqrt()
    };
    let products = f64::from(scale.abs() * longest(q) * longest(k));
    let tanh = if soft_cap {
        8.0 * f64::from(f32::EPSILON)
    } else {
        0.0
    };
    2e-7 * (2.0 + products + f64::from(penalty)) + tanh * products
}

impl Operands {
    /// q, k and v.
    pub(crate) fn views(&self) -> [ArrayView4<'_, f32>; 3] {
        [self.q.view(), self.k.view(), self.v.view()]
    }

    /// The options, borrowing what they hold.
    pub(crate) fn scoring(&self) -> Scoring<'_> {
        let options = &self.options;
        let mut scoring = Scoring::default().with_mask(options.mask.clone());
        scoring.scale = options.scale;
        scoring.soft_cap = options.soft_cap;
        scoring.alibi = options.alibi.then_some(self.slopes[..].into());
        scoring.sinks = options.sinks.then_some(self.sinks[..].into());
        scoring.bias = options.bias.map(|_| self.bias.view());
        scoring.key_lengths = options.key_lengths.then_some(&self.lengths[..]);
        scoring
    }
}
