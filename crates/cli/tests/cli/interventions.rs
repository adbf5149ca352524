//! Every command that runs a model on a text can ablate heads and cut edges, and says so.

use std::path::Path;

use crate::program::{Run, folder, lookback, tiny};

const TEXT: &str = "Tom met Ann. Yet he left.";

fn run(home: &Path, arguments: &[&str]) -> Run {
    let mut command = lookback(home);
    command.args(arguments).arg(TEXT);
    Run::of(command.arg("--model").arg(tiny("tied")))
}

#[test]
fn maps_statistics_and_pages_are_of_the_changed_run() {
    let home = folder();
    let path = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
    let kinds: [(&[&str], &str); 4] = [
        (&["map", "--head", "1.0"], "svg"),
        (&["stats"], "csv"),
        (&["stats", "--rows"], "csv"),
        (&["export"], "html"),
    ];
    for (command, ending) in kinds {
        let (plain, changed) = (
            path(&format!("plain.{ending}")),
            path(&format!("changed.{ending}")),
        );
        let to = |file: &str, more: &[&str]| {
            run(
                home.path(),
                &[command, &["--force", "-o", file], more].concat(),
            )
            .ok();
            std::fs::read(file).unwrap()
        };
        assert_ne!(
            to(&plain, &[]),
            to(&changed, &["--ablate", "0.0,0.1"]),
            "{command:?}"
        );
        assert_ne!(
            to(&plain, &[]),
            to(&changed, &["--cut", "he->Tom"]),
            "{command:?}"
        );
    }
}

#[test]
fn comparisons_and_steps_are_of_the_changed_run() {
    let home = folder();
    let json = |arguments: &[&str]| run(home.path(), &[arguments, &["--json"]].concat()).json();
    let explain = ["explain", "--head", "1.0"];
    let steps = |more: &[&str]| json(&[&explain, more].concat())["outcome"].clone();
    assert_ne!(steps(&[]), steps(&["--ablate", "0.0,0.1"]));
    // What acts on the head's own layer and later does not change its input.
    assert_eq!(steps(&[]), steps(&["--ablate", "1.1"]));
    let note = run(home.path(), &[&explain[..], &["--ablate", "0.0"]].concat());
    assert!(
        note.stderr
            .contains("L0H0 ablated; the steps show what L1H0 computes")
    );
    let compare = ["compare", "--with", "Ann met Tom."];
    let plain = json(&compare);
    let changed = json(&[&compare[..], &["--ablate", "0.0"]].concat());
    assert_eq!(changed["interventions"], "L0H0 ablated");
    assert_ne!(plain["heads"], changed["heads"]);
}

#[test]
fn a_continuation_without_a_head_names_the_head() {
    let home = folder();
    let note = run(
        home.path(),
        &[
            "generate",
            "--tokens",
            "2",
            "--ablate",
            "1.1",
            "--cut",
            "he->Tom@0.0",
        ],
    );
    assert!(
        note.stderr
            .contains("note: L1H1 ablated, edges cut: he->Tom@0.0\n"),
        "{}",
        note.stderr
    );
    note.ok();
}
