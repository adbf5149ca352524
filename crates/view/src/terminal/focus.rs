//! What one word looks back at.

use anstyle::Style;
use lookback_heads::look::{HeadWeights, Sink};
use lookback_heads::{Focus, Look, head, label};

use super::bar::bar;
use super::candidates;
use super::clean::{clean, cut, width as width_of};
use super::flow::Flow;
use super::line::Line;
use super::number::{count, percent, plural};
use super::palette::{BAR, CANDIDATE, CANDIDATE_BAR, FOCUS, HEADING, PLAIN, QUIET};

/// How a look is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookPicture {
    /// Columns of the terminal; see [`NARROWEST`](super::NARROWEST) and [`WIDEST`](super::WIDEST).
    pub width: usize,
    /// How many of the words that a word looks back at are listed.
    pub listed: usize,
    /// How many words of interest are drawn, from the first.
    pub words_of_interest: usize,
    /// Draws the heads of each focus one by one as well: meant for a look at chosen heads.
    pub head_by_head: bool,
    /// What is said before everything else.
    pub notice: Option<String>,
}

impl Default for LookPicture {
    fn default() -> Self {
        Self {
            width: 80,
            listed: 8,
            words_of_interest: 3,
            head_by_head: false,
            notice: None,
        }
    }
}

/// Columns that a row's number takes: `100.0%`.
const NUMBER: usize = 6;

/// All of a focus: all heads together, the heads for each candidate, and the heads one by one where asked for.
pub(super) fn lines(
    look: &Look<'_>,
    focus: &Focus,
    picture: &LookPicture,
    width: usize,
) -> Vec<Line> {
    let all = &focus.all_heads;
    let mut heading = Flow::new(width, 2, Line::of(FOCUS, clean(&focus.label)));
    heading = heading.prose(HEADING, "looks back at").prose(
        QUIET,
        &format!(
            "· mean of all {}{}",
            count(all.heads, "head"),
            excluded(look, all.sink_share)
        ),
    );
    let mut lines = vec![Line::new()];
    lines.extend(heading.lines());
    let shares = all.ranked.iter().map(|r| (r.word, r.share)).collect();
    lines.extend(bars(
        look,
        focus,
        shares,
        all.other_share / (1.0 - all.sink_share),
        picture,
        width,
    ));
    lines.extend(candidates::lines(focus, width));
    if picture.head_by_head {
        for head in &focus.heads {
            lines.extend(one_head(look, focus, head, picture, width));
        }
    }
    lines
}

fn excluded(look: &Look<'_>, sink_share: f32) -> String {
    match look.sink() {
        Sink::Prefix { .. } => format!(", the sink’s {} excluded", percent(sink_share.into())),
        Sink::FirstWord { .. } if sink_share > 0.0 => {
            format!(
                ", the learned sink’s {} excluded",
                percent(sink_share.into())
            )
        }
        Sink::FirstWord { .. } => ", nothing excluded".to_owned(),
    }
}

fn one_head(
    look: &Look<'_>,
    focus: &Focus,
    weights: &HeadWeights,
    picture: &LookPicture,
    width: usize,
) -> Vec<Line> {
    let mut heading = Flow::new(width, 2, Line::of(FOCUS, clean(&focus.label)));
    heading = heading
        .prose(HEADING, &format!("in head {}", head::name(weights.head)))
        .prose(
            QUIET,
            &format!("· share{}", excluded(look, weights.sink_share)),
        );
    let mut shares: Vec<(usize, f32)> = weights.shares().into_iter().enumerate().collect();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1));
    let kept = weights.other_share + weights.word_weights.iter().sum::<f32>();
    let mut lines = vec![Line::new()];
    lines.extend(heading.lines());
    lines.extend(bars(
        look,
        focus,
        shares,
        weights.other_share / kept,
        picture,
        width,
    ));
    lines
}

/// One row of the picture: a word or a group of them.
struct Row {
    name: Line,
    share: f64,
    /// The bar's style; a row of many words has no bar, since it is no one word's.
    bar: Option<Style>,
}

/// The first words as bars, a full one of which is 100%; the rest in one row each for words and white space.
fn bars(
    look: &Look<'_>,
    focus: &Focus,
    ranked: Vec<(usize, f32)>,
    white_space: f32,
    picture: &LookPicture,
    width: usize,
) -> Vec<Line> {
    let names: Vec<usize> = focus
        .candidates
        .iter()
        .flat_map(|c| c.candidate.words.clone())
        .collect();
    // A third, but on a narrow terminal whatever the number leaves.
    let name_columns = (width / 3)
        .max(width.saturating_sub(4 + NUMBER + 1).min(9))
        .min(24);
    let mut rows = Vec::new();
    let (mut others, mut rest) = (0, 0.0);
    for (place, (word, share)) in ranked.into_iter().enumerate() {
        let candidate = names.contains(&word);
        // Candidates are listed further down as well, but not without end.
        let most = picture.listed.max(1);
        let listed = place < most || candidate && rows.len() < most.saturating_mul(2);
        if !listed {
            others += 1;
            rest += f64::from(share);
            continue;
        }
        let name = row_name(look, focus, word, candidate, name_columns);
        rows.push(Row {
            name,
            share: share.into(),
            bar: Some(if candidate { CANDIDATE_BAR } else { BAR }),
        });
    }
    if others > 0 {
        let more = format!("{others} more");
        let long = format!("{more} {}", plural(others, "word", "words"));
        let name = if width_of(&long) <= name_columns {
            long
        } else {
            more
        };
        rows.push(Row {
            name: Line::of(QUIET, name),
            share: rest,
            bar: None,
        });
    }
    if white_space > 0.0005 {
        let name = Line::of(QUIET, cut("white space", name_columns));
        rows.push(Row {
            name,
            share: white_space.into(),
            bar: None,
        });
    }
    draw(rows, width)
}

/// The word, and a remark on it.
fn row_name(look: &Look<'_>, focus: &Focus, word: usize, candidate: bool, columns: usize) -> Line {
    let shown = clean(&label(look.trace().words(), word));
    let remark = match look.sink() {
        // On a narrow terminal the word itself needs the room.
        _ if columns < 13 => "",
        Sink::FirstWord { word: first } if first == word => " (sink)",
        _ if focus.words.contains(&word) => " (itself)",
        _ => "",
    };
    let style = match candidate {
        _ if focus.words.contains(&word) => FOCUS,
        true => CANDIDATE,
        false => PLAIN,
    };
    let mut name = Line::of(
        style,
        cut(&shown, columns.saturating_sub(width_of(remark)).max(4)),
    );
    name.push(QUIET, remark);
    name
}

fn draw(rows: Vec<Row>, width: usize) -> Vec<Line> {
    let names = rows.iter().map(|row| row.name.width()).max().unwrap_or(0);
    let start = 2 + names + 2 + NUMBER + 1;
    let room = width.saturating_sub(start).min(40);
    let draw = |row: Row| {
        let mut line = Line::new();
        line.pad_to(2);
        line.append(row.name);
        let number = percent(row.share);
        line.pad_to(start - 1 - width_of(&number));
        line.push(PLAIN, number);
        line.pad_to(start);
        if let Some(style) = row.bar {
            line.push(style, bar(row.share, room));
        }
        line
    };
    rows.into_iter().map(draw).collect()
}

/// A word of the text, clean.
pub(super) fn word_text(look: &Look<'_>, word: usize) -> String {
    look.trace()
        .words()
        .get(word)
        .map_or_else(String::new, |w| clean(&w.text))
}
