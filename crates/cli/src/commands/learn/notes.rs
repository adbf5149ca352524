//! How the model that a study keeps answers the notes' sentence and its swaps, in words and as a picture.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use lookback_learn::batch::Example;
use lookback_learn::inference;
use lookback_learn::sentences::{self, ReadFrom};
use lookback_model::{LoadOptions, Model};
use lookback_trace::HeadId;
use lookback_view::svg::{self, TextRow, Theme};
use lookback_view::terminal::percent;
use serde::Serialize;

use crate::output;

/// One form of the sentence.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    text: String,
    candidates: [String; 2],
    answer: String,
    /// The weight on each candidate, the mean over the pointer's heads, from the pronoun's row.
    mass: [f64; 2],
}

/// All forms, and where they are drawn.
#[derive(Debug, Serialize)]
pub(super) struct Notes {
    model: PathBuf,
    pictures: Vec<PathBuf>,
    answers: Vec<Answer>,
}

impl Notes {
    /// Asks the model in `file`, and draws what its pointer does in pictures beside it.
    pub(super) fn new(file: &Path) -> anyhow::Result<Self> {
        let model = Model::load(file, &LoadOptions::default())?;
        let items = sentences::notes();
        let examples = Example::all(&items, model.tokenizer(), ReadFrom::Pronoun)?;
        let masses = inference::masses(&model, &items, ReadFrom::Pronoun)?;
        let traces = items
            .iter()
            .map(|item| Ok(inference::run(&model, &item.text)?.trace))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let answers: Vec<Answer> = items
            .into_iter()
            .zip(masses)
            .map(|(item, mass)| Answer {
                text: item.text,
                candidates: item.candidates,
                answer: item.answer,
                mass,
            })
            .collect();
        let rows: Vec<TextRow> = traces
            .iter()
            .zip(&examples)
            .zip(&answers)
            .map(|((trace, example), answer)| TextRow {
                trace,
                token: example.ids.len() - 1,
                outlined: &example.candidates[example.answer as usize],
                result: answer.result(),
            })
            .collect();
        let layers = model.answering_layers();
        let heads: Vec<HeadId> = layers
            .flat_map(|layer| {
                let count = traces.first().map_or(0, |trace| trace.head_count(layer));
                (0..count).map(move |head| HeadId { layer, head })
            })
            .collect();
        let mut pictures = Vec::new();
        for (theme, ending) in [(Theme::Light, "svg"), (Theme::Dark, "dark.svg")] {
            let path = file.with_extension(ending);
            let drawing = svg::rows("Which name does “he” look at?", &rows, &heads, theme)?;
            output::write_file(&path, |out| Ok(out.write_all(drawing.as_bytes())?))?;
            pictures.push(path);
        }
        Ok(Self {
            model: file.to_owned(),
            pictures,
            answers,
        })
    }

    /// A line a form.
    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let bold = anstyle::Style::new().bold();
        writeln!(out)?;
        writeln!(
            out,
            "{bold}The notes' sentence, from the row of “he”, the mean over the pointer's heads{bold:#}"
        )?;
        for answer in &self.answers {
            let before = answer
                .text
                .split_once(" he ")
                .map_or("", |(before, _)| before);
            writeln!(out, "  {}  {before} he …", answer.result())?;
        }
        writeln!(out)?;
        writeln!(out, "model    {}", self.model.display())?;
        for picture in &self.pictures {
            writeln!(out, "picture  {}", picture.display())?;
        }
        Ok(())
    }
}

impl Answer {
    /// `Madd 99.8%, Vatsal 0.1%`: the greater weight first.
    fn result(&self) -> String {
        let weight =
            |index: usize| format!("{} {}", self.candidates[index], percent(self.mass[index]));
        let first = usize::from(self.mass[1] > self.mass[0]);
        format!("{}, {}", weight(first), weight(1 - first))
    }
}
