//! A case's operands, and what runs it.

use half::f16;
use ndarray::{Array, Array3, Array4, Axis, Dimension, ShapeBuilder};

use super::benchmark_case::{BenchmarkCase, Operation, Storage};
use crate::backward::{Gradients, GradientsMut, Inputs, Options, backward_into_on};
use crate::decode::{Cache, Workspace, decode_into_on};
use crate::forward::forward_into_on;
use crate::observe::{
    DistanceMass, Entropy, Observer, Pool, PooledTile, Received, RowMax, Rows, Span, SpanMass,
    TopK, forward_and_observe_on, observe_on,
};
use crate::{Element, Error, InstructionSet, Scoring};

/// Bytes of the caches that decoding takes in turn, at least.
const RING: usize = 256 << 20;

/// Makes the operands of a case, of unit variance; what is given runs it once, into arrays that are kept.
pub fn prepare(
    set: InstructionSet,
    case: &BenchmarkCase,
) -> Box<dyn FnMut() -> Result<(), Error> + Send> {
    match (case.operation, case.storage) {
        (Operation::Forward, _) => forward(set, *case),
        (Operation::ForwardBackward, _) => forward_backward(set, *case),
        (Operation::Observe, _) => observe(set, *case),
        (Operation::ForwardObserve, _) => forward_observe(set, *case),
        (Operation::Decode, Storage::F32) => decode(set, *case, |x| x),
        (Operation::Decode, Storage::F16) => decode(set, *case, f16::from_f32),
    }
}

/// Numbers without a pattern, uniform, of mean 0 and variance 1: other ones for each `salt`.
pub fn numbers<D: Dimension>(dim: impl ShapeBuilder<Dim = D>, salt: u32) -> Array<f32, D> {
    numbers_as(dim, salt, |x| x)
}

/// [`numbers`] in another form.
fn numbers_as<E, D: Dimension>(
    dim: impl ShapeBuilder<Dim = D>,
    salt: u32,
    of: impl Fn(f32) -> E,
) -> Array<E, D> {
    let mut state = u64::from(salt) << 32;
    Array::from_shape_simple_fn(dim, || {
        // SplitMix64 (Steele, Lea and Flood, 2014): of simpler ones, keys whose distance is a power of two are alike, which
        // lists of the heaviest keys notice.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let z = z ^ (z >> 31);
        of(((z >> 40) as f32 / (1 << 23) as f32 - 1.0) * 3f32.sqrt())
    })
}

/// q, k and v.
fn operands(case: &BenchmarkCase) -> [Array4<f32>; 3] {
    let keys = |d, salt| numbers((case.b, case.h_kv, case.m, d), salt);
    [
        numbers((case.b, case.h, case.n, case.d_k), 1),
        keys(case.d_k, 2),
        keys(case.d_v, 3),
    ]
}

/// O and LSE.
fn results(case: &BenchmarkCase) -> (Array4<f32>, Array3<f32>) {
    (
        Array4::zeros((case.b, case.h, case.n, case.d_v)),
        Array3::zeros((case.b, case.h, case.n)),
    )
}

fn forward(
    set: InstructionSet,
    case: BenchmarkCase,
) -> Box<dyn FnMut() -> Result<(), Error> + Send> {
    let [q, k, v] = operands(&case);
    let (mut o, mut lse) = results(&case);
    Box::new(move || {
        let scoring = Scoring::default().with_mask(case.mask());
        let out = (o.view_mut(), lse.view_mut());
        forward_into_on(set, q.view(), (k.view(), v.view()), &scoring, out)
    })
}

fn forward_backward(
    set: InstructionSet,
    case: BenchmarkCase,
) -> Box<dyn FnMut() -> Result<(), Error> + Send> {
    let [q, k, v] = operands(&case);
    let (mut o, mut lse) = results(&case);
    let d_o = numbers(o.dim(), 4);
    let mut gradients = Gradients {
        dq: Array4::zeros(q.dim()),
        dk: Array4::zeros(k.dim()),
        dv: Array4::zeros(v.dim()),
        d_bias: None,
        d_sinks: None,
    };
    Box::new(move || {
        let scoring = Scoring::default().with_mask(case.mask());
        let out = (o.view_mut(), lse.view_mut());
        forward_into_on(set, q.view(), (k.view(), v.view()), &scoring, out)?;
        let inputs = Inputs {
            q: q.view(),
            k: k.view(),
            v: v.view(),
            o: o.view(),
            lse: lse.view(),
            d_o: d_o.view(),
        };
        let out: GradientsMut = gradients.view_mut();
        backward_into_on(set, &inputs, &Options::default(), &scoring, out)
    })
}

fn decode<E: Element>(
    set: InstructionSet,
    case: BenchmarkCase,
    of: fn(f32) -> E,
) -> Box<dyn FnMut() -> Result<(), Error> + Send> {
    let q = numbers((case.b, case.h, case.n, case.d_k), 1);
    let count = RING.div_ceil(case.cache_bytes().max(1));
    let keys = |d, salt| numbers_as((case.b, case.h_kv, case.m, d), salt, of);
    let ring: Vec<_> = (0..count as u32)
        .map(|at| (keys(case.d_k, 2 * at + 2), keys(case.d_v, 2 * at + 3)))
        .collect();
    let (mut o, mut lse) = results(&case);
    let (mut workspace, mut at) = (Workspace::new(), 0);
    Box::new(move || {
        let (k, v) = &ring[at];
        at = (at + 1) % ring.len();
        let cache = Cache::Contiguous {
            k: k.view(),
            v: v.view(),
        };
        let scoring = Scoring::default().with_mask(case.mask());
        let (o, lse) = (o.view_mut(), lse.view_mut());
        decode_into_on(set, q.view(), &cache, &scoring, &mut workspace, o, lse)
    })
}

/// What all weights are asked.
struct Questions {
    weight: TopK<'static>,
    /// \[B, H, M\]: ‖v‖
    factors: Array3<f32>,
    spans: SpanMass,
    rows: Rows,
    picture: PooledTile,
}

impl Questions {
    fn new(case: &BenchmarkCase, v: &Array4<f32>) -> Questions {
        // A group's heads have the values in common.
        let norms = v.map_axis(Axis(3), |v| v.dot(&v).sqrt());
        let heads: Vec<usize> = (0..case.h).map(|h| h * case.h_kv / case.h).collect();
        let (n, m) = (case.n, case.m);
        let mut spans: Vec<Span> = (0..5)
            .map(|part| Span::Keys(part * m / 5..(part + 1) * m / 5))
            .collect();
        spans.extend([Span::first(), Span::own(), Span::previous()]);
        Questions {
            weight: TopK::by_weight(16),
            factors: norms.select(Axis(1), &heads),
            spans: SpanMass::new(spans),
            rows: Rows::new((0..16).map(|row| row * n / 16).collect::<Vec<_>>()),
            picture: PooledTile {
                rows: 0..n,
                cols: 0..m,
                height: n.min(256),
                width: m.min(256),
                pool: Pool::Max,
            },
        }
    }

    fn observer(&self) -> impl Observer {
        (
            (&self.weight, TopK::by_product(16, self.factors.view())),
            Entropy,
            (&self.spans, DistanceMass),
            (Received, RowMax),
            (&self.rows, &self.picture),
        )
    }
}

fn observe(
    set: InstructionSet,
    case: BenchmarkCase,
) -> Box<dyn FnMut() -> Result<(), Error> + Send> {
    let [q, k, v] = operands(&case);
    let (mut o, mut lse) = results(&case);
    let questions = Questions::new(&case, &v);
    let mut known = false;
    Box::new(move || {
        let scoring = Scoring::default().with_mask(case.mask());
        if !known {
            let out = (o.view_mut(), lse.view_mut());
            forward_into_on(set, q.view(), (k.view(), v.view()), &scoring, out)?;
            known = true;
        }
        let call = (q.view(), k.view(), lse.view());
        std::hint::black_box(observe_on(set, call, &scoring, &[], &questions.observer())?);
        Ok(())
    })
}

fn forward_observe(
    set: InstructionSet,
    case: BenchmarkCase,
) -> Box<dyn FnMut() -> Result<(), Error> + Send> {
    let [q, k, v] = operands(&case);
    let questions = Questions::new(&case, &v);
    Box::new(move || {
        let scoring = Scoring::default().with_mask(case.mask());
        let kv = (k.view(), v.view());
        let found = forward_and_observe_on(set, q.view(), kv, &scoring, &questions.observer())?;
        std::hint::black_box(found);
        Ok(())
    })
}
