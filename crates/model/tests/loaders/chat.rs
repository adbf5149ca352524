//! Chat templates as published models write them.

use lookback_model::chat::{Conversation, Message, render};
use serde_json::Value;

use crate::common::data;

fn messages() -> Vec<Message> {
    [
        ("system", "Be brief."),
        ("user", " Who? "),
        ("assistant", "Me."),
        ("user", "Sure?"),
    ]
    .map(|(role, content)| Message {
        role: role.into(),
        content: content.into(),
    })
    .to_vec()
}

/// What a template makes of [`messages`].
pub(crate) fn answer(template: &str) -> Result<String, lookback_model::tokenizer::Error> {
    let conversation = Conversation {
        messages: &messages(),
        bos: "<s>",
        eos: "</s>",
        context_length: 8192,
    };
    render(template, &conversation)
}

fn rendered(template: &str) -> String {
    answer(template).expect("a good template")
}

pub(crate) fn refusal(template: &str) -> String {
    let message = answer(template).expect_err("a bad template").to_string();
    assert!(!message.contains('\n'), "{message}");
    message
}

#[test]
fn chatml() {
    let template = "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] \
                    + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
    assert_eq!(
        rendered(template),
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n Who? <|im_end|>\n\
         <|im_start|>assistant\nMe.<|im_end|>\n<|im_start|>user\nSure?<|im_end|>\n<|im_start|>assistant\n"
    );
}

#[test]
fn brackets_with_a_system_message_and_pythons_methods() {
    let template = "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}\
                    {% set system_message = messages[0]['content'].strip() %}{% else %}{% set loop_messages = messages %}\
                    {% set system_message = false %}{% endif %}{% for message in loop_messages %}\
                    {% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}\
                    {% if loop.index0 == 0 and system_message != false %}{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}\
                    {% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}\
                    {{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}\
                    {{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}";
    assert_eq!(
        rendered(template),
        "<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\n Who? [/INST] Me. </s><s>[INST] Sure? [/INST]"
    );
}

#[test]
fn headers_with_white_space_control_filters_and_namespaces() {
    let template = "{{- bos_token }}\n{%- set ns = namespace(n=0) %}\n{%- if not date is defined %}\n    {%- set date = \"26 Jul\" %}\n{%- endif %}\n\
                    {%- for message in messages %}\n    {%- set ns.n = ns.n + 1 %}\n    {%- if message.role == 'assistant' %}\n        {%- continue %}\n    {%- endif %}\n    \
                    {{- '<|' + message.role + '|>' + message.content | trim + '<|end|>' }}\n{%- endfor %}\n{{- ns.n ~ date }}";
    assert_eq!(
        rendered(template),
        "<s><|system|>Be brief.<|end|><|user|>Who?<|end|><|user|>Sure?<|end|>426 Jul"
    );
}

/// Templates and what Jinja2 made of them, or that it refused them: `scripts/chat_templates.py`.
#[test]
fn templates_are_rendered_as_jinja2_does() {
    let text = std::fs::read_to_string(data("jinja2.json")).expect("the reference values");
    let cases: Vec<(String, Value)> = serde_json::from_str(&text).expect("JSON");
    assert!(cases.len() > 100);
    for (template, expected) in cases {
        let answer = answer(&template).map_err(|error| error.to_string());
        match (&answer, expected.as_str()) {
            (Ok(answer), Some(expected)) => assert_eq!(answer, expected, "{template}"),
            (Err(_), None) => {}
            _ => panic!("{template}: {answer:?}, and Jinja2 {expected}"),
        }
    }
}

/// As Jinja2 with `trim_blocks` and `lstrip_blocks`, and without the last newline.
#[test]
fn blocks_take_their_line_with_them() {
    let template = "{% for message in messages %}\n  {% if loop.last %}\n  {{ message.role }}:\n  {% endif %}\n{% endfor %}\n";
    assert_eq!(rendered(template), "  user:\n");
}

#[test]
fn marks_for_training_change_nothing() {
    let template = "{% for m in messages %}{% if m.role == 'assistant' %}x {%- generation %} {{ m.content }} {%- endgeneration -%}  y{% endif %}{% endfor %}";
    assert_eq!(rendered(template), "x Me.y");
}

#[test]
fn tojson_writes_as_python_does() {
    let template = "{{ {'b': [1, 'é<&>'], 'a': none} | tojson }}";
    // In the order of writing, as json.dumps; only Jinja2's own filter, which `transformers` replaces, sorts.
    assert_eq!(rendered(template), "{\"b\": [1, \"é<&>\"], \"a\": null}");
    assert_eq!(rendered("{{ [1] | tojson(indent=2) }}"), "[\n  1\n]");
}

#[test]
fn dates_are_todays() {
    let year: u32 = rendered("{{ strftime_now('%Y') }}").parse().unwrap();
    assert!(year >= 2024);
    assert!(refusal("{{ strftime_now('%Q') }}").contains("%Q"));
}

#[test]
fn bad_templates_are_refused_in_one_line() {
    let message = refusal("{{ raise_exception('no system role') }}");
    assert!(
        message.contains("refuses these messages: no system role"),
        "{message}"
    );
    let message = refusal("\n\n{% for %}");
    assert!(message.contains("line 3"), "{message}");
    assert!(refusal("{{ messages[0].no.such }}").contains("undefined"));
    assert!(refusal("{% include 'other' %}").contains("rendered"));
    refusal("{{ open('x') }}");
    refusal("{% generation");
}

#[test]
fn templates_that_never_end_are_stopped() {
    let endless = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}";
    assert!(refusal(endless).contains("fuel"), "{}", refusal(endless));
    refusal("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}");
    refusal("{{ 'x' * 1000000000000 }}");
}

/// The engine goes down expressions by recursion: these used to overflow the stack.
#[test]
fn templates_that_nest_deeply_end_in_an_answer() {
    /// The longest template that is read.
    const LONGEST: usize = 64 << 10;
    let repeated = |start: &str, part: &str, end: &str| {
        let times = (LONGEST - start.len() - end.len()) / part.len();
        format!("{start}{}{end}", part.repeat(times))
    };
    // Most are refused or fail for what they say; the answer is that this thread is still there.
    for template in [
        repeated("{{ 1", "+1", " }}"),
        repeated("{{ ", "-", "1 }}"),
        repeated("{{ ", "not ", "1 }}"),
        repeated("{{ a", ".a", " }}"),
        repeated("{{ [1]", "[0]", " }}"),
        repeated("{{ 1", "|a", " }}"),
        repeated("{{ 1", "()", " }}"),
        format!("{{{{ 1{} }}}}", "~1".repeat(1000)),
        repeated("{{ 2", "**1", " }}"),
        repeated("{{ 1", " if 1", " }}"),
        repeated("{{ 1", " is a", " }}"),
        repeated("{{ 1", " and 1", " }}"),
        repeated("{{ 1", "<1", " }}"),
        repeated("{{ ", "(", ")"),
        repeated("{{ ", "[", "]"),
        repeated("{{ ", "{1:", "}"),
        repeated("{% if 1 %}", "{% elif 1 %}", "{% endif %}"),
        repeated("", "{% if 1 %}", ""),
        repeated("", "{% for a in a %}", ""),
        repeated("", "{% macro m() %}", ""),
    ] {
        let _ = answer(&template);
    }
    let sum = repeated("{{ 1", "+1", " }}");
    assert_eq!(rendered(&sum), ((sum.len() - 7) / 2 + 1).to_string());
    let longer = refusal(&" ".repeat(LONGEST + 1));
    assert!(longer.contains("65537 bytes"), "{longer}");
    let joined = repeated("{{ 1", "~1", " }}");
    assert_eq!(rendered(&joined), "1".repeat((joined.len() - 7) / 2 + 1));
}

/// Values that a short template makes deep: writing, comparing and dropping them goes down by recursion too.
#[test]
fn values_that_nest_deeply_end_in_an_answer() {
    let made = "{% set ns = namespace(x=[], y=[]) %}{% for i in range(99999) %}";
    for (step, last) in [
        ("{% set ns.x = [ns.x] %}", "{{ ns.x }}"),
        ("{% set ns.x = [ns.x] %}", "{{ ns.x | tojson }}"),
        ("{% set ns.x = [ns.x] %}", "{{ 1 }}"),
        ("{% set ns.x = {'a': ns.x} %}", "{{ ns.x | string }}"),
        (
            "{% set ns.x = [ns.x] %}{% set ns.y = [ns.y] %}",
            "{{ ns.x == ns.y }}",
        ),
        (
            "{% set ns.x = [ns.x] %}{% set ns.y = [ns.y] %}",
            "{{ [ns.x, ns.y] | sort }}",
        ),
        ("{% set ns.x = ns.x ~ [1] %}", "{{ ns.x }}"),
        ("{% set ns.x = ns.x + [1] %}", "{{ ns.x }}"),
    ] {
        for rounds in [1000, 10_000, 30_000, 99_999] {
            let made = made.replace("99999", &rounds.to_string());
            let template = format!("{made}{step}{{% endfor %}}{last}");
            let _ = answer(&template);
        }
    }
}
