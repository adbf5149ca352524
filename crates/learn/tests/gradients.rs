//! Gradients through the whole model: by finite differences in f64, and one for every parameter.

use candle_core::{DType, Device, Tensor, Var};
use lookback_learn::model::{Input, Pointer, loss};
use lookback_learn::{Config, Parameters};

/// B 2, N 5, d 6; the second text is shorter.
fn input() -> Input {
    let values: Vec<f64> = (0..2 * 5 * 6).map(|i| (f64::from(i) * 1.7).sin()).collect();
    let mut candidates = [0.0; 2 * 5 * 2];
    // Text 0: tokens 0 and 1 are the first candidate, 2 the second; text 1: token 0 and token 1.
    for (text, token, candidate) in [(0, 0, 0), (0, 1, 0), (0, 2, 1), (1, 0, 0), (1, 1, 1)] {
        candidates[(text * 5 + token) * 2 + candidate] = 1.0;
    }
    Input {
        x: Tensor::from_vec(values, (2, 5, 6), &Device::Cpu).unwrap(),
        rows: vec![4, 3],
        candidates: Tensor::new(&candidates, &Device::Cpu)
            .unwrap()
            .reshape((2, 5, 2))
            .unwrap(),
    }
}

/// Every combination of what can be switched.
fn configs() -> Vec<Config> {
    let base = Config {
        d_k: 4,
        d_v: 3,
        ..Config::new(6, 3, 2)
    };
    vec![
        base.clone(),
        Config {
            layers: 1,
            ..base.clone()
        },
        Config {
            residual: false,
            norm: false,
            rotary: None,
            scaled: false,
            ..base.clone()
        },
        Config {
            mlp: Some(5),
            ..base
        },
    ]
}

#[test]
fn gradients_are_the_slopes_of_the_loss() {
    for config in configs() {
        let parameters = Parameters::new(&config, 3)
            .unwrap()
            .to_dtype(DType::F64)
            .unwrap();
        let model = Pointer::new(config.clone(), parameters).unwrap();
        let input = input();
        let of = || loss(&model.masses(&input).unwrap(), &[1, 0], 0.5, 1e-6).unwrap();
        let gradients = of().backward().unwrap();
        for (name, var) in model.parameters().iter() {
            let exact = gradients
                .get(var)
                .unwrap_or_else(|| panic!("no gradient for {name}: {config:?}"));
            let exact = exact.flatten_all().unwrap().to_vec1::<f64>().unwrap();
            let values = var.flatten_all().unwrap().to_vec1::<f64>().unwrap();
            for entry in (0..values.len()).step_by(1 + values.len() / 7) {
                let at = |shift: f64| {
                    let mut moved = values.clone();
                    moved[entry] += shift;
                    var.set(&Tensor::from_vec(moved, var.dims(), &Device::Cpu).unwrap())
                        .unwrap();
                    of().to_scalar::<f64>().unwrap()
                };
                // Central differences: the error is of the order of 1e-10 from the step, 1e-11 from rounding.
                let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
                at(0.0);
                let difference = (slope - exact[entry]).abs();
                assert!(
                    difference < 1e-8,
                    "{name}[{entry}]: {slope} against {}; {config:?}",
                    exact[entry]
                );
            }
        }
    }
}

#[test]
fn every_parameter_gets_a_gradient_that_is_not_zero() {
    for config in configs() {
        let parameters = Parameters::new(&config, 3).unwrap();
        let model = Pointer::new(config.clone(), parameters).unwrap();
        let mut input = input();
        input.candidates = input.candidates.to_dtype(DType::F32).unwrap();
        let x = Var::from_tensor(&input.x.to_dtype(DType::F32).unwrap()).unwrap();
        input.x = x.as_tensor().clone();
        let gradients = loss(&model.masses(&input).unwrap(), &[1, 0], 0.5, 1e-6)
            .unwrap()
            .backward()
            .unwrap();
        for (name, var) in model.parameters().iter().chain([("the embeddings", &x)]) {
            let gradient = gradients
                .get(var)
                .unwrap_or_else(|| panic!("no gradient for {name}: {config:?}"));
            let size = gradient
                .abs()
                .unwrap()
                .max_all()
                .unwrap()
                .to_scalar::<f32>()
                .unwrap();
            assert!(size > 0.0 && size.is_finite(), "{name}: {size}");
        }
    }
}

#[test]
fn what_stands_after_the_row_that_is_read_changes_nothing() {
    let config = Config {
        d_k: 4,
        d_v: 3,
        ..Config::new(6, 3, 2)
    };
    let parameters = Parameters::new(&config, 3)
        .unwrap()
        .to_dtype(DType::F64)
        .unwrap();
    let model = Pointer::new(config, parameters).unwrap();
    let masses = |input: &Input| {
        model
            .masses(input)
            .unwrap()
            .flatten_all()
            .unwrap()
            .to_vec1::<f64>()
            .unwrap()
    };
    let mut input = input();
    input.rows = vec![2, 2];
    let before = masses(&input);
    let values = input.x.flatten_all().unwrap().to_vec1::<f64>().unwrap();
    let changed: Vec<f64> = values
        .iter()
        .enumerate()
        .map(|(i, x)| if i / 6 % 5 > 2 { x * 9.0 } else { *x })
        .collect();
    input.x = Tensor::from_vec(changed, (2, 5, 6), &Device::Cpu).unwrap();
    assert_eq!(before, masses(&input));
}
