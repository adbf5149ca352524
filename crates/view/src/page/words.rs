//! Answers about words over all heads, as a page keeps them where it does not keep all heads.
//!
//! One block a word, all of it little-endian, in numbers of four bytes. W words, H heads, the k largest of each row:
//!
//! | what | shape |
//! | --- | --- |
//! | given, received, received hidden: means over all heads | f32 \[3, W\] |
//! | hidden, learned sink, other | f32 \[3\] |
//! | of each head: hidden, on itself | f32 \[H, 2\] |
//! | its largest weights on other words, 0 where there are fewer | f32 \[H, k\] |
//! | the words that they lie on | u32 \[H, k\] |
//! | layer and head of the one that is opened for the word | u32 \[2\] |
//!
//! `web/src/lib/kept.ts` reads it.

use std::sync::atomic::AtomicBool;

use lookback_heads::token_attention::{HeadAttention, TokenAttention, TokenAttentionOptions};
use lookback_trace::Trace;

use crate::Error;

/// Bytes of one word's block.
pub(super) fn bytes_of_word(words: usize, heads: usize, top: usize) -> u64 {
    4 * (3 * words + 3 + heads * (2 + 2 * top) + 2) as u64
}

/// One word's block.
pub(super) fn block(
    trace: &Trace,
    word: usize,
    top: usize,
    cancel: &AtomicBool,
) -> Result<Vec<u8>, Error> {
    let options = TokenAttentionOptions {
        listed: Some(top),
        ..TokenAttentionOptions::default()
    };
    let mut answer = TokenAttention::new(trace, word, &options, cancel)?;
    answer.ranked.sort_by_key(|head| head.head);
    let mut numbers: Vec<f32> = Vec::new();
    for list in [&answer.given, &answer.received, &answer.received_hidden] {
        numbers.extend_from_slice(list);
    }
    numbers.extend([answer.hidden, answer.learned_sink, answer.other]);
    for head in &answer.ranked {
        numbers.extend([head.hidden, head.on_itself]);
    }
    let listed = |head: &HeadAttention, at: usize| head.most.get(at).copied();
    for head in &answer.ranked {
        numbers.extend((0..top).map(|at| listed(head, at).map_or(0.0, |most| most.weight)));
    }
    let mut bytes: Vec<u8> = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
    for head in &answer.ranked {
        let indices = (0..top).map(|at| listed(head, at).map_or(0, |most| most.index as u32));
        bytes.extend(indices.flat_map(u32::to_le_bytes));
    }
    let opened = answer.default_head.unwrap_or(answer.ranked[0].head);
    let opened = [opened.layer, opened.head].map(|at| at as u32);
    bytes.extend(opened.into_iter().flat_map(u32::to_le_bytes));
    Ok(bytes)
}
