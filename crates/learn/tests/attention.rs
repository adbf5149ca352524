//! The attention operation's gradients against candle's own autograd over the unfused formula, and what it refuses.

use candle_core::{D, DType, Device, Tensor, Var};
use lookback_attention::Mask;
use lookback_learn::Error;
use lookback_learn::attention::{Heads, Options, attend, attend_rows};
use proptest::prelude::*;

/// softmax(q·kᵀ·scale + mask)·v, operation by operation.
fn unfused(q: &Tensor, k: &Tensor, v: &Tensor, options: &Options) -> candle_core::Result<Tensor> {
    let (b, h, n, d_k) = q.dims4()?;
    let m = k.dim(2)?;
    let group = h / k.dim(1)?;
    let repeat = |x: &Tensor| -> candle_core::Result<Tensor> {
        let (b, h_kv, m, d) = x.dims4()?;
        x.unsqueeze(2)?
            .expand((b, h_kv, group, m, d))?
            .reshape((b, h, m, d))
    };
    let (k, v) = (repeat(k)?, repeat(v)?);
    let scale = options.scale.map_or(1.0 / (d_k as f64).sqrt(), f64::from);
    let scores = (q.matmul(&k.t()?)? * scale)?;
    let mut hidden = Vec::with_capacity(b * n * m);
    for element in 0..b {
        let keys = options.key_lengths.as_ref().map_or(m, |l| l[element]);
        for i in 0..n {
            let seen = options.mask.visible(i, keys);
            hidden.extend((0..m).map(|j| if seen.contains(&j) { 0.0 } else { -1e9 }));
        }
    }
    let bias = Tensor::from_vec(hidden, (b, 1, n, m), &Device::Cpu)?.to_dtype(q.dtype())?;
    candle_nn::ops::softmax(&scores.broadcast_add(&bias)?, D::Minus1)?.matmul(&v)
}

/// The largest difference between gradients by both ways, relative to the largest gradient or to 1: where terms of order 1
/// cancel, as with a single key, their rounding is left.
fn difference(shapes: [[usize; 4]; 3], options: &Options, dtype: DType) -> f64 {
    let var = |shape: [usize; 4], salt: usize| {
        let count = shape.iter().product::<usize>();
        let values: Vec<f64> = (0..count)
            .map(|i| ((i * 37 + salt) as f64 * 0.71).sin() * 1.5)
            .collect();
        let tensor = Tensor::from_vec(values, &shape[..], &Device::Cpu).unwrap();
        Var::from_tensor(&tensor.to_dtype(dtype).unwrap()).unwrap()
    };
    let vars = [var(shapes[0], 1), var(shapes[1], 5), var(shapes[2], 11)];
    let weight = Tensor::arange(0f64, 1000.0, &Device::Cpu)
        .unwrap()
        .sin()
        .unwrap();
    let gradients = |z: Tensor| {
        let count = z.elem_count();
        let weight = weight.narrow(0, 0, count).unwrap().to_dtype(dtype).unwrap();
        let loss = (z.flatten_all().unwrap() * weight)
            .unwrap()
            .sum_all()
            .unwrap();
        let gradients = loss.backward().unwrap();
        vars.each_ref().map(|var| {
            gradients
                .get(var)
                .expect("a gradient for each operand")
                .clone()
        })
    };
    let fused = gradients(attend(&vars[0], &vars[1], &vars[2], options).unwrap());
    let plain = gradients(unfused(&vars[0], &vars[1], &vars[2], options).unwrap());
    let mut worst = 0.0_f64;
    for (fused, plain) in fused.iter().zip(&plain) {
        assert_eq!(fused.dims(), plain.dims());
        let largest = |x: &Tensor| {
            let x = x.to_dtype(DType::F64).unwrap().abs().unwrap();
            x.max_all().unwrap().to_scalar::<f64>().unwrap()
        };
        worst = worst.max(largest(&(fused - plain).unwrap()) / largest(plain).max(1.0));
    }
    worst
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn gradients_equal_those_of_the_unfused_formula(
        b in 1..3_usize, h_kv in 1..3_usize, group in 1..3_usize, n in 1..7_usize,
        d_k in 1..6_usize, d_v in 1..6_usize, causal: bool, scale in prop::option::of(0.1_f32..2.0),
        lengths: bool,
    ) {
        let mask = if causal { Mask::default() } else { Mask::None };
        let mut options = Options::default().with_mask(mask);
        options.scale = scale;
        if lengths {
            options = options.with_key_lengths((0..b).map(|b| (n - b).max(1)).collect());
        }
        let shapes = [[b, h_kv * group, n, d_k], [b, h_kv, n, d_k], [b, h_kv, n, d_v]];
        // Rounding of f32 sums of at most 36 terms, and of f64's.
        prop_assert!(difference(shapes, &options, DType::F32) < 3e-5);
        prop_assert!(difference(shapes, &options, DType::F64) < 1e-12);
    }
}

/// \[B·N, H·d\] as \[B, H, N, d\].
fn heads_first(x: &Tensor, batch: usize, heads: usize) -> Tensor {
    let (rows, columns) = x.dims2().unwrap();
    let shape = (batch, rows / batch, heads, columns / heads);
    x.reshape(shape).unwrap().transpose(1, 2).unwrap()
}

#[test]
fn rows_with_heads_side_by_side_give_the_same() {
    let (b, h, h_kv, n, d_k, d_v) = (2, 4, 2, 5, 6, 3);
    for dtype in [DType::F32, DType::F64] {
        let var = |heads: usize, d: usize, salt: f64| {
            let count = (b * n * heads * d) as u32;
            let values = (0..count).map(|i| (f64::from(i) * 0.71 + salt).sin());
            let tensor = Tensor::from_iter(values, &Device::Cpu).unwrap();
            let tensor = tensor.reshape((b * n, heads * d)).unwrap();
            Var::from_tensor(&tensor.to_dtype(dtype).unwrap()).unwrap()
        };
        let vars = [var(h, d_k, 0.0), var(h_kv, d_k, 1.0), var(h_kv, d_v, 2.0)];
        let [q, k, v] = &vars;
        let heads = Heads {
            batch: b,
            queries: h,
            keys: h_kv,
        };
        let options = Options::default();
        let rows = attend_rows(q, k, v, heads, &options).unwrap();
        assert_eq!(rows.dims(), [b * n, h * d_v]);
        let apart = [(q, h), (k, h_kv), (v, h_kv)].map(|(x, heads)| heads_first(x, b, heads));
        let [q, k, v] = &apart;
        let plain = attend(q, k, v, &options).unwrap();
        let loss = |z: &Tensor| {
            let z = z.flatten_all().unwrap();
            let weight = Tensor::arange(0f64, z.elem_count() as f64, &Device::Cpu).unwrap();
            let weight = weight.sin().unwrap().to_dtype(dtype).unwrap();
            (z * weight).unwrap().sum_all().unwrap()
        };
        let plain = plain.transpose(1, 2).unwrap().contiguous().unwrap();
        let [by_rows, by_heads] = [&rows, &plain].map(|z| loss(z).backward().unwrap());
        let numbers = |x: &Tensor| {
            let x = x.to_dtype(DType::F64).unwrap();
            x.flatten_all().unwrap().to_vec1::<f64>().unwrap()
        };
        assert_eq!(numbers(&rows), numbers(&plain));
        for var in &vars {
            assert_eq!(
                numbers(by_rows.get(var).unwrap()),
                numbers(by_heads.get(var).unwrap())
            );
        }
    }
}

#[test]
fn rows_that_do_not_divide_are_refused() {
    let x = Tensor::zeros((6, 8), DType::F32, &Device::Cpu).unwrap();
    for (batch, queries) in [(4, 2), (2, 3), (0, 2), (2, 0)] {
        let heads = Heads {
            batch,
            queries,
            keys: 2,
        };
        assert!(attend_rows(&x, &x, &x, heads, &Options::default()).is_err());
    }
}

#[test]
fn strided_and_broadcast_operands_are_taken_as_they_are() {
    let x = |shape: &[usize]| {
        let count = shape.iter().product::<usize>();
        let values: Vec<f32> = (0..count).map(|i| (i as f32 * 0.37).cos()).collect();
        Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
    };
    let q = x(&[2, 5, 3, 4]).transpose(1, 2).unwrap();
    let v = x(&[2, 1, 5, 2]).broadcast_as((2, 3, 5, 2)).unwrap();
    let strided = attend(&q, &q, &v, &Options::default()).unwrap();
    let (q, v) = (q.contiguous().unwrap(), v.contiguous().unwrap());
    let plain = attend(&q, &q, &v, &Options::default()).unwrap();
    let values = |x: &Tensor| x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert_eq!(values(&strided), values(&plain));
}

#[test]
fn what_does_not_fit_is_told_by_the_kernel_itself() {
    let zeros = |shape: [usize; 4]| Tensor::zeros(&shape[..], DType::F32, &Device::Cpu).unwrap();
    let refused = attend(
        &zeros([1, 3, 4, 8]),
        &zeros([1, 2, 4, 8]),
        &zeros([1, 2, 4, 8]),
        &Options::default(),
    );
    assert!(matches!(
        refused,
        Err(Error::Attention(lookback_attention::Error::UnevenGroups {
            heads: 3,
            kv_heads: 2
        }))
    ));
    let refused = attend(
        &zeros([1, 2, 4, 8]),
        &zeros([1, 2, 4, 6]),
        &zeros([1, 2, 4, 8]),
        &Options::default(),
    );
    assert!(matches!(
        refused,
        Err(Error::Attention(lookback_attention::Error::ShapeMismatch {
            dimension: "d_k",
            ..
        }))
    ));
    let flat = Tensor::zeros((4, 8), DType::F32, &Device::Cpu).unwrap();
    assert!(attend(&flat, &flat, &flat, &Options::default()).is_err());
    let mixed = zeros([1, 2, 4, 8]).to_dtype(DType::F64).unwrap();
    assert!(
        attend(
            &mixed,
            &zeros([1, 2, 4, 8]),
            &zeros([1, 2, 4, 8]),
            &Options::default()
        )
        .is_err()
    );
}

#[test]
fn nan_is_never_a_silent_zero() {
    let q = Tensor::full(f32::NAN, (1, 1, 2, 4), &Device::Cpu).unwrap();
    let z = attend(&q, &q, &q, &Options::default()).unwrap();
    assert!(
        z.flatten_all()
            .unwrap()
            .to_vec1::<f32>()
            .unwrap()
            .iter()
            .all(|x| x.is_nan())
    );
}
