//! Packed sequences against the same sequences padded into one batch and against one call for each, measured in turn.
//!
//! `cargo run --release -p lookback-attention --example varlen_speed -- [SET] [THREADS] [SECONDS A CASE] [PART OF A CASE'S NAME]`
//!
//! What the padded batch pays for moving tokens to their places is not counted, and outputs are kept from call to call.

#![expect(clippy::print_stdout, reason = "its purpose")]

use std::time::Instant;

use lookback_attention::backward::{self, Options};
use lookback_attention::forward::{self, Output};
use lookback_attention::measure::numbers;
use lookback_attention::varlen::{self, Sequences};
use lookback_attention::{InstructionSet, Scoring};
use ndarray::{Array3, Array4, Axis, s};

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
    let (threads, seconds) = (number(2.0) as usize, number(3.0));
    let only = args.next().unwrap_or_default();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    let pool = pool.build().expect("a pool");
    println!(
        "{} on {threads} threads, H {H}, d {D}, causal, f32; medians and quartiles of the ratio to packed",
        set.name()
    );
    let cases = [
        ("8 of 256", vec![256; 8]),
        ("32 of 16 to 1,024", spread(32, 16, 1024)),
        ("128 of 8 to 128", spread(128, 8, 128)),
        ("512 of 16", vec![16; 512]),
    ];
    for (name, lengths) in cases.into_iter().filter(|(name, _)| name.contains(&only)) {
        pool.install(|| Bench::new(set, &lengths).run(name, seconds));
    }
}

/// `count` lengths, as many between each two powers of 2, in no order.
fn spread(count: usize, least: usize, most: usize) -> Vec<usize> {
    let ratio = most as f64 / least as f64;
    let length = |at: usize| ratio.powf((at * 13 % count) as f64 / (count - 1) as f64);
    (0..count)
        .map(|at| (least as f64 * length(at)).round() as usize)
        .collect()
}

struct Bench {
    set: InstructionSet,
    lengths: Vec<usize>,
    cu_seqlens: Vec<usize>,
    /// q, k, v and dO, \[H, N, d\].
    packed: [Array3<f32>; 4],
    /// The same, \[B, H, the longest, d\], 0 where there is no token.
    padded: [Array4<f32>; 4],
    out: Packed,
    out_padded: Padded,
}

/// What is computed of packed sequences.
struct Packed {
    out: varlen::Output,
    gradients: varlen::Gradients,
}

/// What is computed of a batch.
struct Padded {
    out: Output,
    gradients: backward::Gradients,
}

impl Bench {
    fn new(set: InstructionSet, lengths: &[usize]) -> Bench {
        let cu_seqlens = varlen::cu_seqlens(lengths.iter().copied());
        let n = cu_seqlens[lengths.len()];
        let longest = *lengths.iter().max().expect("some");
        let packed = [1, 2, 3, 4].map(|salt| numbers((H, n, D), salt));
        let padded = packed.each_ref().map(|packed| {
            let mut padded = Array4::zeros((lengths.len(), H, longest, D));
            for (b, range) in cu_seqlens.windows(2).enumerate() {
                let tokens = packed.slice(s![.., range[0]..range[1], ..]);
                padded
                    .slice_mut(s![b, .., ..tokens.len_of(Axis(1)), ..])
                    .assign(&tokens);
            }
            padded
        });
        let [q, ..] = &packed;
        let out = Packed {
            out: varlen::Output {
                o: q.clone(),
                lse: q.slice(s![.., .., 0]).to_owned(),
            },
            gradients: varlen::Gradients {
                dq: q.clone(),
                dk: q.clone(),
                dv: q.clone(),
                d_sinks: None,
            },
        };
        let [q, ..] = &padded;
        let out_padded = Padded {
            out: Output {
                o: q.clone(),
                lse: q.slice(s![.., .., .., 0]).to_owned(),
            },
            gradients: backward::Gradients {
                dq: q.clone(),
                dk: q.clone(),
                dv: q.clone(),
                d_bias: None,
                d_sinks: None,
            },
        };
        Bench {
            set,
            lengths: lengths.to_vec(),
            cu_seqlens,
            packed,
            padded,
            out,
            out_padded,
        }
    }

    /// Seconds of the forward and of the backward pass.
    fn packed(&mut self) -> [f64; 2] {
        let sequences = Sequences::new(&self.cu_seqlens).expect("sums");
        let scoring = Scoring::default();
        let [q, k, v, d_o] = self.packed.each_ref().map(|x| x.view());
        let Packed { out, gradients } = &mut self.out;
        let start = Instant::now();
        let into = (out.o.view_mut(), out.lse.view_mut());
        varlen::forward_into_on(self.set, q, (k, v), &sequences, &scoring, into).expect("valid");
        let middle = Instant::now();
        let inputs = varlen::Inputs {
            q,
            k,
            v,
            o: out.o.view(),
            lse: out.lse.view(),
            d_o,
            d_lse: None,
        };
        let into = gradients.view_mut();
        varlen::backward_into_on(self.set, &inputs, &sequences, &scoring, into).expect("valid");
        [
            (middle - start).as_secs_f64(),
            middle.elapsed().as_secs_f64(),
        ]
    }

    fn padded(&mut self) -> [f64; 2] {
        let scoring = Scoring::default().with_key_lengths(&self.lengths);
        let [q, k, v, d_o] = self.padded.each_ref().map(|x| x.view());
        let Padded { out, gradients } = &mut self.out_padded;
        let start = Instant::now();
        let into = (out.o.view_mut(), out.lse.view_mut());
        forward::forward_into_on(self.set, q, (k, v), &scoring, into).expect("valid");
        let middle = Instant::now();
        let inputs = backward::Inputs {
            q,
            k,
            v,
            o: out.o.view(),
            lse: out.lse.view(),
            d_o,
        };
        let (options, into) = (Options::default(), gradients.view_mut());
        backward::backward_into_on(self.set, &inputs, &options, &scoring, into).expect("valid");
        [
            (middle - start).as_secs_f64(),
            middle.elapsed().as_secs_f64(),
        ]
    }

    /// One call after the other.
    fn alone(&mut self) -> [f64; 2] {
        let scoring = Scoring::default();
        let Packed { out, gradients } = &mut self.out;
        let start = Instant::now();
        for range in self.cu_seqlens.windows(2) {
            let tokens = s![.., range[0]..range[1], ..];
            let [q, k, v, _] = self
                .packed
                .each_ref()
                .map(|x| x.slice(tokens).insert_axis(Axis(0)));
            let lse = out.lse.slice_mut(s![.., range[0]..range[1]]);
            let o = out.o.slice_mut(tokens).insert_axis(Axis(0));
            let into = (o, lse.insert_axis(Axis(0)));
            forward::forward_into_on(self.set, q, (k, v), &scoring, into).expect("valid");
        }
        let middle = Instant::now();
        for range in self.cu_seqlens.windows(2) {
            let tokens = s![.., range[0]..range[1], ..];
            let [q, k, v, d_o] = self
                .packed
                .each_ref()
                .map(|x| x.slice(tokens).insert_axis(Axis(0)));
            let lse = out.lse.slice(s![.., range[0]..range[1]]);
            let inputs = backward::Inputs {
                q,
                k,
                v,
                o: out.o.slice(tokens).insert_axis(Axis(0)),
                lse: lse.insert_axis(Axis(0)),
                d_o,
            };
            let into = backward::GradientsMut {
                dq: gradients.dq.slice_mut(tokens).insert_axis(Axis(0)),
                dk: gradients.dk.slice_mut(tokens).insert_axis(Axis(0)),
                dv: gradients.dv.slice_mut(tokens).insert_axis(Axis(0)),
                d_bias: None,
                d_sinks: None,
            };
            backward::backward_into_on(self.set, &inputs, &Options::default(), &scoring, into)
                .expect("valid");
        }
        [
            (middle - start).as_secs_f64(),
            middle.elapsed().as_secs_f64(),
        ]
    }

    /// Measures the three in turn, and prints a line for the forward and one for the backward pass.
    fn run(&mut self, name: &str, seconds: f64) {
        let (mut rounds, began) = (Vec::new(), Instant::now());
        while began.elapsed().as_secs_f64() < seconds || rounds.len() < 5 {
            let mut times = [[0.0; 2]; 3];
            // Each is first as often as the others: what runs after what is in the caches.
            for turn in rounds.len()..rounds.len() + 3 {
                times[turn % 3] = match turn % 3 {
                    0 => self.packed(),
                    1 => self.padded(),
                    _ => self.alone(),
                };
            }
            rounds.push(times);
        }
        let longest = *self.lengths.iter().max().expect("some");
        let tokens = self.cu_seqlens[self.lengths.len()];
        println!(
            "{name}: {tokens} tokens, {} padded, {} rounds",
            longest * self.lengths.len(),
            rounds.len()
        );
        for (pass, name) in ["forward", "backward"].into_iter().enumerate() {
            let of = |measured: fn([f64; 3]) -> f64| {
                let times = |round: &[[f64; 2]; 3]| measured(round.map(|times| times[pass]));
                let mut list: Vec<f64> = rounds.iter().map(times).collect();
                list.sort_by(f64::total_cmp);
                [0.25, 0.5, 0.75].map(|part| list[((list.len() - 1) as f64 * part) as usize])
            };
            let packed = of(|[packed, _, _]| packed);
            let padded = of(|[packed, padded, _]| padded / packed);
            let alone = of(|[packed, _, alone]| alone / packed);
            println!(
                "  {name:8}: packed {:7.2} ms; padded {:5.2} ({:.2} to {:.2}), one by one {:5.2} ({:.2} to {:.2})",
                packed[1] * 1e3,
                padded[1],
                padded[0],
                padded[2],
                alone[1],
                alone[0],
                alone[2],
            );
        }
    }
}
