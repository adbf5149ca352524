//! Training: the same bits with and without interruption, and what stops it.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use lookback_learn::batch::Table;
use lookback_learn::train::{Files, Record, Settings, Trainer};
use lookback_learn::{Base, Config, Error};
use lookback_model::store::PRONOUN;

fn base() -> Base {
    let path = PRONOUN.address();
    Base::open(&path).unwrap()
}

fn small(d: usize) -> Config {
    Config {
        d_k: 4,
        d_v: 4,
        ..Config::new(d, 2, 2)
    }
}

fn settings() -> Settings {
    Settings {
        steps: 12,
        draws: 1,
        interval: 4,
        warmup: 3,
        ramp: 6,
        ..Settings::default()
    }
}

fn files(folder: &Path) -> Files {
    Files {
        checkpoint: folder.join("training.safetensors"),
        metrics: folder.join("metrics.jsonl"),
    }
}

fn trainer<'a>(
    base: &'a Base,
    settings: Settings,
    files: Option<Files>,
) -> Result<Trainer<'a>, Error> {
    let table = Table::Frozen(base.values(), base.d());
    Trainer::new(small(base.d()), settings, (base.tokenizer(), table), files)
}

fn numbers(trainer: &Trainer) -> Vec<f32> {
    let all = trainer.model().parameters().iter();
    all.flat_map(|(_, var)| var.flatten_all().unwrap().to_vec1::<f32>().unwrap())
        .collect()
}

/// Stops after step `at`.
fn stop_at(at: usize) -> impl FnMut(&Record) -> ControlFlow<()> {
    move |record| {
        if record.step == at {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

#[test]
fn a_run_that_was_interrupted_ends_in_the_same_bits() {
    let base = base();
    let folder = tempfile::tempdir().unwrap();
    let mut whole = trainer(&base, settings(), None).unwrap();
    whole.run(|_| ControlFlow::Continue(())).unwrap();
    for stop in [3, 4, 7] {
        let mut first = trainer(&base, settings(), Some(files(folder.path()))).unwrap();
        assert!(matches!(first.run(stop_at(stop)), Err(Error::Stopped { step }) if step == stop));
    }
    let mut last = trainer(&base, settings(), Some(files(folder.path()))).unwrap();
    assert_eq!(last.step(), 7);
    last.run(|_| ControlFlow::Continue(())).unwrap();
    assert_eq!(numbers(&whole), numbers(&last));
    let log = std::fs::read_to_string(files(folder.path()).metrics).unwrap();
    let steps: Vec<usize> = log
        .lines()
        .map(|line| serde_json::from_str::<Record>(line).unwrap().step)
        .collect();
    assert_eq!(steps, (1..=12).collect::<Vec<_>>());
}

/// A process that is killed leaves the last checkpoint, and a log that may run ahead of it and end within a line.
#[test]
fn after_a_kill_the_run_goes_on_from_the_last_checkpoint() {
    let base = base();
    let folder = tempfile::tempdir().unwrap();
    let mut whole = trainer(&base, settings(), None).unwrap();
    whole.run(|_| ControlFlow::Continue(())).unwrap();
    let mut first = trainer(&base, settings(), Some(files(folder.path()))).unwrap();
    assert!(first.run(stop_at(4)).is_err());
    let at_four = std::fs::read(files(folder.path()).checkpoint).unwrap();
    let mut second = trainer(&base, settings(), Some(files(folder.path()))).unwrap();
    assert!(second.run(stop_at(7)).is_err());
    std::fs::write(files(folder.path()).checkpoint, at_four).unwrap();
    let metrics = files(folder.path()).metrics;
    let log = std::fs::read_to_string(&metrics).unwrap();
    std::fs::write(&metrics, &log[..log.len() - 20]).unwrap();
    let mut last = trainer(&base, settings(), Some(files(folder.path()))).unwrap();
    assert_eq!(last.step(), 4);
    last.run(|_| ControlFlow::Continue(())).unwrap();
    assert_eq!(numbers(&whole), numbers(&last));
    assert_eq!(
        std::fs::read_to_string(&metrics).unwrap().lines().count(),
        12
    );
}

#[test]
fn a_checkpoint_of_another_shape_and_a_damaged_one_are_refused_and_kept() {
    let base = base();
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path());
    let mut first = trainer(&base, settings(), Some(files.clone())).unwrap();
    assert!(first.run(stop_at(1)).is_err());
    let whole = std::fs::read(&files.checkpoint).unwrap();
    let other = Config {
        heads: 3,
        ..small(base.d())
    };
    let table = Table::Frozen(base.values(), base.d());
    let refused = Trainer::new(
        other,
        settings(),
        (base.tokenizer(), table),
        Some(files.clone()),
    );
    let message = refused.err().unwrap().to_string();
    assert!(
        message.contains("another model") && message.contains("heads: 3"),
        "{message}"
    );
    for damaged in [&whole[..whole.len() / 2], b"", b"not a checkpoint at all"] {
        std::fs::write(&files.checkpoint, damaged).unwrap();
        let refused = trainer(&base, settings(), Some(files.clone()));
        assert!(matches!(refused, Err(Error::Checkpoint { .. })));
        assert_eq!(std::fs::read(&files.checkpoint).unwrap(), damaged);
    }
}

#[test]
fn a_loss_that_is_not_finite_stops_the_run_and_names_the_step() {
    let base = base();
    let mut values = base.values().to_vec();
    values.fill(f32::NAN);
    let table = Table::Frozen(Arc::new(values), base.d());
    let mut trainer =
        Trainer::new(small(base.d()), settings(), (base.tokenizer(), table), None).unwrap();
    match trainer.run(|_| ControlFlow::Continue(())) {
        Err(Error::NotFinite { step: 1, value, .. }) => assert!(value.is_nan()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn training_does_not_touch_the_frozen_table() {
    let base = base();
    let before: Vec<u32> = base.values().iter().map(|x| x.to_bits()).collect();
    let mut run = trainer(&base, settings(), None).unwrap();
    run.run(|_| ControlFlow::Continue(())).unwrap();
    let after: Vec<u32> = base.values().iter().map(|x| x.to_bits()).collect();
    assert!(before == after);
}

#[test]
fn settings_without_meaning_are_refused_by_name() {
    let base = base();
    for (changed, name) in [
        (
            Settings {
                steps: 0,
                ..settings()
            },
            "steps",
        ),
        (
            Settings {
                dropout: 1.0,
                ..settings()
            },
            "dropout",
        ),
        (
            Settings {
                learning_rate: f64::NAN,
                ..settings()
            },
            "learning_rate",
        ),
    ] {
        let message = trainer(&base, changed, None).err().unwrap().to_string();
        assert!(message.starts_with(name), "{message}");
    }
}
