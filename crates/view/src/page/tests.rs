use super::*;
use lookback_heads::example::Example;
use lookback_trace::HeadId;

fn written(trace: &Trace, options: &PageOptions) -> (Plan, String) {
    let plan = Plan::new(trace, options, &AtomicBool::new(false)).unwrap();
    let go_on = &mut |_, _| ControlFlow::Continue(());
    let page = Page::new(trace, &["<|start|>".to_owned()], &plan, go_on).unwrap();
    let mut file = Vec::new();
    page.write(&mut file).unwrap();
    (plan, String::from_utf8(file).unwrap())
}

fn description(page: &str) -> serde_json::Value {
    let (_, rest) = page.split_once("id=\"description\">").unwrap();
    let (json, _) = rest.split_once("</script>").unwrap();
    assert!(!json.contains("<!--"));
    serde_json::from_str(json).unwrap()
}

fn long() -> Trace {
    let words = (0..600).map(|at| ["the", "river", "went", "slow"][at % 4]);
    Example {
        text: words.collect::<Vec<_>>().join(" "),
        layers: 3,
        heads: 4,
        ..Example::default()
    }
    .trace()
}

#[test]
fn a_text_cannot_end_the_element_that_holds_it() {
    let trace = Example {
        text: "a </script><!--<script> b".into(),
        ..Example::default()
    }
    .trace();
    let (_, page) = written(&trace, &PageOptions::default());
    let description = description(&page);
    assert_eq!(description["text"], "a </script><!--<script> b");
    assert!(description["kept"].is_null());
}

#[test]
fn a_plan_says_how_large_the_file_will_be() {
    let trace = long();
    let head = |layer, head| HeadId { layer, head };
    for options in [
        PageOptions::default(),
        PageOptions {
            all: true,
            ..PageOptions::default()
        },
        PageOptions {
            heads: Some(vec![head(2, 3), head(0, 1), head(2, 3)]),
            ..PageOptions::default()
        },
        PageOptions {
            words: Some(vec![7, 5]),
            top: 3,
            ..PageOptions::default()
        },
        PageOptions {
            heads: Some(vec![head(1, 1)]),
            words: Some(Vec::new()),
            ..PageOptions::default()
        },
    ] {
        let (plan, page) = written(&trace, &options);
        let bytes = page.len() as u64;
        assert!(
            plan.size().abs_diff(bytes) < 128,
            "{options:?}: {} is not {bytes}",
            plan.size()
        );
    }
}

#[test]
fn what_is_named_is_kept_in_order_and_once_and_what_does_not_exist_is_said() {
    let trace = long();
    let ids = |names: &[(usize, usize)]| -> Vec<HeadId> {
        let id = |&(layer, head)| HeadId { layer, head };
        names.iter().map(id).collect()
    };
    let mut options = PageOptions {
        heads: Some(ids(&[(2, 3), (0, 1), (2, 3)])),
        words: Some(vec![9, 4, 9]),
        ..PageOptions::default()
    };
    let (plan, page) = written(&trace, &options);
    assert_eq!(plan.heads(), Some(&ids(&[(0, 1), (2, 3)])[..]));
    assert_eq!(plan.words(), Some(&[4, 9][..]));
    let kept = &description(&page)["kept"];
    assert_eq!(
        kept["heads"][1],
        serde_json::json!({ "layer": 2, "head": 3 })
    );
    assert_eq!(kept["words"], serde_json::json!([4, 9]));
    assert_eq!(
        plan.left_out().unwrap(),
        "The page keeps 2 of 12 heads, and 2 of 600 words over all heads (the 8 largest weights of each)."
    );
    options.words = Some(vec![600]);
    let refused = Plan::new(&trace, &options, &AtomicBool::new(false)).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "there is no word 600: the text has 600, from 0"
    );
    options.heads = Some(ids(&[(9, 0)]));
    options.words = None;
    let refused = Plan::new(&trace, &options, &AtomicBool::new(false)).unwrap_err();
    assert!(refused.to_string().contains("there is no head L9H0"));
}

#[test]
fn words_are_kept_as_the_library_answers() {
    use lookback_heads::token_attention::{TokenAttention, TokenAttentionOptions};
    let trace = Example::default().trace();
    let never = AtomicBool::new(false);
    let block = words::block(&trace, 9, 2, &never).unwrap();
    let (count, heads) = (trace.words().len(), 6);
    assert_eq!(block.len() as u64, words::bytes_of_word(count, heads, 2));
    let number = |at: usize| {
        let bytes = block[4 * at..4 * at + 4].try_into().unwrap();
        (f32::from_le_bytes(bytes), u32::from_le_bytes(bytes))
    };
    let options = TokenAttentionOptions::default();
    let answer = TokenAttention::new(&trace, 9, &options, &never).unwrap();
    assert_eq!(number(3).0, answer.given[3]);
    assert_eq!(number(count + 11).0, answer.received[11]);
    assert_eq!(number(3 * count).0, answer.hidden);
    for head in &answer.ranked {
        let at = 2 * head.head.layer + head.head.head;
        assert_eq!(number(3 * count + 3 + 2 * at).0, head.hidden);
        for (place, most) in head.most.iter().take(2).enumerate() {
            let weight = 3 * count + 3 + 2 * heads + 2 * at + place;
            assert_eq!(number(weight).0, most.weight);
            assert_eq!(number(weight + 2 * heads).1 as usize, most.index);
        }
    }
}

/// The browser hashes what stands between the tags.
#[test]
fn only_the_page_s_own_script_and_style_may_run() {
    let (_, page) = written(&Example::default().trace(), &PageOptions::default());
    let between = |start: &str, end: &str| {
        let (_, rest) = page.split_once(start).unwrap();
        rest.split_once(end).unwrap().0.to_owned()
    };
    let policy = between("http-equiv=\"Content-Security-Policy\" content=\"", "\">");
    assert!(!policy.contains("unsafe"), "{policy}");
    for (rule, start, end) in [
        ("script-src", "<script type=\"module\">", "</script>"),
        ("style-src", "<style>", "</style>"),
    ] {
        let hash = assets::source(&between(start, end));
        assert!(policy.contains(&format!("{rule} {hash};")), "{policy}");
    }
    // As `printf abc | openssl dgst -sha256 -binary | base64` has it.
    let abc = "'sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0='";
    assert_eq!(assets::source("abc"), abc);
}
