//! Files with bytes changed at random: whatever they say, opening and reading them ends in a
//! value or an error, and takes no more memory than their size allows.

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use lookback_model::Prefix;
use lookback_model::checkpoint::{Checkpoint, Error};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

/// The system's allocator, keeping the largest request that was ever made of it.
struct Watching;

static LARGEST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system's allocator unchanged; the counter touches no
// memory of its own.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Relaxed);
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: `at` came from `alloc` above with this layout.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Watching = Watching;

/// The largest single request that a tiny file may lead to. The files have less than 100 kB;
/// a matrix dequantised from them has at most sixteen times as much, and what the tokenizer
/// library sets up for any vocabulary stays below this.
const LARGEST_ALLOWED: usize = 8 << 20;

fn tiny(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/tiny")
        .join(name)
}

/// What is done to a file.
#[derive(Debug, Clone)]
enum Change {
    Set(Index, u8),
    Flip(Index, u8),
    /// Eight bytes: where a count, a length or an offset stands.
    Number(Index, u64),
    Remove(Index, u8),
    Insert(Index, Vec<u8>),
    Truncate(Index),
    /// Copies a stretch over another.
    Copy(Index, Index, u8),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    let number = prop_oneof![
        Just(u64::MAX),
        Just(1 << 63),
        Just(1 << 40),
        0..1000_u64,
        any::<u64>()
    ];
    prop_oneof![
        4 => (at(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        4 => (at(), 0..8_u8).prop_map(|(at, bit)| Change::Flip(at, bit)),
        4 => (at(), number).prop_map(|(at, number)| Change::Number(at, number)),
        1 => (at(), 1..16_u8).prop_map(|(at, length)| Change::Remove(at, length)),
        1 => (at(), proptest::collection::vec(any::<u8>(), 1..16)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        1 => at().prop_map(Change::Truncate),
        2 => (at(), at(), 1..64_u8).prop_map(|(from, to, length)| Change::Copy(from, to, length)),
    ]
}

/// Applies changes to the first `reach` bytes, where a file says what the rest is.
fn apply(bytes: &mut Vec<u8>, changes: &[Change], reach: usize) {
    for change in changes {
        let reach = reach.min(bytes.len());
        if reach == 0 {
            return;
        }
        let place = |at: &Index| at.index(reach);
        match change {
            Change::Set(at, byte) => bytes[place(at)] = *byte,
            Change::Flip(at, bit) => bytes[place(at)] ^= 1 << bit,
            Change::Number(at, number) => {
                let at = place(at);
                let end = (at + 8).min(bytes.len());
                bytes[at..end].copy_from_slice(&number.to_le_bytes()[..end - at]);
            }
            Change::Remove(at, length) => {
                let at = place(at);
                let end = (at + usize::from(*length)).min(bytes.len());
                bytes.drain(at..end);
            }
            Change::Insert(at, inserted) => {
                let at = place(at);
                bytes.splice(at..at, inserted.iter().copied());
            }
            Change::Truncate(at) => bytes.truncate(at.index(bytes.len())),
            Change::Copy(from, to, length) => {
                let (from, to) = (place(from), place(to));
                let length = usize::from(*length).min(bytes.len() - from.max(to));
                bytes.copy_within(from..from + length, to);
            }
        }
    }
}

/// Does with a checkpoint all that can be done with it.
fn use_it(checkpoint: &Checkpoint) -> Result<(), Error> {
    for layer in &checkpoint.spec().layers {
        if let Some(rope) = &layer.attention.rope {
            assert_eq!(rope.frequencies(100).len(), rope.dims / 2);
        }
    }
    let tokenizer = checkpoint.tokenizer();
    if let Ok(encoding) = tokenizer.encode("The 2 <s> <|im_start|> lamps’ é日\n", &Prefix::Declared)
    {
        let _ = tokenizer.decode(&encoding.ids, false);
        for (start, end) in encoding.spans {
            assert!(encoding.text.get(start..end).is_some());
        }
    }
    let mut stream = tokenizer.stream(false);
    for id in [0, 1, 2, 3, 100, 300, u32::MAX] {
        stream.push(id);
        let _ = tokenizer.token_text(id);
    }
    for name in [
        "model.embed_tokens.weight",
        "model.layers.0.self_attn.q_proj.weight",
    ] {
        let shape = checkpoint.shape(name)?.to_vec();
        assert_eq!(checkpoint.tensor_f32(name)?.dims(), shape);
        checkpoint.rows_f32(name, &[0, 1])?;
        checkpoint.quantized(name)?;
    }
    Ok(())
}

fn open_and_use(path: &Path) {
    if let Ok(checkpoint) = Checkpoint::open(path) {
        // An error is an answer: a weight may have become NaN.
        let _ = use_it(&checkpoint);
    }
    let largest = LARGEST.load(Relaxed);
    assert!(
        largest <= LARGEST_ALLOWED,
        "{largest} bytes were asked for at once"
    );
}

/// Where a GGUF file's tensors begin, roughly: they are at its end.
fn gguf_header(bytes: &[u8]) -> usize {
    let name = b"output_norm.weight";
    let found = bytes.windows(name.len()).rposition(|window| window == name);
    found.expect("every model has this tensor") + 256
}

/// A step that a tokenizer.json may name, with whatever settings.
fn step() -> impl Strategy<Value = Value> {
    let text = || "[a-z▁ ()|*+?.\\\\\\[\\]]{0,5}";
    let pattern = || {
        (any::<bool>(), text()).prop_map(|(regex, text)| match regex {
            true => json!({ "Regex": text }),
            false => json!({ "String": text }),
        })
    };
    let behavior = prop_oneof![
        Just("Isolated"),
        Just("Removed"),
        Just("MergedWithPrevious"),
        Just("MergedWithNext"),
        Just("Contiguous"),
    ];
    prop_oneof![
        Just(Value::Null),
        Just(json!({"type": "NFC"})),
        Just(json!({"type": "Whitespace"})),
        (pattern(), text()).prop_map(|(pattern, content)| json!({"type": "Replace", "pattern": pattern, "content": content})),
        Just(json!({"type": "Replace", "pattern": {"String": " "}, "content": "▁"})),
        text().prop_map(|text| json!({"type": "Prepend", "prepend": text})),
        Just(json!({"type": "Prepend", "prepend": "▁"})),
        "[A-Za-z/+=]{0,12}".prop_map(|map| json!({"type": "Precompiled", "precompiled_charsmap": map})),
        (0..3_u8).prop_map(|length| json!({"type": "FixedLength", "length": length})),
        any::<bool>().prop_map(|each| json!({"type": "Digits", "individual_digits": each})),
        (any::<bool>(), any::<bool>()).prop_map(|(space, regex)| {
            json!({"type": "ByteLevel", "add_prefix_space": space, "trim_offsets": true, "use_regex": regex})
        }),
        (prop_oneof![Just("▁"), Just("_")], prop_oneof![Just("first"), Just("always"), Just("never")], any::<bool>())
            .prop_map(|(replacement, scheme, split)| {
                json!({"type": "Metaspace", "replacement": replacement, "prepend_scheme": scheme, "split": split})
            }),
        (pattern(), behavior, any::<bool>()).prop_map(|(pattern, behavior, invert)| {
            json!({"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert})
        }),
    ]
}

/// One step, or several in sequence under `key`.
fn steps(key: &'static str) -> impl Strategy<Value = Value> {
    let several = proptest::collection::vec(step(), 0..4)
        .prop_map(move |steps| json!({"type": "Sequence", key: steps}));
    prop_oneof![step(), several]
}

/// Whatever a tokenizer does, it says so: every byte of the text has a token, or there is an error.
fn nothing_is_lost(checkpoint: &Checkpoint) {
    let text = "  The 2 lamps’ é日\n\t x";
    let Ok(encoding) = checkpoint.tokenizer().encode(text, &Prefix::None) else {
        return;
    };
    let mut end = 0;
    for (from, to) in &encoding.spans {
        assert!(*from <= end, "{:?}", encoding.spans);
        end = end.max(*to);
    }
    assert_eq!(end, text.len(), "{:?}", encoding.spans);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn gguf_headers(changes in proptest::collection::vec(change(), 1..6), which in 0..3_usize) {
        let name = ["tied", "head-dim-f16", "k-quants"][which];
        let mut bytes = std::fs::read(tiny(name).join("model.gguf")).unwrap();
        let reach = gguf_header(&bytes);
        apply(&mut bytes, &changes, reach);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.gguf");
        std::fs::write(&path, bytes).unwrap();
        open_and_use(&path);
    }

    /// The keys that say most stand at the beginning.
    #[test]
    fn gguf_beginnings(changes in proptest::collection::vec(change(), 1..4)) {
        let mut bytes = std::fs::read(tiny("grouped").join("model.gguf")).unwrap();
        apply(&mut bytes, &changes, 1024);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.gguf");
        std::fs::write(&path, bytes).unwrap();
        open_and_use(&path);
    }

    #[test]
    fn gguf_weights(changes in proptest::collection::vec(change(), 1..20)) {
        let mut bytes = std::fs::read(tiny("quantised").join("model.gguf")).unwrap();
        let start = gguf_header(&bytes);
        let mut weights = bytes.split_off(start);
        let reach = weights.len();
        apply(&mut weights, &changes, reach);
        bytes.extend(weights);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.gguf");
        std::fs::write(&path, bytes).unwrap();
        open_and_use(&path);
    }

    #[test]
    fn any_file_of_a_folder(changes in proptest::collection::vec(change(), 1..6), which in 0..6_usize) {
        let files = [
            "model-00001-of-00003.safetensors",
            "model-00002-of-00003.safetensors",
            "model.safetensors.index.json",
            "config.json",
            "tokenizer.json",
            "tokenizer_config.json",
        ];
        let folder = tempfile::tempdir().unwrap();
        for file in files.iter().chain(&["model-00003-of-00003.safetensors"]) {
            let mut bytes = std::fs::read(tiny("sharded").join(file)).unwrap();
            if *file == files[which] {
                // Of a safetensors file, its length and header.
                let reach = if which < 2 { 1500 } else { bytes.len() };
                apply(&mut bytes, &changes, reach);
            }
            std::fs::write(folder.path().join(file), bytes).unwrap();
        }
        open_and_use(folder.path());
    }

    /// tokenizer.json by itself, where most changed bytes still make JSON.
    #[test]
    fn letters_of_a_tokenizer(places in proptest::collection::vec((any::<Index>(), "[a-zA-Z0-9\\[\\]{}\",: ]{0,3}"), 1..6)) {
        let folder = tempfile::tempdir().unwrap();
        for file in ["config.json", "model.safetensors"] {
            std::fs::copy(tiny("mistral").join(file), folder.path().join(file)).unwrap();
        }
        let mut text = std::fs::read(tiny("mistral").join("tokenizer.json")).unwrap();
        for (at, new) in places {
            let at = at.index(text.len());
            text.splice(at..(at + 1).min(text.len()), new.bytes());
        }
        std::fs::write(folder.path().join("tokenizer.json"), text).unwrap();
        open_and_use(folder.path());
    }

    /// The steps of a tokenizer.json, of whatever kind, in whatever order.
    #[test]
    fn steps_of_a_tokenizer(
        normalizer in steps("normalizers"),
        pre_tokenizer in steps("pretokenizers"),
        source in prop_oneof![Just("tied"), Just("mistral")],
    ) {
        let folder = tempfile::tempdir().unwrap();
        for file in ["config.json", "model.safetensors"] {
            std::fs::copy(tiny(source).join(file), folder.path().join(file)).unwrap();
        }
        let text = std::fs::read_to_string(tiny(source).join("tokenizer.json")).unwrap();
        let mut json: Value = serde_json::from_str(&text).unwrap();
        json["normalizer"] = normalizer;
        json["pre_tokenizer"] = pre_tokenizer;
        std::fs::write(folder.path().join("tokenizer.json"), json.to_string()).unwrap();
        open_and_use(folder.path());
        if let Ok(checkpoint) = Checkpoint::open(folder.path()) {
            nothing_is_lost(&checkpoint);
        }
    }
}
