//! Hostile chat templates: each ends soon, with an error that names the limit, in bounded memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use lookback_model::chat::{Conversation, Message, render};

/// The system's allocator, keeping how many bytes are in use and the most that ever were.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system's allocator unchanged; the counters touch no
// memory of their own.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = IN_USE.fetch_add(layout.size(), Relaxed) + layout.size();
        MOST.fetch_max(now, Relaxed);
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: `at` came from `alloc` above with this layout.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What the process may hold while a template runs: the limit on its values, a copy of the largest as it is made, and
/// the growth of the text that is written.
const ALLOWED: usize = 256 << 20;

/// Only one template is measured at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn rendered(template: &str) -> Result<String, String> {
    let _alone = ALONE
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    let message = Message {
        role: "user".into(),
        content: "Who?".into(),
    };
    let conversation = Conversation {
        messages: &[message],
        bos: "<s>",
        eos: "</s>",
        context_length: 8192,
    };
    MOST.store(IN_USE.load(Relaxed), Relaxed);
    let result = render(template, &conversation).map_err(|error| error.to_string());
    let most = MOST.load(Relaxed);
    let start: String = template.chars().take(200).collect();
    assert!(most < ALLOWED, "{start} took {most} bytes");
    result
}

/// A template must be stopped, and by a limit.
fn assert_stopped(template: &str) {
    let start: String = template.chars().take(200).collect();
    let message = rendered(template).expect_err(&start);
    let limits = [
        "steps",
        "MiB of memory",
        "bytes, far more",
        "nest more than",
        "digits",
    ];
    let named = limits.iter().any(|limit| message.contains(limit));
    assert!(named && message.len() < 1000, "{start}: {message}");
}

#[test]
fn what_was_found_is_stopped() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/hostile");
    let mut seen = 0;
    for file in std::fs::read_dir(folder).expect("the hostile templates") {
        let path = file.expect("an entry").path();
        assert_stopped(&std::fs::read_to_string(path).expect("a template"));
        seen += 1;
    }
    assert_eq!(seen, 5);
}

/// Values that hold others twice, sixty levels deep.
#[test]
fn shared_values_cost_what_a_walk_over_them_costs() {
    let lists = "{% set ns = namespace(a=[1], b=[1]) %}{% for i in range(60) %}\
                 {% set ns.a = [ns.a, ns.a] %}{% set ns.b = [ns.b, ns.b] %}{% endfor %}";
    let maps = "{% set ns = namespace(a=[1], b=[1]) %}{% for i in range(60) %}\
                {% set ns.a = {'x': ns.a, 'y': ns.a} %}{% set ns.b = {'x': ns.b, 'y': ns.b} %}{% endfor %}";
    for made in [lists, maps] {
        for walk in [
            "{{ ns.a == ns.b }}",
            "{{ ns.a != ns.b }}",
            "{{ ns.a in [ns.b] }}",
            "{{ ns.a is eq ns.b }}",
            "{{ [ns.a, ns.b] | unique | list }}",
            "{{ [ns.a] | select('equalto', ns.b) | list }}",
            "{{ [ns.a].index(ns.b) }}",
            "{{ ns.a }}",
            "{{ ns.a ~ '' }}",
            "{{ ns.a | string }}",
            "{{ ns.a | tojson }}",
            "{{ ns.a | tojson(indent=2, sort_keys=true) }}",
            "{{ ns.a | pprint }}",
            "{{ ns.a | upper }}",
            "{{ ns.a | indent }}",
            "{{ [ns.a] | join }}",
            "{{ '%s' % [ns.a] }}",
            "{{ '%r' % (ns.a,) }}",
            "{{ '{}'.format(ns.a) }}",
            "{{ '{!r:>9}'.format(ns.a) }}",
            "{{ raise_exception(ns.a) }}",
            "{% for x in [1] %}{{ loop.changed(ns.a) }}{{ loop.changed(ns.b) }}{% endfor %}",
        ] {
            assert_stopped(&format!("{made}{walk}"));
        }
    }
    assert_stopped(&format!("{lists}{{{{ ns.a < ns.b }}}}"));
    assert_stopped(&format!("{lists}{{{{ [ns.a, ns.b] | sort }}}}"));
    assert_eq!(
        rendered(&format!("{lists}{{{{ ns.a | length }}}}")).unwrap(),
        "2"
    );
}

/// Texts of megabytes, gone over again and again.
#[test]
fn long_texts_cost_their_length() {
    for step in [
        "{% if s == t %}{% endif %}",
        "{% if s < t %}{% endif %}",
        "{% if t in s %}{% endif %}",
        "{% set x = s | upper %}",
        "{% set x = s.find('b') %}",
        "{% set x = s.replace('b', '') %}",
        "{% set x = s.count('b') %}",
        "{% set x = s[0] %}",
        "{% set x = s[1:3] %}",
        "{% set x = s | length %}",
        "{% set x = s.strip('b') %}",
        "{% set x = 'a'.strip(s) %}",
        "{% set x = s.split('b') %}",
        "{% set x = ' '.split(s) %}",
        "{% set x = s.isalpha() %}",
        "{% set x = '%.3s' % s %}",
        "{% set x = '{:.3}'.format(s) %}",
        "{% set x = {s: 1}[t] %}",
        "{% set x = s | tojson %}",
        "{% set x = s | int %}",
        "{% set x = messages | map(attribute=s) | list %}",
        "{% set x = messages | selectattr('role', s) | list %}",
        "{% set x = range(3) | join(s) %}",
    ] {
        let made =
            "{% set s = 'a' * 9000000 %}{% set t = 'a' * 9000000 %}{% for i in range(1000000) %}";
        // Some say no before a limit does.
        let message = rendered(&format!("{made}{step}{{% endfor %}}")).expect_err(step);
        assert!(message.len() < 1000, "{message}");
    }
}

#[test]
fn nothing_grows_beyond_its_limit() {
    for template in [
        "{{ '%99999999999d' % 1 }}",
        "{{ '{:>99999999999}'.format(1) }}",
        "{{ '{:.999999}'.format(1.5) }}",
        "{{ 'a'.center(10 ** 12) }}",
        "{{ 'a' | center(10 ** 12) }}",
        "{{ 'a'.zfill(10 ** 12) }}",
        "{{ 'a\nb' | indent(10 ** 12) }}",
        "{{ 'a' * 10 ** 12 }}",
        "{{ [1] * 10 ** 12 }}",
        "{{ [1] | batch(10 ** 12, 'x') | list }}",
        "{{ [1] | slice(10 ** 12) | list }}",
        "{{ range(10 ** 12) | list }}",
        "{{ range(10 ** 12) | sum }}",
        "{{ range(1000000) | list | sort | length }}",
        "{{ range(100000) | list | unique | list | length }}",
        "{% set ns = namespace(s='ab') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
        "{% set ns = namespace(s='ab') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
        "{% set ns = namespace(s='ab') %}{% for i in range(99) %}{% set ns.s = ns.s | replace('a', 'aa') %}{% endfor %}",
        "{% set ns = namespace(l=[1]) %}{% for i in range(999) %}{% set ns.l = [ns.l] %}{% endfor %}",
        "{% for i in range(10 ** 9) %}{% endfor %}",
        "{% for i in range(10 ** 9) %}abcdefghij{% endfor %}",
        "{% for i in range(10 ** 9) %}{% set n = namespace(a=1) %}{% endfor %}",
        "{% for i in range(10 ** 9) %}{% macro m() %}{% endmacro %}{% endfor %}",
        "{% for i in range(10 ** 9) %}{% set x %}{{ 'a' * 9999 }}{% endset %}{% endfor %}",
        "{% macro m(n) %}{{ m(n) }}{% endmacro %}{{ m(1) }}",
        "{% macro m(n) %}{% for i in range(9) %}{% if n %}{{ m(n - 1) }}{% endif %}{% endfor %}{% endmacro %}{{ m(50) }}",
        "{% for n in [1] recursive %}{{ loop([1]) }}{% endfor %}",
    ] {
        assert_stopped(template);
    }
}

/// What the messages hold may be written, and ten times over; what cannot fit the context may not.
#[test]
fn the_output_is_held_to_the_context() {
    let message = Message {
        role: "user".into(),
        content: "x".repeat(3 << 20),
    };
    let conversation = |context_length| Conversation {
        messages: std::slice::from_ref(&message),
        bos: "",
        eos: "",
        context_length,
    };
    let template = "{% for i in range(10) %}{{ messages[0].content.strip() }}{% endfor %}";
    let written = render(template, &conversation(1 << 20)).expect("room for 128 MiB");
    assert_eq!(written.len(), 30 << 20);
    let message = render(template, &conversation(8192))
        .unwrap_err()
        .to_string();
    assert!(message.contains("more than 1048576 bytes"), "{message}");
}
