//! The study keeps what it has done.

use std::ops::ControlFlow;

use lookback_learn::study::{Embeddings, Event, Length, Study, run};
use lookback_learn::{Base, Error};
use lookback_model::store::PRONOUN;

#[test]
fn a_study_that_was_broken_off_goes_on_where_it_stopped() {
    let path = PRONOUN.address();
    let base = Base::open(&path).unwrap();
    let embeddings = Embeddings {
        source: &path,
        tokenizer: base.tokenizer(),
        values: base.values(),
        d: base.d(),
    };
    let folder = tempfile::tempdir().unwrap();
    let study = Study {
        folder: folder.path().join("study"),
        length: Length::Quick,
    };
    // Similarity needs no training; the first run that does is broken off after two steps.
    let mut begun = Vec::new();
    let stop_at = |step: usize, begun: &mut Vec<(String, usize, usize)>| {
        run(&study, &embeddings, &mut |event| match event {
            Event::Begin { setting, done, .. } => {
                begun.push((setting.name.clone(), *done, 0));
                ControlFlow::Continue(())
            }
            Event::Step(record) => {
                if let Some(last) = begun.last_mut()
                    && last.2 == 0
                {
                    last.2 = record.step;
                }
                if record.step == step {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            }
        })
    };
    assert!(matches!(
        stop_at(2, &mut begun),
        Err(Error::Stopped { step: 2 })
    ));
    assert!(matches!(
        stop_at(4, &mut begun),
        Err(Error::Stopped { step: 4 })
    ));
    let names: Vec<(&str, usize, usize)> = begun
        .iter()
        .map(|(name, done, step)| (&name[..3], *done, *step))
        .collect();
    // Setting, runs done before it, first step that was seen.
    assert_eq!(names, [("(a)", 0, 0), ("(b)", 1, 1), ("(b)", 1, 3)]);
    let runs = std::fs::read_to_string(study.folder.join("runs.jsonl")).unwrap();
    assert_eq!(runs.lines().count(), 1);
}
