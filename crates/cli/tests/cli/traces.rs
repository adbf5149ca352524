//! Trace files: made, read back, and refused.

use std::io::Read as _;
use std::path::Path;
use std::process::Stdio;

use lookback_trace::{Layer, Mask, Meta, SaveOptions, Scoring, Trace};
use ndarray::{Array2, Array3};

use crate::program::{Run, folder, limited, lookback, tiny};

fn trace(home: &Path, out: &Path, more: &[&str]) -> Run {
    let mut command = lookback(home);
    command.args(["trace", "a b c", "--json", "--model"]);
    command.arg(tiny("grouped/model.gguf")).arg("-o").arg(out);
    Run::of(command.args(more))
}

fn info(home: &Path, file: &Path) -> Run {
    let mut command = limited(home, "ulimit -v 1500000");
    Run::of(command.args(["trace", "info", "--json"]).arg(file))
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let name =
        |e: std::io::Result<std::fs::DirEntry>| e.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<String> = entries.map(name).collect();
    names.sort();
    names
}

#[test]
fn a_trace_is_saved_and_read_back_without_its_model() {
    let home = folder();
    let out = home.path().join("t.safetensors");
    let saved = trace(home.path(), &out, &[]).json();
    let mut read = info(home.path(), &out).json();
    assert!(saved["seconds"].as_f64().unwrap() > 0.0);
    read["seconds"] = saved["seconds"].clone();
    assert_eq!(read, saved);
    assert_eq!(saved["format"], "lookback-trace-info/2");
    assert_eq!(saved["trace_format"], "lookback-trace/1");
    assert_eq!(saved["text"], "a b c");
    assert_eq!(saved["bytes"], std::fs::metadata(&out).unwrap().len());
    assert_eq!(saved["values_bytes"], 0);
    let of_file = saved["model_sha256"].as_str().unwrap();
    assert_eq!(of_file.len(), 64);
}

/// The answer of version 1 is a trace's own format, and only says whether there were interventions.
#[test]
fn interventions_are_named_and_version_1_calls_them_edits() {
    let home = folder();
    let out = home.path().join("t.safetensors");
    for (more, said) in [
        (
            &["--ablate", "0.1", "--cut", "c->a@1.0"][..],
            Some("L0H1 ablated, 1 edge cut"),
        ),
        (&[], None),
    ] {
        let saved = trace(home.path(), &out, &[more, &["--force"]].concat()).json();
        assert_eq!(saved["interventions"].as_str(), said);
        let printed = Run::of(lookback(home.path()).args(["trace", "info"]).arg(&out)).ok();
        let line = printed
            .lines()
            .find(|line| line.contains("while the model ran"));
        assert_eq!(line.is_some(), said.is_some(), "{printed}");
        assert!(line.unwrap_or_default().contains(said.unwrap_or_default()));
        let mut old = lookback(home.path());
        old.args(["trace", "info", "--json", "--json-version", "1"]);
        let old = Run::of(old.arg(&out)).json();
        assert_eq!(old["format"], "lookback-trace/1");
        assert_eq!(old["edited"], said.is_some());
        let new: Vec<_> = ["interventions", "trace_format"]
            .into_iter()
            .filter(|key| !old[key].is_null())
            .collect();
        assert!(new.is_empty(), "{new:?}");
    }
}

#[test]
fn f16_says_what_it_changes_and_values_what_they_take() {
    let home = folder();
    let path = |name: &str| home.path().join(name);
    let full = trace(home.path(), &path("full"), &[]).json();
    let half = trace(home.path(), &path("half"), &["--dtype", "f16"]).json();
    assert!(half["bytes"].as_u64() < full["bytes"].as_u64());
    let change = half["qk_rounding_max_weight_change"].as_f64().unwrap();
    assert!(change > 0.0 && change < 0.01, "{change}");
    assert!(full["qk_rounding_max_weight_change"].is_null());
    let values = trace(home.path(), &path("values"), &["--values"]).json();
    let taken = values["values_bytes"].as_u64().unwrap();
    assert!(
        taken > 0 && values["bytes"].as_u64().unwrap() > full["bytes"].as_u64().unwrap() + taken
    );
}

#[test]
fn nothing_is_replaced_unless_that_is_asked_for() {
    let home = folder();
    let out = home.path().join("t");
    std::fs::write(&out, "mine").unwrap();
    trace(home.path(), &out, &[]).refused(&["is there already", "--force"]);
    assert_eq!(std::fs::read(&out).unwrap(), b"mine");
    trace(home.path(), &out, &["--force"]).ok();
    info(home.path(), &out).ok();
}

#[test]
fn destinations_that_cannot_be_written() {
    let home = folder();
    trace(home.path(), home.path(), &[]).refused(&["is a folder"]);
    trace(home.path(), &home.path().join("no/t"), &[]).refused(&["no folder"]);
    if cfg!(target_os = "linux") {
        trace(home.path(), Path::new("/proc/t"), &[])
            .refused(&["/proc/t", "nothing was left half-written"]);
    }
}

/// A limit on the size of files does to a write what a full disk does.
#[test]
fn a_full_disk_leaves_nothing_behind() {
    let home = folder();
    let out = home.path().join("out");
    std::fs::create_dir(&out).unwrap();
    let mut command = limited(home.path(), "trap '' XFSZ; ulimit -f 1");
    command.args(["trace", "a b c d e f g h", "--model"]);
    command
        .arg(tiny("grouped/model.gguf"))
        .arg("-o")
        .arg(out.join("t"));
    Run::of(&mut command).refused(&["could not save", "nothing was left half-written"]);
    assert!(names(&out).is_empty(), "{:?}", names(&out));
}

#[test]
fn files_that_are_no_traces_are_refused() {
    let home = folder();
    let out = home.path().join("t");
    trace(home.path(), &out, &[]).ok();
    let sound = std::fs::read(&out).unwrap();
    let refused = |bytes: &[u8]| {
        std::fs::write(&out, bytes).unwrap();
        info(home.path(), &out).refused(&["is not a trace that this version reads"]);
    };
    for length in [0, 5, 60, sound.len() / 2, sound.len() - 1] {
        refused(&sound[..length]);
    }
    let mut huge = sound.clone();
    huge[..8].copy_from_slice(&(u64::MAX / 2).to_le_bytes());
    refused(&huge);
    let place = sound
        .windows(16)
        .position(|w| w == b"lookback-trace/1")
        .unwrap();
    let mut newer = sound.clone();
    newer[place + 15] = b'3';
    refused(&newer);
    info(home.path(), &home.path().join("missing")).refused(&["missing"]);
    info(home.path(), &tiny("grouped/model.safetensors")).refused(&["its format is \"pt\""]);
}

/// A trace of `he he he …` that is too large to be read into memory at once.
fn save_large(file: &Path) {
    // Several heads, so that words are answered in several parts.
    let (heads, n, d) = (4, 4096, 300);
    let layer = Layer {
        q: Array3::zeros((heads, n, d)),
        k: Array3::zeros((heads, n, d)),
        // All keys that a query sees weigh the same.
        lse: Array2::from_shape_fn((heads, n), |(_, i)| ((i + 1) as f32).ln()),
        vnorm: Some(Array2::ones((heads, n))),
        bias: None,
        v: None,
    };
    let meta = Meta {
        model: "made up".into(),
        library: "test".into(),
        text: "he ".repeat(n),
        tokens: vec![0; n],
        spans: (0..n).map(|at| (3 * at, 3 * at + 2)).collect(),
        layers: vec![Scoring::new(1.0, Mask::Causal { offset: 0 })],
        ..Meta::default()
    };
    let trace = Trace::new(meta, vec![layer]).unwrap();
    trace.save(file, &SaveOptions::default()).unwrap();
}

/// The answer is broken off with a line that says why: by the check before each question, or, where the file shrinks while
/// it is being read, by the handler of the signal.
#[test]
fn a_trace_that_is_shortened_while_it_is_in_use_is_named() {
    let home = folder();
    let file = home.path().join("large.safetensors");
    save_large(&file);
    let mut running = lookback(home.path())
        .args(["look", "--json", "--trace"])
        .arg(&file)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = running.stdout.take().unwrap();
    stdout.read_exact(&mut vec![0; 1 << 20]).unwrap();
    // It waits for its reader now, at the latest in some thousand words.
    let writer = std::fs::File::options().write(true).open(&file).unwrap();
    writer.set_len(4096).unwrap();
    let mut rest = Vec::new();
    stdout.read_to_end(&mut rest).unwrap();
    let ended = running.wait_with_output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(
        said.contains("error: ") && said.contains("shortened"),
        "{said}"
    );
}
