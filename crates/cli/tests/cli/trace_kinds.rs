//! Every command that takes `--trace`, over traces of every kind that the format holds.

use lookback_heads::trace_kinds::{TraceKind, all};
use lookback_trace::SaveOptions;

use crate::program::{Run, folder, lookback};

const CROSS: &str = "cross-attention";

#[test]
fn commands_answer_or_say_by_name_why_they_cannot() {
    let home = folder();
    let path = |name: &str| home.path().join(name);
    for (at, TraceKind { name, trace, head }) in all().into_iter().enumerate() {
        let file = path(&format!("{at}.safetensors"));
        trace.save(&file, &SaveOptions::default()).unwrap();
        let run = |words: &[&str], out: Option<&str>| {
            let mut command = lookback(home.path());
            command.args(words).arg("--trace").arg(&file);
            if let Some(out) = out {
                command.args(["--force", "-o"]).arg(path(out));
            }
            Run::of(&mut command)
        };
        let (shown, picked) = (
            format!("L{}H{}", head.layer, head.head),
            format!("{}.{}", head.layer, head.head),
        );
        let map = run(&["map", "--head", &picked], Some("map.svg")).ok();
        assert!(map.contains(&shown), "{name}: {map}");
        let svg = std::fs::read_to_string(path("map.svg")).unwrap();
        assert!(svg.contains(&shown), "{name}");
        let weights = path("weights.npy");
        let mut command = lookback(home.path());
        command.args(["export", "--force", "--trace"]).arg(&file);
        Run::of(command.arg("--weights").arg(&weights)).ok();
        let bytes = std::fs::metadata(&weights).unwrap().len() as usize;
        let numbers = trace.heads().count() * trace.n() * trace.m();
        assert_eq!(bytes % 64, 4 * numbers % 64, "{name}");
        assert!(bytes > 4 * numbers, "{name}");
        let missing = run(&["map", "--head", "99.0"], Some("map.svg"));
        missing.refused(&["99"]);
        if name == CROSS {
            for refused in [
                run(&["look"], None),
                run(&["export"], Some("page.html")),
                run(&["serve", "--no-open", "--port", "0"], None),
            ] {
                refused.refused(&["cross-attention", "26 queries", "7 keys"]);
            }
            continue;
        }
        let look = run(&["look", "--word", "he", "--head", &picked], None).ok();
        assert!(look.contains(&shown), "{name}: {look}");
        let look = run(&["look", "--json"], None).json();
        let heads = look["words_of_interest"][0]["heads"].as_array().unwrap();
        let ids: Vec<_> = heads
            .iter()
            .map(|head| (head["layer"].as_u64(), head["head"].as_u64()))
            .collect();
        let expected = trace.heads();
        let expected: Vec<_> = expected
            .map(|id| (Some(id.layer as u64), Some(id.head as u64)))
            .collect();
        assert_eq!(ids, expected, "{name}");
        run(&["export"], Some("page.html")).ok();
        run(
            &["export", "--head", &picked, "--word", "he"],
            Some("page.html"),
        )
        .ok();
    }
}

#[test]
fn info_says_what_is_special_about_each() {
    let home = folder();
    let says = |name: &str| -> &[&str] {
        match name {
            "symmetric window" => &["symmetric window of 3 on each side in layers 0, 1"],
            "chunked window" | "prefix-LM" | "packed documents" | "padding" => {
                &["a range of keys for each query in layers 0, 1"]
            }
            "no norms of values" => &["vnorm   none"],
            "some layers" => &["layers  3, 7 of the model", "layer 5 is linear_attention"],
            "some heads" => &["heads   1, 4 of the model in the first layer"],
            "suffix tokens" => &["suffix  1 token", "1 of them the prefix"],
            "bias" => &["bias    [1, 26, 26] in layer 2"],
            _ => &["tokens  26 of queries, 7 of keys"],
        }
    };
    for (at, TraceKind { name, trace, .. }) in all().into_iter().enumerate() {
        let file = home.path().join(format!("{at}.safetensors"));
        trace.save(&file, &SaveOptions::default()).unwrap();
        let info = |more: &[&str]| {
            let mut command = lookback(home.path());
            Run::of(command.args(["trace", "info"]).args(more).arg(&file))
        };
        let printed = info(&[]).ok();
        for line in says(name) {
            assert!(printed.contains(line), "{name}: {printed}");
        }
        assert!(printed.contains("lookback-trace/2"), "{name}: {printed}");
        let json = info(&["--json"]).json();
        assert_eq!(json["trace_format"], "lookback-trace/2");
        assert_eq!(
            (&json["vnorm"], &json["tokens"]),
            (&false.into(), &trace.n().into())
        );
    }
}
