//! What observers cost on top of the forward pass, both measured in turn.
//!
//! `cargo run --release -p lookback-attention --example observe_speed -- [SET] [THREADS] [SECONDS] [N] [PART OF A CASE'S NAME]`

#![expect(clippy::print_stdout, reason = "its purpose")]

use std::hint::black_box;
use std::time::Instant;

use lookback_attention::forward::forward_on;
use lookback_attention::measure::numbers;
use lookback_attention::observe::{
    Area, DistanceMass, Entropy, Observer, Pool, PooledTile, QueryBlock, Received, RowMax, Rows,
    Span, SpanMass, Tile, TopK, Walk, forward_and_observe_on, observe_on,
};
use lookback_attention::{Error, InstructionSet, Scoring};
use ndarray::{Array3, Array4, ArrayView4};

/// Heads and head dimension.
const H: usize = 12;
const D: usize = 64;

fn main() {
    let mut args = std::env::args().skip(1);
    let best = || InstructionSet::best().name().to_owned();
    let set = InstructionSet::named(&args.next().unwrap_or_else(best)).expect("a set's name");
    let mut number = |default: f64| {
        args.next()
            .map_or(default, |x| x.parse().expect("a number"))
    };
    let (threads, seconds, n) = (number(2.0) as usize, number(10.0), number(8192.0) as usize);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    let pool = pool.build().expect("a pool");
    let only = args.next().unwrap_or_default();
    println!(
        "{} on {threads} threads, H {H}, d {D}, N {n}, causal, f32",
        set.name()
    );
    println!("time as a part of the forward pass's in the same round: median (quartiles)");
    pool.install(|| Bench::new(set, n).run(seconds, &only));
}

/// The walk itself: every weight is computed, and nobody looks.
struct Nobody;

impl Observer for Nobody {
    type Block = ();
    type Output = ();

    fn start(&self, _: &Walk) -> Result<(), Error> {
        Ok(())
    }

    fn block(&self, _: &QueryBlock) {}

    fn tile(&self, (): &mut (), tile: &Tile) {
        black_box(tile.keys());
    }

    fn merge(&self, (): &mut (), _: &QueryBlock, (): ()) {}

    fn wanted(&self, area: &Area) -> std::ops::Range<usize> {
        area.keys.clone()
    }
}

struct Bench {
    set: InstructionSet,
    n: usize,
    q: Array4<f32>,
    k: Array4<f32>,
    v: Array4<f32>,
    lse: Array3<f32>,
    factors: Array3<f32>,
}

impl Bench {
    fn new(set: InstructionSet, n: usize) -> Bench {
        let [q, k, v] = [1, 2, 3].map(|salt| numbers((1, H, n, D), salt));
        let lse = forward_on(set, q.view(), k.view(), v.view(), &Scoring::default());
        let lse = lse.expect("valid").lse;
        let factors = v.map_axis(ndarray::Axis(3), |v| v.dot(&v).sqrt());
        Bench {
            set,
            n,
            q,
            k,
            v,
            lse,
            factors,
        }
    }

    /// Seconds of one walk.
    fn time<O: Observer>(&self, observer: &O) -> f64 {
        let call = (self.q.view(), self.k.view(), self.lse.view());
        let start = Instant::now();
        let found = observe_on(self.set, call, &Scoring::default(), &[], observer);
        let time = start.elapsed().as_secs_f64();
        black_box(found.is_ok());
        assert!(found.is_ok());
        time
    }

    /// Seconds of one forward pass.
    fn forward(&self) -> f64 {
        let views: [ArrayView4<f32>; 3] = [self.q.view(), self.k.view(), self.v.view()];
        let start = Instant::now();
        let out = forward_on(self.set, views[0], views[1], views[2], &Scoring::default());
        let time = start.elapsed().as_secs_f64();
        black_box(out.is_ok());
        time
    }

    /// Seconds of a forward pass that shows its weights.
    fn fused<O: Observer>(&self, observer: &O) -> f64 {
        let (q, kv) = (self.q.view(), (self.k.view(), self.v.view()));
        let start = Instant::now();
        let found = forward_and_observe_on(self.set, q, kv, &Scoring::default(), observer);
        let time = start.elapsed().as_secs_f64();
        black_box(found.is_ok());
        assert!(found.is_ok());
        time
    }

    fn run(&self, seconds: f64, only: &str) {
        let n = self.n;
        let spans: Vec<Span> = (0..5)
            .map(|s| Span::Keys(s * n / 5..(s + 1) * n / 5))
            .collect();
        let spans = [spans, vec![Span::first(), Span::own(), Span::previous()]].concat();
        let spans = SpanMass::new(spans);
        let rows = Rows::new((0..16).map(|r| r * n / 16 + n / 32).collect::<Vec<_>>());
        let pooled = |pool| PooledTile {
            rows: 0..n,
            cols: 0..n,
            height: 256,
            width: 256,
            pool,
        };
        let (top, product) = (
            TopK::by_weight(16),
            TopK::by_product(16, self.factors.view()),
        );
        let max = pooled(Pool::Max);
        let all = (
            (&top, &product),
            Entropy,
            (&spans, DistanceMass),
            (Received, RowMax),
            (&rows, &max),
        );
        type Case<'a> = (&'a str, Box<dyn Fn() -> f64 + 'a>);
        let mut cases: Vec<Case> = vec![
            ("all of them together", Box::new(|| self.time(&all))),
            ("forward and all of them", Box::new(|| self.fused(&all))),
            ("forward and the walk", Box::new(|| self.fused(&Nobody))),
            ("the walk itself", Box::new(|| self.time(&Nobody))),
            ("top 16 by weight", Box::new(|| self.time(&top))),
            ("top 16 by product", Box::new(|| self.time(&product))),
            ("entropy", Box::new(|| self.time(&Entropy))),
            ("8 spans", Box::new(|| self.time(&spans))),
            ("distances", Box::new(|| self.time(&DistanceMass))),
            ("received", Box::new(|| self.time(&Received))),
            ("row maximum", Box::new(|| self.time(&RowMax))),
            (
                "16 rows and the walk",
                Box::new(|| self.time(&(&rows, Nobody))),
            ),
            ("256x256 tile of all, max", Box::new(|| self.time(&max))),
            (
                "the same, mean",
                Box::new(|| self.time(&pooled(Pool::Mean))),
            ),
        ];
        cases.retain(|(name, _)| name.contains(only));
        let mut ratios = vec![Vec::new(); cases.len()];
        let mut forward = Vec::new();
        let began = Instant::now();
        while began.elapsed().as_secs_f64() < seconds || forward.len() < 3 {
            for (at, (_, time)) in cases.iter().enumerate() {
                // Each between two forward passes, so that a machine that slows down slows both.
                let before = self.forward();
                let time = time();
                let both = (before + self.forward()) / 2.0;
                ratios[at].push(time / both);
                forward.push(both);
            }
        }
        forward.sort_by(f64::total_cmp);
        println!("forward: {:.1} ms", forward[forward.len() / 2] * 1e3);
        for ((name, _), mut ratios) in cases.iter().zip(ratios) {
            ratios.sort_by(f64::total_cmp);
            let at = |part: f64| ratios[((ratios.len() - 1) as f64 * part).round() as usize];
            println!(
                "{name:26} {:.3} ({:.3} to {:.3})",
                at(0.5),
                at(0.25),
                at(0.75)
            );
        }
    }
}
