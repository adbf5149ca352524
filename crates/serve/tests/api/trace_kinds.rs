//! Everything that is asked of a trace, over traces of every kind that the format holds.

use lookback_heads::trace_kinds::{TraceKind, all};
use lookback_serve::{ServeOptions, Server};

use crate::client::Running;

#[test]
fn the_server_answers_all_of_it_or_does_not_begin() {
    for (kind, again) in all().into_iter().zip(all()) {
        let (name, trace) = (kind.name, again.trace);
        let options = ServeOptions {
            trace: Some(kind.trace),
            ..ServeOptions::default()
        };
        if trace.is_cross_attention() {
            let refused = Server::bind(options).err().unwrap().to_string();
            assert!(refused.starts_with("The page needs"), "{refused}");
            continue;
        }
        let server = Running::serving(options);
        let TraceKind { head, .. } = again;
        let id = format!("{}.{}", head.layer, head.head);
        let n = trace.n();
        let all = trace.weights(head.layer, head.head, 0..n, 0..n).unwrap();
        let all: Vec<f32> = all.into_iter().collect();
        let tile = server.ask(&format!("/heads/{id}/tile?zoom=0&row=0&col=0"));
        let pairs = || tile.floats().into_iter().zip(all.clone());
        assert!(pairs().all(|(a, b)| (a - b).abs() < 1e-6), "{name}");
        let npy = server.ask(&format!("/heads/{id}/weights.npy"));
        assert_eq!(
            &npy.body[npy.body.len() - 4..],
            all[all.len() - 1].to_le_bytes()
        );
        let svg = server.ask(&format!("/heads/{id}/map.svg")).text();
        assert!(
            svg.contains(&format!("L{}H{}", head.layer, head.head)),
            "{name}"
        );
        let description = server.ask("").json()["trace"].clone();
        let counts = description["heads"].as_array().unwrap();
        let count: u64 = counts.iter().map(|count| count.as_u64().unwrap()).sum();
        assert_eq!(count as usize, trace.heads().count(), "{name}");
        assert_eq!(description["vnorm"], false);
        let ids: Vec<(u64, u64)> = trace
            .heads()
            .map(|id| (id.layer as u64, id.head as u64))
            .collect();
        for lines in ["/grid", "/profiles"] {
            let lines = server.ask(lines).text();
            let found = lines.lines().map(|line| {
                let head: serde_json::Value = serde_json::from_str(line).unwrap();
                assert!(head.get("value_sink_share").is_none() && head.get("error").is_none());
                (
                    head["layer"].as_u64().unwrap(),
                    head["head"].as_u64().unwrap(),
                )
            });
            assert_eq!(found.collect::<Vec<_>>(), ids, "{name}: {lines}");
        }
        let table = server.ask("/statistics/heads.csv").text();
        assert!(table.contains("sink_rate") && !table.contains("value_sink"));
        for unit in ["word", "token"] {
            let asked = format!("/token-attention?index=5&unit={unit}");
            let answer = server.ask(&asked).json();
            assert_eq!(
                answer["ranked"].as_array().unwrap().len(),
                ids.len(),
                "{name}"
            );
        }
        let plan = server.ask("/page.json").json()["bytes"].as_u64().unwrap();
        let page = server.ask("/page.html").body.len() as u64;
        assert!(plan.abs_diff(page) < 1024, "{name}: {plan} {page}");
        let asked = format!("?heads={id}&words=3&top=2");
        let plan = server.ask(&format!("/page.json{asked}")).json();
        let page = server.ask(&format!("/page.html{asked}")).body.len() as u64;
        assert!(
            plan["bytes"].as_u64().unwrap().abs_diff(page) < 1024,
            "{name}"
        );
    }
}
