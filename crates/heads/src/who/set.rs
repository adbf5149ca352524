//! Sets of questions with known answers, one JSON object a line.

use std::path::Path;

use lookback_trace::{printable_message, quoted};
use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation as _;

use super::question::{Named, Question, Span};
use crate::Error;

/// The most candidates of a question: each is looked for in the text, and compared with those before it.
const MOST_CANDIDATES: usize = 64;

/// A question whose answer is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The question.
    pub question: Question,
    /// Which candidate is meant.
    pub answer: usize,
    /// The group that it is counted in.
    pub group: String,
    /// The template that it was made from: variants of one another share it.
    pub template: String,
}

/// A set of questions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Set {
    /// The questions, in the file's order.
    pub items: Vec<Item>,
    /// The lines that hold none.
    pub skipped: Vec<Skipped>,
}

/// A line that could not be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// A line as it is written; other fields are allowed.
#[derive(Deserialize)]
struct Line {
    text: String,
    word: String,
    /// In Unicode code points.
    word_span: Option<(usize, usize)>,
    candidates: Vec<String>,
    answer: String,
    group: Option<String>,
    template: Option<String>,
    probe: Option<String>,
}

impl Set {
    /// Reads a file of one JSON object a line; see [`Set::parse`].
    ///
    /// # Errors
    /// [`Error::ReadSet`] where the file cannot be read, [`Error::EmptySet`] where no line can be used.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let read = |source| Error::ReadSet {
            path: path.to_owned(),
            source,
        };
        let bytes = std::fs::read(path).map_err(read)?;
        let set = Self::parse(&String::from_utf8_lossy(&bytes));
        if set.items.is_empty() {
            return Err(Error::EmptySet {
                path: path.to_owned(),
                first: set
                    .skipped
                    .first()
                    .map(|s| format!("line {}: {}", s.line, s.reason)),
            });
        }
        Ok(set)
    }

    /// Reads one JSON object a line with `text`, `word`, `candidates`, `answer`, and where wanted `word_span` (in
    /// Unicode code points), `group`, `template` and `probe`. Empty lines are passed over; a line that cannot be used
    /// is listed with the reason, and the rest goes on.
    ///
    /// ```
    /// let set = lookback_heads::who::set::Set::parse(
    ///     "{\"text\": \"Ann met Jo. Then she left.\", \"word\": \"she\", \"candidates\": [\"Ann\", \"Jo\"], \
    ///      \"answer\": \"Ann\"}\nnonsense\n",
    /// );
    /// assert_eq!(set.items[0].question.word, (17, 20));
    /// assert_eq!((set.items.len(), set.skipped[0].line), (1, 2));
    /// ```
    #[must_use]
    pub fn parse(lines: &str) -> Self {
        let mut set = Self::default();
        for (index, line) in lines.lines().enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            match item(line, index + 1) {
                Ok(item) => set.items.push(item),
                Err(reason) => set.skipped.push(Skipped {
                    line: index + 1,
                    reason,
                }),
            }
        }
        set
    }
}

fn item(line: &str, number: usize) -> Result<Item, String> {
    let line: Line = serde_json::from_str(line)
        .map_err(|e| format!("not a question: {}", printable_message(&e.to_string())))?;
    if line.candidates.len() > MOST_CANDIDATES {
        return Err(format!(
            "{} candidates; a question has at most {MOST_CANDIDATES}",
            line.candidates.len()
        ));
    }
    let word = word_place(&line)?;
    let mut candidates: Vec<Named> = Vec::new();
    for name in &line.candidates {
        let places = places(&line.text[..word.0], name);
        if places.is_empty() {
            return Err(format!(
                "the candidate {} does not come before {}",
                quoted(name),
                quoted(&line.word)
            ));
        }
        if candidates.iter().any(|known| known.name == *name) {
            return Err(format!("the candidate {} is named twice", quoted(name)));
        }
        candidates.push(Named {
            name: name.clone(),
            places,
        });
    }
    if candidates.len() < 2 {
        return Err(format!(
            "{} candidates; a choice needs two",
            candidates.len()
        ));
    }
    let answer = candidates
        .iter()
        .position(|candidate| candidate.name == line.answer)
        .ok_or_else(|| {
            format!(
                "the answer {} is none of the candidates",
                quoted(&line.answer)
            )
        })?;
    Ok(Item {
        answer,
        group: line.group.unwrap_or_else(|| "all".to_owned()),
        template: line.template.unwrap_or_else(|| format!("line {number}")),
        question: Question {
            text: line.text,
            word,
            candidates,
            probe: line.probe.filter(|probe| !probe.trim().is_empty()),
        },
    })
}

/// Where the word is, in bytes.
fn word_place(line: &Line) -> Result<Span, String> {
    let Some((start, end)) = line.word_span else {
        return match places(&line.text, &line.word).as_slice() {
            [place] => Ok(*place),
            [] => Err(format!("{} is not a word of the text", quoted(&line.word))),
            several => Err(format!(
                "{} occurs {} times; give its word_span",
                quoted(&line.word),
                several.len()
            )),
        };
    };
    let byte = |position: usize| {
        let mut starts = line.text.char_indices().map(|(at, _)| at);
        starts
            .nth(position)
            .or_else(|| (line.text.chars().count() == position).then_some(line.text.len()))
    };
    let place = byte(start).zip(byte(end)).filter(|(s, e)| s < e);
    let place = place.ok_or_else(|| {
        format!(
            "word_span {start}..{end} does not lie in the text's {} characters",
            line.text.chars().count()
        )
    })?;
    let found = &line.text[place.0..place.1];
    if found == line.word {
        Ok(place)
    } else {
        Err(format!(
            "word_span {start}..{end} holds {}, not {}",
            quoted(found),
            quoted(&line.word)
        ))
    }
}

/// Where a name stands as a whole word, in bytes: between characters that belong to no word, or at word boundaries of
/// Unicode Standard Annex 29, as in scripts that write no spaces.
pub(super) fn places(text: &str, name: &str) -> Vec<Span> {
    let of_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if name.is_empty() {
        return Vec::new();
    }
    let boundaries: Vec<usize> = text.split_word_bound_indices().map(|(at, _)| at).collect();
    let cut = |at: usize| at == text.len() || boundaries.binary_search(&at).is_ok();
    text.match_indices(name)
        .map(|(start, found)| (start, start + found.len()))
        .filter(|&(start, end)| {
            let begins = !of_word(text[..start].chars().next_back()) || cut(start);
            let ends = !of_word(text[end..].chars().next()) || cut(end);
            begins && ends
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(changes: &str) -> String {
        format!(
            "{{\"text\": \"Ann met Jo. Then she saw Ann’s dog, she said.\", \"candidates\": [\"Ann\", \"Jo\"], \
             \"answer\": \"Ann\", {changes}}}"
        )
    }

    #[track_caller]
    fn skipped(changes: &str, part: &str) {
        let set = Set::parse(&line(changes));
        assert!(set.items.is_empty());
        let reason = &set.skipped[0].reason;
        assert!(reason.contains(part), "{reason}");
    }

    #[test]
    fn spans_count_characters() {
        let set = Set::parse(&line("\"word\": \"she\", \"word_span\": [36, 39]"));
        let question = &set.items[0].question;
        assert_eq!(question.word_text(), "she");
        assert_eq!(question.word, (38, 41));
        assert_eq!(question.candidates[0].places, [(0, 3), (25, 28)]);
    }

    #[test]
    fn what_is_wrong_is_said_with_the_line() {
        skipped("\"word\": \"she\"", "occurs 2 times; give its word_span");
        skipped("\"word\": \"he\"", "is not a word of the text");
        skipped("\"word\": \"she\", \"word_span\": [16, 19]", "holds");
        skipped(
            "\"word\": \"she\", \"word_span\": [90, 91]",
            "does not lie in",
        );
        skipped(
            "\"word\": \"she\", \"word_span\": [3, 1]",
            "does not lie in",
        );
        let none = Set::parse("\n{\"text\": 1}\n\n");
        assert_eq!(none.skipped[0].line, 2);
    }

    #[test]
    fn candidates_and_answer_must_fit() {
        let with = |candidates: &str, answer: &str| {
            let line = format!(
                "{{\"text\": \"Ann met Jo. Then she left Eve.\", \"word\": \"she\", \"candidates\": {candidates}, \
                 \"answer\": \"{answer}\"}}"
            );
            Set::parse(&line).skipped.first().map(|s| s.reason.clone())
        };
        assert_eq!(with("[\"Ann\", \"Jo\"]", "Jo"), None);
        assert!(
            with("[\"Ann\", \"Eve\"]", "Ann")
                .unwrap()
                .contains("does not come before")
        );
        assert!(with("[\"Ann\"]", "Ann").unwrap().contains("needs two"));
        // A file of megabytes could name a million, each of which would be looked for.
        let many = format!("[{}\"Ann\"]", "\"Jo\",".repeat(MOST_CANDIDATES));
        assert!(with(&many, "Ann").unwrap().contains("at most 64"));
        assert!(
            with("[\"Ann\", \"Ann\"]", "Ann")
                .unwrap()
                .contains("named twice")
        );
        assert!(
            with("[\"Ann\", \"Jo\"]", "Eve")
                .unwrap()
                .contains("none of the candidates")
        );
    }

    #[test]
    fn names_are_found_where_no_spaces_are_written() {
        let text = "张伟很用功，李娜不用功。可是他考得好。";
        assert_eq!(places(text, "李娜"), [(18, 24)]);
        assert_eq!(places("Joanna met Jo_x and Jo.", "Jo"), [(20, 22)]);
    }

    #[test]
    fn a_set_without_questions_is_an_error() {
        let file = std::env::temp_dir().join(format!("lookback-set-{}", std::process::id()));
        std::fs::write(&file, "[]\n").unwrap();
        let message = Set::open(&file).unwrap_err().to_string();
        std::fs::remove_file(&file).unwrap();
        assert!(
            message.contains("holds no question") && message.contains("line 1"),
            "{message}"
        );
        assert!(
            Set::open(&file)
                .unwrap_err()
                .to_string()
                .contains("cannot read")
        );
    }
}
