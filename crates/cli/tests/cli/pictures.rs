//! Pictures and pages in files.

use std::path::Path;

use crate::program::{Run, folder, limited, lookback, tiny};

fn run(home: &Path, arguments: &[&str]) -> Run {
    Run::of(lookback(home).args(arguments))
}

fn model() -> String {
    tiny("grouped/model.gguf").to_str().unwrap().to_owned()
}

#[test]
fn a_map_is_drawn_by_the_ending_of_its_name_and_replaces_nothing_unasked() {
    let home = folder();
    let file = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
    let map = |name: &str, more: &[&str]| {
        let (file, model) = (file(name), model());
        let mut arguments = vec!["map", "a b c", "--model", &model, "-o", &file];
        arguments.extend(["--head", "1.2", "--json"].iter().chain(more));
        run(home.path(), &arguments)
    };
    let told = map("map.svg", &[]).json();
    let svg = std::fs::read_to_string(file("map.svg")).unwrap();
    assert_eq!(told["bytes"], svg.len());
    assert!(svg.starts_with("<svg ") && svg.contains("L1H2 of"));
    map("map.png", &["--scale", "log", "--dark"]).ok();
    let png = std::fs::read(file("map.png")).unwrap();
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    map("map.svg", &[]).refused(&["there already", "--force"]);
    map("map.svg", &["--force"]).ok();
    map("map.gif", &[]).refused(&[".svg", ".png"]);
    let names = std::fs::read_dir(home.path()).unwrap();
    assert_eq!(
        names
            .filter(|e| e.as_ref().unwrap().path().is_file())
            .count(),
        2
    );
}

#[test]
fn a_page_keeps_a_trace_that_was_kept() {
    let home = folder();
    let file = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
    let (trace, page) = (file("t.safetensors"), file("page.html"));
    run(
        home.path(),
        &["trace", "a b c", "--model", &model(), "-o", &trace],
    )
    .ok();
    let told = run(
        home.path(),
        &["export", "--trace", &trace, "-o", &page, "--json"],
    )
    .json();
    let html = std::fs::read_to_string(&page).unwrap();
    assert_eq!(told["bytes"], html.len());
    assert!(html.starts_with("<!doctype html>") && html.contains("\"text\":\"a b c\""));
}

#[test]
fn weights_are_saved_as_numbers_and_their_size_is_said_first() {
    let home = folder();
    let file = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
    let export = |more: &[&str]| {
        let model = model();
        let arguments = [&["export", "a b c", "--model", &model][..], more].concat();
        run(home.path(), &arguments)
    };
    let npy = file("w.npy");
    let saved = export(&["--weights", &npy]);
    let bytes = std::fs::read(&npy).unwrap();
    let note = format!("note: {npy} takes ");
    assert!(saved.stderr.starts_with(&note), "{}", saved.stderr);
    assert!(saved.ok().contains(": the weights of "));
    let header = String::from_utf8_lossy(&bytes[..128]).into_owned();
    let told = export(&["--weights", &file("w.parquet"), "--json"]).json();
    let (heads, n) = (
        told["weights"]["heads"].as_u64().unwrap(),
        told["tokens"].as_u64().unwrap(),
    );
    assert_eq!(bytes.len() as u64, 128 + 4 * heads * n * n);
    assert!(header.contains(&format!(", {n}, {n})")), "{header}");
    assert_eq!(&std::fs::read(file("w.parquet")).unwrap()[..4], b"PAR1");
    let one = file("one.npy");
    let told = export(&["--weights", &one, "--head", "1.2", "--json"]).json();
    assert_eq!(told["weights"]["heads"], 1);
    assert!(told["file"].is_null());
    // A row of weights sums to 1.
    let numbers = std::fs::read(&one).unwrap()[128..].to_vec();
    let row = numbers[..4 * n as usize].chunks_exact(4);
    let sum: f32 = row
        .map(|four| f32::from_le_bytes(four.try_into().unwrap()))
        .sum();
    assert!((sum - 1.0).abs() < 1e-5, "{sum}");
    export(&["--weights", &npy]).refused(&["there already", "--force"]);
    export(&["--weights", &file("w.csv")]).refused(&[".npy or .parquet"]);
    export(&["--weights", &file("x.npy"), "--head", "9.9"]).refused(&["no head L9H9"]);
}

/// A limit on the size of files does to a write what a full disk does.
#[test]
fn weights_that_the_disk_cannot_hold_leave_nothing_behind() {
    let home = folder();
    let out = home.path().join("out");
    std::fs::create_dir(&out).unwrap();
    for name in ["w.npy", "w.parquet"] {
        let mut command = limited(home.path(), "trap '' XFSZ; ulimit -f 1");
        command.args(["export", "a b c d e f g h i j k l", "--model", &model()]);
        let failed = Run::of(command.arg("--weights").arg(out.join(name)));
        assert_eq!(failed.code, Some(1), "{}", failed.stderr);
        assert!(
            failed.stderr.contains("cannot be written"),
            "{}",
            failed.stderr
        );
        assert_eq!(std::fs::read_dir(&out).unwrap().count(), 0);
    }
}

#[test]
fn a_page_keeps_what_is_chosen() {
    let home = folder();
    let page = home.path().join("page.html").to_str().unwrap().to_owned();
    let model = model();
    let export = ["export", "a b c", "--model", &model, "-o", &page];
    let chosen = ["--head", "0.1,1.2", "--word", "c", "--top", "2", "--json"];
    let run = run(home.path(), &[&export[..], &chosen].concat());
    let size = format!("note: {page} takes ");
    assert!(run.stderr.starts_with(&size), "{}", run.stderr);
    let told = run.json();
    let left_out = told["left_out"].as_str().unwrap();
    assert!(
        left_out.contains("keeps 2 of ") && left_out.contains("1 of 3 words"),
        "{left_out}"
    );
    assert_eq!(told["bytes"], std::fs::metadata(&page).unwrap().len());
}

/// In PNG, whose pixels hold the font; SVG names the characters, and whoever opens it may have them.
#[test]
fn characters_that_no_font_has_are_named() {
    let home = folder();
    let model = model();
    let draw = |text: &str, ending: &str| {
        let file = home.path().join(format!("map.{ending}"));
        let file = file.to_str().unwrap();
        let arguments = [
            "map", text, "--head", "0.0", "--model", &model, "-o", file, "--force",
        ];
        let run = run(home.path(), &arguments);
        let stderr = run.stderr.clone();
        run.ok();
        stderr
    };
    // A character of private use: no font has it.
    let note = draw("a \u{e123} b", "png");
    assert!(
        note.contains("no font here has \u{e123} (U+E123): they are drawn as empty boxes"),
        "{note}"
    );
    assert!(!draw("a b c", "png").contains("no font"));
    assert!(!draw("a \u{e123} b", "svg").contains("no font"));
}
