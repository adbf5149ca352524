//! Every number that is given equals the trace's, or the stated formula over it.

use lookback_heads::example::Example;
use ndarray::s;

use crate::client::{Running, as_answered, long, trace};

#[test]
fn a_trace_is_described_with_its_words() {
    let server = Running::of(&Example::default());
    let answer = server.ask("").json();
    assert_eq!(answer["state"], "ready");
    let description = &answer["trace"];
    assert_eq!(description["text"], lookback_heads::example::SENTENCE);
    assert_eq!(description["words"][0], serde_json::json!([0, 6, 1, 3]));
    assert_eq!(description["heads"], serde_json::json!([2, 2, 2]));
}

#[test]
fn detail_tiles_are_the_rows() {
    let example = long(400);
    let (server, trace) = (Running::of(&example), trace(&example));
    let n = trace.n();
    let head = trace.head(0, 1).unwrap();
    for (row, col) in [(0, 0), (1, 0), (1, 1), (0, 1)] {
        let answer = server.ask(&format!("/heads/0.1/tile?zoom=0&row={row}&col={col}"));
        let (rows, cols) = (
            row * 256..(row * 256 + 256).min(n),
            col * 256..(col * 256 + 256).min(n),
        );
        let expected = head.weights(rows, cols).unwrap();
        let got = answer.floats();
        assert_eq!(got.len(), expected.len());
        assert!(
            got.iter()
                .zip(&expected)
                .all(|(a, b)| (a - b).abs() <= 1e-6 * b.max(1e-3)),
            "tile {row} {col}"
        );
    }
    let row = server.ask("/heads/0.1/row?query=300").floats();
    assert_eq!(row, trace.row(0, 1, 300).unwrap().to_vec());
}

#[test]
fn coarse_tiles_pool_what_they_say() {
    let example = long(700);
    let (server, trace) = (Running::of(&example), trace(&example));
    let n = trace.n();
    let all = trace.weights(0, 0, 0..n, 0..n).unwrap();
    for pool in ["max", "mean"] {
        for zoom in 1..=2 {
            let answer = server
                .ask(&format!(
                    "/heads/0.0/tile?zoom={zoom}&row=0&col=0&pool={pool}"
                ))
                .floats();
            let cell = 1 << zoom;
            let span = (256 * cell).min(n);
            let side = span.div_ceil(cell);
            assert_eq!(answer.len(), side * side);
            for (at, &got) in answer.iter().enumerate() {
                let (top, left) = (at / side * cell, at % side * cell);
                let part = all.slice(s![
                    top..(top + cell).min(span),
                    left..(left + cell).min(span)
                ]);
                let expected = match pool {
                    "max" => part.iter().copied().fold(0.0, f32::max),
                    _ => part.mean().unwrap(),
                };
                assert!(
                    (got - expected).abs() < 1e-6,
                    "{pool} {zoom} {at}: {got} is not {expected}"
                );
            }
        }
    }
}

#[test]
fn tiles_are_the_weights_under_every_mask() {
    use lookback_trace::Mask;
    for mask in [
        Mask::None,
        Mask::Causal { offset: 60 },
        Mask::Window {
            window: 70,
            offset: 0,
        },
    ] {
        let example = Example {
            mask: mask.clone(),
            ..long(400)
        };
        let (server, trace) = (Running::of(&example), trace(&example));
        let n = trace.n();
        let description = server.ask("").json()["trace"].clone();
        let records = lookback_trace::MaskRecords::new([&mask]);
        assert_eq!(
            description["masks"][0],
            serde_json::to_value(&records.masks[0]).unwrap()
        );
        assert_eq!(
            description["causal"][0],
            matches!(mask, Mask::Window { .. })
        );
        for (zoom, row, col) in [(0, 0, 1), (0, 1, 0), (1, 0, 0)] {
            let path = format!("/heads/0.1/tile?zoom={zoom}&row={row}&col={col}");
            let got = server.ask(&path).floats();
            let (cell, span) = (1 << zoom, 256 << zoom);
            let part = |at: usize| at * span..(at * span + span).min(n);
            let all = trace.weights(0, 1, part(row), part(col)).unwrap();
            let cells = all.dim().1.div_ceil(cell);
            for (at, &got) in got.iter().enumerate() {
                let (top, left) = (at / cells * cell, at % cells * cell);
                let cell = s![
                    top..(top + cell).min(all.dim().0),
                    left..(left + cell).min(all.dim().1)
                ];
                let expected = all.slice(cell).iter().copied().fold(0.0, f32::max);
                assert!((got - expected).abs() < 1e-6, "{mask:?} {path} {at}");
            }
        }
    }
}

#[test]
fn a_page_says_how_large_it_will_be_and_what_it_leaves_out() {
    let example = long(500);
    let server = Running::of(&example);
    let plan = server.ask("/page.json").json();
    let whole = server.ask("/page.html").body.len() as u64;
    assert!(plan["bytes"].as_u64().unwrap().abs_diff(whole) < 1024);
    assert!(plan["left_out"].is_null() && plan["heads"].is_null());
    let asked = "?heads=0.1&words=3,9&top=4";
    let plan = server.ask(&format!("/page.json{asked}")).json();
    let chosen = server.ask(&format!("/page.html{asked}")).body.len() as u64;
    assert!(plan["bytes"].as_u64().unwrap().abs_diff(chosen) < 1024);
    assert_eq!(plan["heads"], serde_json::json!(["0.1"]));
    assert_eq!(plan["words"], serde_json::json!([3, 9]));
    let said = plan["left_out"].as_str().unwrap();
    assert!(
        said.starts_with("The page keeps 1 of 2 heads, and 2 of 500 words"),
        "{said}"
    );
    for (asked, says) in [
        ("?heads=9.9", "there is no head L9H9"),
        ("?words=x", "no word's number"),
        ("?words=500", "there is no word 500"),
        ("?word=500", "there is no word 500"),
        ("?top=100000", "at most 1000"),
    ] {
        server.ask(&format!("/page.json{asked}")).refuses(400, says);
        server.ask(&format!("/page.html{asked}")).refuses(400, says);
    }
}

#[test]
fn earlier_names_of_paths_and_keys_are_still_there() {
    let server = Running::of(&Example::default());
    let new = server.ask("/token-attention?index=9&above=0.2").json();
    assert_eq!(new, server.ask("/around?index=9&above=0.2").json());
    assert_eq!(new["set_aside"], new["excluded"]);
    assert!(!new["excluded"].as_array().unwrap().is_empty());
    assert_eq!(
        server.ask("/profiles").text(),
        server.ask("/passports").text()
    );
}

#[test]
fn what_a_word_gives_is_the_mean_of_its_rows() {
    let example = Example::default();
    let (server, trace) = (Running::of(&example), trace(&example));
    let answer = server.ask("/token-attention?index=9&heads=1.1").json();
    let word = trace.words().get(9).unwrap().tokens.clone();
    let rows = trace.weights(1, 1, word.clone(), 0..trace.n()).unwrap();
    for (at, key) in trace.words().iter().enumerate() {
        let expected = rows.slice(s![.., key.tokens.clone()]).sum() / word.len() as f32;
        let got = answer["given"][at].as_f64().unwrap() as f32;
        assert!(
            (got - expected).abs() < 1e-6,
            "word {at}: {got} is not {expected}"
        );
    }
    let hidden = rows.column(0).mean().unwrap();
    assert!((answer["hidden"].as_f64().unwrap() as f32 - hidden).abs() < 1e-6);
    assert_eq!(answer["ranked"].as_array().unwrap().len(), 6);
}

#[test]
fn numbers_are_given_as_json_csv_and_npy() {
    let example = Example::default();
    let (server, trace) = (Running::of(&example), trace(&example));
    let expected = trace.weights(2, 0, 3..6, 0..5).unwrap();
    let part = "?from_row=3&to_row=6&from_col=0&to_col=5";
    let json = server.ask(&format!("/heads/2.0/weights.json{part}")).json();
    let csv = server.ask(&format!("/heads/2.0/weights.csv{part}")).text();
    let npy = server.ask(&format!("/heads/2.0/weights.npy{part}"));
    assert!(csv.starts_with("layer,head,query,key,weight\n"));
    let lines: Vec<Vec<f32>> = csv
        .lines()
        .skip(1)
        .map(|line| line.split(',').map(|x| x.parse().unwrap()).collect())
        .collect();
    assert_eq!(lines.len(), expected.iter().filter(|w| **w != 0.0).count());
    for line in lines {
        assert_eq!(expected[[line[2] as usize - 3, line[3] as usize]], line[4]);
    }
    for ((i, j), weight) in expected.indexed_iter() {
        assert_eq!(json["weights"][i][j].as_f64().unwrap() as f32, *weight);
    }
    assert!(
        npy.headers
            .contains("attachment; filename=\"weights-l2h0.npy\"")
    );
    assert_eq!(npy.body.len() % 64, (expected.len() * 4) % 64);
    let numbers = &npy.body[npy.body.len() - expected.len() * 4..];
    let first = f32::from_le_bytes(numbers[..4].try_into().unwrap());
    assert_eq!(first, expected[[0, 0]]);
}

#[test]
fn every_head_has_its_picture() {
    let server = Running::of(&Example::default());
    let lines = server.ask("/grid").text();
    let heads: Vec<(u64, u64)> = lines
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|picture| {
            (
                picture["layer"].as_u64().unwrap(),
                picture["head"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(heads, [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)]);
}

#[test]
fn every_head_has_its_statistics_line_by_line_and_as_files() {
    let example = Example::default();
    let (server, trace) = (Running::of(&example), trace(&example));
    let expected = lookback_heads::profile::profiles(&trace, &[]).unwrap();
    for _ in 0..2 {
        // The second time they come from what was kept.
        let lines = server.ask("/profiles").text();
        assert_eq!(lines.lines().count(), expected.len());
        for (line, profile) in lines.lines().zip(&expected) {
            let found: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(found, as_answered(profile));
        }
    }
    let table = lookback_view::table::of_heads(&expected, |_| ());
    let mut csv = Vec::new();
    table.write_csv(&mut csv).unwrap();
    assert_eq!(server.ask("/statistics/heads.csv").body, csv);
    let parquet = server.ask("/statistics/heads.parquet");
    assert!(
        parquet
            .headers
            .contains("attachment; filename=\"heads.parquet\"")
    );
    assert!(parquet.body.starts_with(b"PAR1") && parquet.body.ends_with(b"PAR1"));
    assert_eq!(&server.ask("/statistics/heads.npy").body[1..6], b"NUMPY");
    assert_eq!(
        server
            .ask("/statistics/heads.json")
            .json()
            .as_array()
            .unwrap()
            .len(),
        6
    );
    server
        .ask("/statistics/heads.txt")
        .refuses(400, ".parquet or .npy");
    server
        .ask("/statistics/passwd.csv")
        .refuses(404, "heads.parquet");
}

#[test]
fn pictures_and_the_page_are_files() {
    let server = Running::of(&Example::default());
    let svg = server.ask("/heads/0.0/map.svg?theme=dark&scale=log");
    assert!(svg.text().starts_with("<svg ") && svg.headers.contains("image/svg+xml"));
    assert!(
        server
            .ask("/text.svg?index=10")
            .text()
            .contains("<title>“he” in all 6 heads of")
    );
    assert_eq!(
        &server.ask("/heads/0.0/map.png").body[..8],
        b"\x89PNG\r\n\x1a\n"
    );
    assert_eq!(
        &server.ask("/text.png?index=9").body[..8],
        b"\x89PNG\r\n\x1a\n"
    );
    assert!(
        server
            .ask("/page.html")
            .text()
            .starts_with("<!doctype html>")
    );
}
