//! Random texts, the same as those of `scripts/make_tokenizer_texts.py`, and the digests of their tokens.
#![allow(dead_code, reason = "not every test program uses all of it")]

use std::path::{Path, PathBuf};

/// Where the lists, the digests and the tokenizers are.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tokenizers")
}

#[derive(serde::Deserialize)]
struct Settings {
    seed: u64,
    count: usize,
    words: Vec<String>,
    spaces: Vec<String>,
    special: Vec<String>,
    ranges: Vec<[u32; 2]>,
}

/// SplitMix64 (Steele, Lea & Flood 2014).
struct Draws(u64);

impl Draws {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % count as u64) as usize
    }

    fn one_of<'a>(&mut self, list: &'a [String]) -> &'a str {
        &list[self.below(list.len())]
    }

    fn part(&mut self, settings: &Settings, text: &mut String) {
        match self.below(8) {
            0..=2 => text.push_str(self.one_of(&settings.words)),
            3 | 4 => text.push_str(self.one_of(&settings.spaces)),
            5 | 6 => {
                let [low, high] = settings.ranges[self.below(settings.ranges.len())];
                for _ in 0..=self.below(3) {
                    let code = low + self.below((high - low + 1) as usize) as u32;
                    text.push(char::from_u32(code).expect("the ranges hold characters"));
                }
            }
            _ => text.push_str(self.one_of(&settings.special)),
        }
    }
}

pub(crate) fn texts() -> Vec<String> {
    let file = std::fs::read(folder().join("texts.json")).expect("the lists");
    let settings: Settings = serde_json::from_slice(&file).expect("lists");
    let mut draws = Draws(settings.seed);
    let mut text = || {
        let mut text = String::new();
        for _ in 0..=draws.below(12) {
            draws.part(&settings, &mut text);
        }
        text
    };
    (0..settings.count).map(|_| text()).collect()
}

/// Where texts are to be cut, for every way to cut words.
#[derive(serde::Deserialize)]
pub(crate) struct Cuts {
    seed: u64,
    count: usize,
    longest: usize,
    pool: String,
    /// By a pre-tokenizer's name, in hexadecimal.
    pub(crate) digests: std::collections::BTreeMap<String, String>,
}

impl Cuts {
    pub(crate) fn read() -> Self {
        let file = std::fs::read(folder().join("cuts.json")).expect("the digests");
        serde_json::from_slice(&file).expect("digests")
    }

    /// [`texts`], and those that are made for this.
    pub(crate) fn texts(&self) -> Vec<String> {
        let pool: Vec<char> = self.pool.chars().collect();
        let mut draws = Draws(self.seed);
        let more = (0..self.count).map(|_| {
            let length = 1 + draws.below(self.longest);
            (0..length).map(|_| pool[draws.below(pool.len())]).collect()
        });
        texts().into_iter().chain(more).collect()
    }
}

/// FNV-1a of 64 bits, over the numbers' bytes.
pub(crate) fn digest(numbers: &[u32]) -> u64 {
    let bytes = numbers.iter().flat_map(|id| id.to_le_bytes());
    bytes.fold(0xCBF2_9CE4_8422_2325, |value, byte| {
        (value ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3)
    })
}

/// Checks that `encode` gives the ids of the original library, whose digests are in `NAME.digests`.
pub(crate) fn check(name: &str, encode: impl Fn(&str) -> Vec<u32>) {
    let file = std::fs::read(folder().join(format!("{name}.digests"))).expect("the digests");
    let expected: Vec<u64> = file
        .as_chunks()
        .0
        .iter()
        .map(|bytes| u64::from_le_bytes(*bytes))
        .collect();
    let texts = texts();
    assert_eq!((expected.len(), texts.len()), (600, 600));
    for (index, (text, expected)) in texts.iter().zip(expected).enumerate() {
        let ids = encode(text);
        assert!(
            digest(&ids) == expected,
            "{name}, text {index}, {text:?}: {ids:?}"
        );
    }
}
