//! The tokens of a text, or of a long one those around the words of interest.

use std::ops::Range;

use lookback_heads::Look;
use lookback_heads::look::TokenInfo;

use super::clean::{clean, name};
use super::flow::Flow;
use super::line::Line;
use super::palette::{CANDIDATE, FOCUS, HEADING, PLAIN, QUIET};

/// A text of this many tokens is shown whole.
const WHOLE: usize = 120;

/// Of a longer one: tokens from its start, and before and after each word of interest.
const START: usize = 12;
const BEFORE: usize = 28;
const AFTER: usize = 8;

/// Joins two tokens where the text has no space.
const JOIN: &str = "·";

/// Marks a word of interest, for those who see no colour.
const MARK: &str = "▸";

/// The heading and the tokens, with the first `drawn` words of interest marked.
pub(super) fn strip(look: &Look<'_>, drawn: usize, width: usize) -> Vec<Line> {
    let interest = &look.interest()[..drawn];
    let legend = format!("a·b: one word, two tokens; {MARK} asked about");
    let heading = Flow::new(width, 2, Line::of(HEADING, "Tokens")).prose(QUIET, &legend);
    let mut flow = Flow::new(width, 2, indent());
    let shown = shown(look, interest);
    let mut end = 0;
    for range in &shown {
        gap(&mut flow, range.start - end);
        tokens(look, interest, range.clone(), &mut flow);
        end = range.end;
    }
    gap(&mut flow, look.tokens().len() - end);
    let mut lines = vec![Line::new()];
    lines.extend(heading.lines());
    lines.extend(flow.lines());
    lines
}

fn indent() -> Line {
    let mut line = Line::new();
    line.pad_to(2);
    line
}

fn gap(flow: &mut Flow, tokens: usize) {
    if tokens > 0 {
        flow.word(QUIET, &format!("…{tokens} more…"));
    }
}

/// Which tokens are shown: ranges in order that do not touch.
fn shown(look: &Look<'_>, interest: &[Range<usize>]) -> Vec<Range<usize>> {
    let n = look.tokens().len();
    if n <= WHOLE {
        return vec![Range { start: 0, end: n }];
    }
    let words = look.trace().words();
    let around = |at: &Range<usize>| {
        let start = words.get(at.start).map_or(0, |w| w.tokens.start);
        let end = words.get(at.end - 1).map_or(start, |w| w.tokens.end);
        start.saturating_sub(BEFORE)..(end + AFTER).min(n)
    };
    let mut ranges = vec![Range {
        start: 0,
        end: START,
    }];
    for range in interest.iter().map(around) {
        match ranges.last_mut() {
            // A gap of one or two tokens takes more room than the tokens.
            Some(last) if range.start <= last.end + 2 => last.end = last.end.max(range.end),
            _ => ranges.push(range),
        }
    }
    ranges
}

/// Puts a range of tokens into the flow. Tokens that share one character (an emoji made of several) are shown once, with
/// their number.
fn tokens(look: &Look<'_>, interest: &[Range<usize>], range: Range<usize>, flow: &mut Flow) {
    let (all, words) = (look.tokens(), look.trace().words());
    let candidates = look.candidate_words();
    let mut at = range.start;
    while at < range.end {
        let token = &all[at];
        let same = |other: &&TokenInfo| {
            !token.prefix && token.span.0 < token.span.1 && other.span == token.span
        };
        let count = 1 + all[at + 1..range.end].iter().take_while(same).count();
        let word = words.of_token(at);
        let asked = word.filter(|word| interest.iter().any(|at| at.contains(word)));
        let style = match word {
            _ if token.prefix => QUIET,
            Some(_) if asked.is_some() => FOCUS,
            Some(word) if candidates.binary_search(&word).is_ok() => CANDIDATE,
            _ => PLAIN,
        };
        let begins = |at: &Range<usize>| words.get(at.start).map(|w| w.tokens.start);
        let begins_word = interest.iter().any(|word| begins(word) == Some(at));
        let mut text = shown_text(token);
        if count > 1 {
            text.push_str(&format!("×{count}"));
        }
        if begins_word {
            text.insert_str(0, MARK);
        }
        let spaced =
            at == range.start || token.text.starts_with(char::is_whitespace) || all[at - 1].prefix;
        if spaced {
            flow.word(style, &text);
        } else {
            flow.glued(QUIET, JOIN);
            flow.glued(style, &text);
        }
        at += count;
    }
}

fn shown_text(token: &TokenInfo) -> String {
    if token.prefix {
        return clean(&token.text);
    }
    name(&token.text)
}
