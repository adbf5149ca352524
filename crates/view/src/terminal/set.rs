//! What the heads of a model make of a set of questions.

use std::io::Write;

use lookback_heads::head;
use lookback_heads::who::evaluate::{Accuracy, Group, SetReport};

use super::clean::clean;
use super::flow::{Flow, paragraph};
use super::line::{Line, write_lines};
use super::number::{count, percent, signed_percent};
use super::palette::{HEADING, PLAIN, QUIET};
use super::table::{Align, table};
use super::{Error, columns};

/// Draws what the heads of a model make of a set.
///
/// # Errors
/// [`Error::Write`].
pub fn write_set(out: &mut impl Write, report: &SetReport, width: usize) -> Result<(), Error> {
    let width = columns(width);
    let mut lines = Vec::new();
    for group in &report.groups {
        lines.push(Line::new());
        let heading = Flow::new(width, 2, Line::of(HEADING, clean(&group.group)));
        let size = format!(
            "· {} of {}",
            count(group.n, "question"),
            count(group.templates, "template")
        );
        lines.extend(heading.prose(QUIET, &size).lines());
        lines.extend(table(
            best_rows(group),
            &[
                Align::Left,
                Align::Right,
                Align::Right,
                Align::Right,
                Align::Right,
            ],
            2,
            2,
        ));
        for sentence in group_sentences(group) {
            lines.extend(paragraph(width, 2, PLAIN, &sentence));
        }
    }
    write_lines(out, lines, width)?;
    Ok(())
}

/// How many heads of a group are listed.
const LISTED: usize = 5;

fn best_rows(group: &Group) -> Vec<Vec<Line>> {
    let mut heads = group.heads.clone();
    heads.sort_by(|a, b| {
        b.accuracy
            .total_cmp(&a.accuracy)
            .then(b.mean_diff.total_cmp(&a.mean_diff))
    });
    let row = |name: String, accuracy: f64, diff: f64| {
        vec![
            Line::of(PLAIN, name),
            Line::of(PLAIN, percent(accuracy)),
            Line::of(PLAIN, signed_percent(diff)),
        ]
    };
    let quiet = |title: &str| Line::of(QUIET, title);
    let mut rows = vec![
        ["head", "right", "by weight", "nearer", "same name"]
            .map(quiet)
            .to_vec(),
    ];
    rows.extend(heads.iter().take(LISTED).map(|h| {
        let mut cells = row(head::name(h.head), h.accuracy, h.mean_diff);
        cells.push(Line::of(PLAIN, percent(h.nearer)));
        let same = h.same_name.map_or_else(|| "–".to_owned(), percent);
        cells.push(Line::of(PLAIN, same));
        cells
    }));
    let mut mean =
        |name: &str, of: &Accuracy| rows.push(row(name.to_owned(), of.accuracy, of.mean_diff));
    if group.answering_heads != group.all_heads {
        mean("mean, answering", &group.answering_heads);
    }
    mean("mean, all heads", &group.all_heads);
    mean("softmax(x·x)", &group.baseline.similarity);
    mean("softmax(x·x/√d)", &group.baseline.scaled);
    rows
}

/// Of fewer questions, some of many heads prefer one place in all by chance: of 270, 2·270/2¹⁶ are expected.
const FEWEST: usize = 16;

/// How few exceptions a head makes that prefers a place.
const EXCEPTIONS: f64 = 0.05;

/// The heads that look at the nearer or at the farther candidate whoever is meant, the strongest of each named.
fn prefer_a_place(group: &Group) -> Option<String> {
    let strongest = |shows: &dyn Fn(f64) -> bool| {
        let heads = group.heads.iter().filter(|h| shows(h.nearer));
        let count = heads.clone().count();
        let best =
            heads.max_by(|a, b| (a.nearer - 0.5).abs().total_cmp(&(b.nearer - 0.5).abs()))?;
        Some((count, head::name(best.head)))
    };
    let describe = |(count, name): (usize, String), which: &str| {
        format!(
            "{} the {which} name ({name} …)",
            if count == 1 {
                "1 head prefers".to_owned()
            } else {
                format!("{count} heads prefer")
            }
        )
    };
    let nearer =
        strongest(&|share| share >= 1.0 - EXCEPTIONS).map(|found| describe(found, "nearer"));
    let first = strongest(&|share| share <= EXCEPTIONS).map(|found| describe(found, "farther"));
    let places: Vec<String> = nearer.into_iter().chain(first).collect();
    (group.n >= FEWEST && !places.is_empty()).then(|| {
        format!(
            "Whoever is meant, in {:.0}% of the questions or more, {}.",
            100.0 * (1.0 - EXCEPTIONS),
            places.join("; ")
        )
    })
}

fn group_sentences(group: &Group) -> Vec<String> {
    let (best, test) = (&group.best, &group.test);
    let name = head::name(best.head.head);
    let mut said = Vec::new();
    let beats = test.null_p < 0.05;
    said.push(if beats {
        format!(
            "{name} beats chance: right in {} (95% interval {} to {}). With the answers of whole templates flipped, the best \
             of {} reaches {} in 95% of flips (p = {:.4}).",
            percent(best.head.accuracy),
            percent(best.ci95.0),
            percent(best.ci95.1),
            count(group.heads.len(), "head"),
            percent(test.null95_accuracy),
            test.null_p
        )
    } else {
        format!(
            "No head beats chance: the best, {name}, is right in {}. With the answers of whole templates flipped, the best \
             of {} reaches {} in 95% of flips (p = {:.3}); flipped sentence by sentence {} (p = {:.3}).",
            percent(best.head.accuracy),
            count(group.heads.len(), "head"),
            percent(test.null95_accuracy),
            test.null_p,
            percent(group.by_sentence.null95_accuracy),
            group.by_sentence.null_p
        )
    });
    if test.smallest_p > 0.05 {
        said.push(format!(
            "{}: too few, no result can have p below {:.3}.",
            count(group.templates, "template"),
            test.smallest_p
        ));
    }
    if let Some(accuracy) = best.leave_one_template_out {
        said.push(format!(
            "Chosen on the other templates and asked about the one left out, the best head is right in {}.",
            percent(accuracy)
        ));
    }
    if let Some(places) = prefer_a_place(group) {
        said.push(places);
    }
    let opposite = &group.opposite;
    if opposite.null_p < 0.1 {
        said.push(format!(
            "{} looks at the other candidate: right in only {} (p = {:.4}).",
            head::name(opposite.head.head),
            percent(opposite.head.accuracy),
            opposite.null_p
        ));
    }
    said
}
